//! From bytes to sections, keys and values, each with its line.
//!
//! `configparser` reads the values. It does not tell lines, joins repeated
//! keys silently and takes almost any line for a key, so that a pass of our
//! own goes first: it finds what is no INI line and what is there twice, and
//! remembers where everything stands.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use configparser::ini::{Ini, IniDefault};

/// A file as found, before anything is known of its keys.
#[derive(Default, Debug)]
pub(crate) struct File {
    /// The headings in order.
    pub(crate) sections: Vec<Heading>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) errors: Vec<(usize, String)>,
}

#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Heading {
    pub(crate) text: String,
    pub(crate) line: usize,
}

#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) section: String,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) line: usize,
}

const COMMENTS: [char; 2] = ['#', ';'];

pub(crate) fn read(contents: &[u8]) -> File {
    let mut pass = Pass::default();
    for (number, bytes) in (1..).zip(contents.split(|&b| b == b'\n')) {
        pass.line(number, bytes);
    }
    let Pass {
        mut file,
        clean,
        mut places,
        ..
    } = pass;
    let values = match ini().read(clean) {
        Ok(values) => values,
        Err(message) => {
            file.errors.push((1, message));
            return file;
        }
    };
    for (section, keys) in values {
        for (key, value) in keys {
            if let Some(line) = places.remove(&(section.clone(), key.clone())) {
                let value = value.unwrap_or_default();
                let section = section.clone();
                file.entries.push(Entry {
                    section,
                    key,
                    value,
                    line,
                });
            }
        }
    }
    for ((_, key), line) in places {
        file.errors.push((line, format!("`{key}` cannot be read")));
    }
    file.entries.sort_by_key(|e| e.line);
    file
}

fn ini() -> Ini {
    let mut settings = IniDefault::default();
    settings.case_sensitive = true;
    settings.delimiters = vec!['='];
    settings.comment_symbols = COMMENTS.to_vec();
    settings.enable_inline_comments = false;
    settings.multiline = false;
    Ini::new_from_defaults(settings)
}

/// The pass over the lines.
#[derive(Default)]
struct Pass {
    file: File,
    /// The good lines, for configparser.
    clean: String,
    section: Under,
    places: BTreeMap<(String, String), usize>,
}

/// What lines now belong to.
#[derive(Default)]
enum Under {
    #[default]
    Nothing,
    Section(String),
    /// A heading that is an error; what follows is not worth more of them.
    BadHeading,
}

impl Pass {
    fn line(&mut self, number: usize, bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.error(number, "line is not UTF-8");
        };
        let text = if number == 1 {
            text.trim_start_matches('\u{feff}')
        } else {
            text
        };
        let text = text.trim();
        if text.is_empty() || text.starts_with(COMMENTS) {
            return;
        }
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return self.error(number, "line holds a control character");
        }
        if let Some(rest) = text.strip_prefix('[') {
            return self.heading(number, text, rest);
        }
        let Some((key, value)) = text.split_once('=') else {
            return self.error(number, "neither `[section]` nor `key = value`");
        };
        self.entry(number, text, key.trim(), value.trim());
    }

    fn heading(&mut self, number: usize, line: &str, rest: &str) {
        let name = rest.strip_suffix(']').map(str::trim);
        match name {
            Some(name) if !name.is_empty() && !name.contains(['[', ']']) => {
                let text = name.to_owned();
                self.section = Under::Section(text.clone());
                self.file.sections.push(Heading { text, line: number });
                self.keep(line);
            }
            _ => {
                self.section = Under::BadHeading;
                self.error(number, "section heading is not `[name]` alone on its line");
            }
        }
    }

    fn entry(&mut self, number: usize, line: &str, key: &str, value: &str) {
        let section = match &self.section {
            Under::Section(name) => name,
            Under::BadHeading => return,
            Under::Nothing => return self.error(number, "key before the first `[section]`"),
        };
        if key.is_empty() {
            return self.error(number, "no key before `=`");
        }
        if value.contains(" #") || value.contains(" ;") {
            return self.error(number, "comments stand on lines of their own");
        }
        match self.places.entry((section.clone(), key.to_owned())) {
            Slot::Occupied(first) => {
                let message = format!("`{key}` is set already in line {}", first.get());
                self.error(number, &message);
            }
            Slot::Vacant(place) => {
                place.insert(number);
                self.keep(line);
            }
        }
    }

    fn keep(&mut self, line: &str) {
        self.clean.push_str(line);
        self.clean.push('\n');
    }

    fn error(&mut self, number: usize, message: &str) {
        self.file.errors.push((number, message.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(text: &str) -> Vec<(String, String, String, usize)> {
        let file = read(text.as_bytes());
        assert_eq!(file.errors, []);
        let tuple = |e: Entry| (e.section, e.key, e.value, e.line);
        file.entries.into_iter().map(tuple).collect()
    }

    #[test]
    fn values_come_with_their_lines() {
        let text = "\u{feff}# note\n\n[a]\nx = 1\r\n  y=two words # ".trim_end_matches("# ");
        assert_eq!(
            entries(&format!(
                "{text}\n[tls mail.example.org]\nx = a:b=c;d\n[a]\nz =\n"
            )),
            [
                ("a".into(), "x".into(), "1".into(), 4),
                ("a".into(), "y".into(), "two words".into(), 5),
                (
                    "tls mail.example.org".into(),
                    "x".into(),
                    "a:b=c;d".into(),
                    7
                ),
                ("a".into(), "z".into(), String::new(), 9),
            ]
        );
    }

    #[test]
    fn every_wrong_line_is_found() {
        let text =
            b"early = 1\n[a]\nx = 1\nnonsense\n = 2\nx = 3\ny = 1 # why\nz\x01 = 1\n\xff\n[b\n\
              skipped = 1\n[c] d\n[]\n";
        let file = read(text);
        let lines: Vec<_> = file.errors.iter().map(|e| e.0).collect();
        assert_eq!(lines, [1, 4, 5, 6, 7, 8, 9, 10, 12, 13]);
        let twice = &file.errors.iter().find(|e| e.0 == 6).unwrap().1;
        assert!(twice.contains("line 3"), "{twice}");
        assert_eq!(file.entries.len(), 1);
    }

    #[test]
    fn an_empty_file_is_no_error() {
        assert_eq!(entries(""), []);
        assert_eq!(entries("; only\n# comments\n[a]\n"), []);
    }

    fn any_line() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-c ]{0,3}=[ -~é]{0,8}",
            r"[ \[\]a-b=#;]{0,6}",
            r"\[[ab ]{1,3}\]",
            any::<String>(),
        ]
    }

    proptest! {
        /// Our pass and configparser agree on what a line is: each is a
        /// heading, an entry, an error, or nothing, up to a bad heading.
        #[test]
        fn no_line_gets_lost(lines in prop::collection::vec(any_line(), 0..12)) {
            let text = lines.join("\n");
            let file = read(text.as_bytes());
            let told: Vec<_> = file.errors.iter().map(|e| e.0)
                .chain(file.sections.iter().map(|h| h.line))
                .chain(file.entries.iter().map(|e| e.line))
                .collect();
            let bad = file.errors.iter().find(|e| e.1.contains("heading")).map(|e| e.0);
            for (number, line) in (1..=bad.unwrap_or(usize::MAX)).zip(text.split('\n')) {
                let line = line.trim_start_matches('\u{feff}').trim();
                let something = !line.is_empty() && !line.starts_with(COMMENTS);
                let times = told.iter().filter(|n| **n == number).count();
                prop_assert_eq!(times, usize::from(something), "line {}", number);
            }
            prop_assert!(!file.errors.iter().any(|e| e.1.contains("cannot be read")));
            for entry in &file.entries {
                let line = text.split('\n').nth(entry.line - 1).unwrap();
                prop_assert_eq!(line.split_once('=').unwrap().1.trim(), &entry.value);
            }
        }
    }
}
