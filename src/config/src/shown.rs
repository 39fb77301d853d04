//! What holds, and where it is said.

use crate::keys::{KEYS, Section};
use crate::resolve;
use crate::syntax::{self, Entry};

/// A key with the value that it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// As its heading: `mail`, `user joe`.
    pub section: String,
    pub key: String,
    /// As it stands in the file, or as the default would.
    pub value: String,
    /// None: it is the default.
    pub line: Option<usize>,
}

/// All keys that there is one of, in the table's order, and behind them what a
/// file says beyond: sections with names, and those whose keys are names. The
/// file is one without errors.
pub(crate) fn settings(contents: &[u8]) -> Vec<Setting> {
    let mut entries = syntax::read(contents).entries;
    let mut all = Vec::new();
    let general = KEYS.iter().filter(|key| !key.section.is_named());
    for section in Section::ALL {
        for key in general.clone().filter(|key| key.section == section) {
            let is_it = |entry: &Entry| {
                resolve::is_section(&entry.section, section) && entry.key == key.name
            };
            let set = entries.iter().position(is_it).map(|at| entries.remove(at));
            all.push(Setting {
                section: section.word().to_owned(),
                key: key.name.to_owned(),
                line: set.as_ref().map(|set| set.line),
                value: set.map_or_else(|| key.default.to_owned(), |set| set.value),
            });
        }
    }
    all.extend(entries.into_iter().map(|entry| Setting {
        section: entry.section,
        key: entry.key,
        value: entry.value,
        line: Some(entry.line),
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_told_once_with_its_place() {
        let file = b"[mail]\nfsync = always\n[user joe]\nmaildir = ~/m\n[domains]\n192.0.2.1 = x.example\n";
        let all = settings(file);
        let general = KEYS.iter().filter(|key| !key.section.is_named()).count();
        assert_eq!(all.len(), general + 2);
        let of = |section: &str, key: &str| {
            let is_it = |s: &&Setting| s.section == section && s.key == key;
            let found: Vec<_> = all.iter().filter(is_it).collect();
            assert_eq!(found.len(), 1, "{section} {key}");
            (found[0].value.clone(), found[0].line)
        };
        assert_eq!(of("mail", "fsync"), ("always".into(), Some(2)));
        assert_eq!(of("mail", "separator"), ("/".into(), None));
        assert_eq!(of("user joe", "maildir"), ("~/m".into(), Some(4)));
        assert_eq!(of("domains", "192.0.2.1"), ("x.example".into(), Some(6)));
    }
}
