//! From keys and values to the [`Config`], with every error on the way.

mod router;
mod sections;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::ConfigError;
use crate::hint;
use crate::keys::{KEYS, Key, Kind, Section};
use crate::model::Config;
use crate::syntax::{self, Entry, File};
use crate::value;

/// A section of the file: `[user joe]` is `(User, "joe")`.
type Place = (Section, String);

struct Located {
    value: String,
    line: usize,
}

pub(crate) fn resolve(contents: &[u8], path: &Path) -> Result<Config, Vec<ConfigError>> {
    let file = syntax::read(contents);
    let mut values = Values::default();
    values.take(file);
    let config = values.config();
    let mut errors = values.errors;
    if errors.is_empty() {
        return Ok(config);
    }
    errors.sort();
    let located = |(line, message)| ConfigError {
        file: path.to_owned(),
        line: (line > 0).then_some(line),
        message,
    };
    Err(errors.into_iter().map(located).collect())
}

/// What the table says; that it has no errors is a test.
pub(crate) fn defaults() -> Config {
    Values::default().config()
}

/// The values of a file by section and key, and the errors found so far.
#[derive(Default)]
struct Values {
    /// Named sections with the line of their first heading.
    named: BTreeMap<Place, usize>,
    known: BTreeMap<(Place, &'static str), Located>,
    domains: Vec<Entry>,
    router: Vec<Entry>,
    errors: Vec<(usize, String)>,
}

impl Values {
    /// Sorts the entries of a file; what no key is known for is an error.
    fn take(&mut self, file: File) {
        self.errors = file.errors;
        let mut unknown = BTreeSet::new();
        for heading in file.sections {
            match section(&heading.text) {
                Ok(place) => {
                    self.named.entry(place).or_insert(heading.line);
                }
                Err(message) => {
                    self.errors.push((heading.line, message));
                    unknown.insert(heading.text);
                }
            }
        }
        for entry in file.entries {
            // Keys of an unknown section are not worth an error each.
            if let Ok(place) = section(&entry.section)
                && !unknown.contains(&entry.section)
            {
                self.entry(place, entry);
            }
        }
    }

    fn entry(&mut self, place: Place, entry: Entry) {
        if place.0 == Section::Domains {
            self.domains.push(entry);
            return;
        }
        if place.0 == Section::Router {
            self.router.push(entry);
            return;
        }
        let Entry {
            key, value, line, ..
        } = entry;
        match find(place.0, &key) {
            Some(known) => {
                let set = Located { value, line };
                // Two spellings of one section's name.
                if let Some(first) = self.known.insert((place, known.name), set) {
                    let message = format!("`{key}` is set already in line {}", first.line);
                    self.errors.push((line, message));
                }
            }
            None => self.errors.push((line, unknown_key(place.0, &key))),
        }
    }

    /// The value of a key, or its default.
    fn read<T: Default>(
        &mut self,
        section: Section,
        name: &str,
        parse: fn(&str, Kind) -> Result<T, String>,
    ) -> T {
        let Some(key) = find(section, name) else {
            self.errors.push((0, format!("no key {name} in the table")));
            return T::default();
        };
        if let Some(value) = self.read_set(&(section, String::new()), key, parse) {
            return value;
        }
        parse(key.default, key.kind).unwrap_or_else(|e| {
            self.errors.push((0, format!("{name}: default: {e}")));
            T::default()
        })
    }

    /// The value of a key if it is set, and good.
    fn read_set<T>(
        &mut self,
        place: &Place,
        key: &Key,
        parse: fn(&str, Kind) -> Result<T, String>,
    ) -> Option<T> {
        let set = self.known.get(&(place.clone(), key.name))?;
        match parse(&set.value, key.kind) {
            Ok(value) => Some(value),
            Err(e) => {
                let message = format!("{}: {e}", key.name);
                self.errors.push((set.line, message));
                None
            }
        }
    }

    fn read_named<T>(
        &mut self,
        place: &Place,
        name: &str,
        parse: fn(&str, Kind) -> Result<T, String>,
    ) -> Option<T> {
        let key = find(place.0, name)?;
        self.read_set(place, key, parse)
    }

    /// The line of a key if it is set, else 0: the file as a whole.
    fn line(&self, section: Section, name: &str) -> usize {
        let place = (section, String::new());
        let found = self
            .known
            .iter()
            .find(|((p, n), _)| *p == place && *n == name);
        found.map_or(0, |(_, set)| set.line)
    }

    fn error(&mut self, section: Section, name: &str, message: &str) {
        let line = self.line(section, name);
        self.errors.push((line, format!("{name}: {message}")));
    }

    /// The sections of one kind, with their lines.
    fn names(&self, section: Section) -> Vec<(Place, usize)> {
        let own = self.named.iter().filter(|(place, _)| place.0 == section);
        own.map(|(place, &line)| (place.clone(), line)).collect()
    }

    fn config(&mut self) -> Config {
        let (server, auth, domains) = (self.server(), self.auth(), self.domains());
        let router = self.router(&server, &auth, &domains);
        let mail = self.mail();
        self.homes(&auth, &mail);
        Config {
            server,
            listen: self.listen(),
            tls: self.tls(),
            auth,
            mail,
            limits: self.limits(),
            quota: self.quota(),
            smime: self.smime(),
            domains,
            router,
            users: self.users(),
        }
    }
}

fn find(section: Section, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.section == section && k.name == name)
}

/// Whether a heading means that section, which has no name.
pub(crate) fn is_section(heading: &str, wanted: Section) -> bool {
    section(heading).is_ok_and(|place| place == (wanted, String::new()))
}

/// Which section a heading means.
fn section(heading: &str) -> Result<Place, String> {
    let (word, name) = match heading.split_once(char::is_whitespace) {
        Some((word, name)) => (word, name.trim()),
        None => (heading, ""),
    };
    let fits = |s: &&Section| s.word() == word && s.is_named() != name.is_empty();
    match Section::ALL.iter().find(fits) {
        Some(Section::TlsName) => Ok((Section::TlsName, server_name(name)?)),
        Some(&section) => Ok((section, name.to_owned())),
        None => Err(unknown_section(heading, word)),
    }
}

/// An exact host name, or `*.` and a domain.
fn server_name(name: &str) -> Result<String, String> {
    let (star, domain) = match name.strip_prefix("*.") {
        Some(domain) => ("*.", domain),
        None => ("", name),
    };
    let domain = value::domain(domain, Kind::Domain)?.unwrap_or_default();
    Ok(format!("{star}{domain}"))
}

fn unknown_section(heading: &str, word: &str) -> String {
    if Section::ALL.iter().any(|s| s.word() == word) {
        return if word == Section::User.word() {
            "the account's name is missing: `[user NAME]`".to_owned()
        } else {
            format!("[{word}] takes no name")
        };
    }
    let words = Section::ALL.iter().map(|s| s.word());
    match hint::nearest(word, words) {
        Some(near) => format!("unknown section [{heading}]: did you mean [{near}]?"),
        None => format!("unknown section [{heading}]"),
    }
}

fn unknown_key(section: Section, name: &str) -> String {
    let heading = section.word();
    let here = KEYS.iter().filter(|k| k.section == section).map(|k| k.name);
    if let Some(near) = hint::nearest(name, here) {
        return format!("unknown key `{name}` in [{heading}]: did you mean `{near}`?");
    }
    match KEYS.iter().find(|k| k.name == name) {
        Some(other) => format!(
            "`{name}` belongs into [{}], not [{heading}]",
            other.section.word()
        ),
        None => format!("unknown key `{name}` in [{heading}]"),
    }
}

#[cfg(test)]
mod tests;
