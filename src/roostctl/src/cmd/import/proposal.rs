//! A `roost.conf` that grows setting by setting, and the report about what the
//! other server had: what stands where now, and what does not.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use roost_config::{Config, Section};

use crate::table::{Cell, Table};
use crate::{Failure, exit};

/// What becomes of a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Stands in the proposal, or is so in any case.
    Kept,
    /// Nothing that Roost needs.
    Needless,
    /// Has no counterpart, and something changes by that.
    Missing,
    /// With this, mail or accounts are not reached, or others would get in.
    Blocks,
}

impl Fate {
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Needless => "needless",
            Self::Missing => "missing",
            Self::Blocks => "blocks",
        }
    }
}

/// A line of the report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    pub setting: String,
    pub fate: Fate,
    pub text: String,
}

pub struct Proposal {
    /// What was looked at, for the heading.
    source: String,
    values: Vec<(Section, Option<String>, &'static str, String)>,
    pub notes: Vec<Note>,
}

/// Not there before an administrator makes it.
const UNDECIDED: &str = "/etc/roost/users";

pub const COLUMNS: &[&str] = &["setting", "fate", "text"];

impl Proposal {
    /// `source` is what is looked at.
    pub fn from(source: String) -> Self {
        Self {
            source,
            values: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Sets a key of `roost.conf`; the last counts.
    pub fn set(&mut self, section: Section, key: &'static str, value: impl Into<String>) {
        self.put(section, None, key, value.into());
    }

    /// The same in a section with a name.
    pub fn set_named(&mut self, section: Section, name: &str, key: &'static str, value: &str) {
        self.put(section, Some(name.to_owned()), key, value.to_owned());
    }

    fn put(&mut self, section: Section, name: Option<String>, key: &'static str, value: String) {
        self.values
            .retain(|(s, n, k, _)| (s, n, *k) != (&section, &name, key));
        self.values.push((section, name, key, value));
    }

    /// What a key is set to so far.
    pub fn value(&self, section: Section, key: &str) -> Option<&str> {
        let mut values = self.values.iter();
        let found = values.find(|(s, name, k, _)| *s == section && name.is_none() && *k == key);
        found.map(|(.., value)| value.as_str())
    }

    /// Files that the service has to read.
    pub fn files(&self) -> Vec<PathBuf> {
        const KEYS: [&str; 4] = ["certificate", "key", "passwd_file", "master_passwd_file"];
        let values = self
            .values
            .iter()
            .filter(|(_, _, key, _)| KEYS.contains(key));
        let mut files: Vec<PathBuf> = values.map(|(.., value)| value.into()).collect();
        files.sort();
        files.dedup();
        files
    }

    /// Sets a key and says from which setting it came.
    pub fn keep(
        &mut self,
        setting: &str,
        section: Section,
        key: &'static str,
        value: impl Into<String>,
    ) {
        let value = value.into();
        let text = format!("[{}] {key} = {value}", section.word());
        self.set(section, key, value);
        self.note(setting, Fate::Kept, text.trim_end());
    }

    pub fn note(&mut self, setting: &str, fate: Fate, text: &str) {
        let note = Note {
            setting: setting.to_owned(),
            fate,
            text: text.to_owned(),
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// What nobody has decided yet: Roost does not start with a passwd-file
    /// that is not there, where its default, PAM, would let others in.
    pub fn undecided(&mut self, setting: &str) {
        self.set(Section::Auth, "backend", "passwd-file");
        self.set(Section::Auth, "passwd_file", UNDECIDED);
        let text = format!(
            "none that Roost may ask as it is: roostd does not start before you have made {UNDECIDED}, \
             or set [auth] backend and what belongs to it"
        );
        self.note(setting, Fate::Blocks, &text);
    }

    /// Something will be other than it was.
    pub fn loses(&self) -> bool {
        let worse = |n: &Note| matches!(n.fate, Fate::Missing | Fate::Blocks);
        self.notes.iter().any(worse)
    }

    /// The file, with what has no counterpart in comments at its head.
    ///
    /// # Errors
    /// Where a value of the other server is none that Roost takes.
    pub fn text(&self) -> Result<String, Failure> {
        let mut text = format!("# Proposed by roostctl import from {}.\n", self.source);
        text.push_str("# Keys that are left out keep their defaults: see roost.conf(5).\n");
        for fate in [Fate::Blocks, Fate::Missing] {
            for note in self.notes.iter().filter(|n| n.fate == fate) {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "# {}: {}: {}", fate.word(), note.setting, note.text);
            }
        }
        for section in Section::ALL {
            let mut heading = None;
            let mut values: Vec<_> = self.values.iter().filter(|v| v.0 == section).collect();
            values.sort_by(|a, b| a.1.cmp(&b.1));
            for (section, name, key, value) in values {
                let title = match name {
                    Some(name) => format!("[{} {name}]", section.word()),
                    None => format!("[{}]", section.word()),
                };
                if heading.as_ref() != Some(&title) {
                    let _ = writeln!(text, "\n{title}");
                    heading = Some(title);
                }
                let _ = writeln!(text, "{}", format!("{key} = {value}").trim_end());
            }
        }
        match Config::parse(text.as_bytes(), Path::new("proposal")) {
            Ok(_) => Ok(text),
            Err(errors) => {
                let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let why = format!("{text}\nthis proposal has errors:\n{}", lines.join("\n"));
                Err(Failure::new(exit::DATAERR, why))
            }
        }
    }

    pub fn report(&self, json: bool) {
        let mut table = Table::new(json, COLUMNS);
        for note in &self.notes {
            let line = format!("{:<8} {}: {}", note.fate.word(), note.setting, note.text);
            let cells = [
                Cell::Text(note.setting.clone()),
                Cell::Text(note.fate.word().to_owned()),
                Cell::Text(note.text.clone()),
            ];
            table.row(&line, &cells);
        }
        table.end();
    }
}
