//! What `doveconf -n` prints: settings and blocks of settings, of Dovecot 2.3
//! and 2.4.

mod imap;

use std::cell::RefCell;
use std::collections::BTreeSet;

/// Blocks in blocks; what is deeper is no configuration of Dovecot's.
const MAX_DEPTH: usize = 20;

/// A block, or the whole.
#[derive(Default, Debug)]
pub struct Block {
    /// `namespace`, `service`; empty for the whole.
    pub kind: String,
    /// What stands between that and the brace.
    pub name: String,
    settings: Vec<(String, String)>,
    blocks: Vec<Block>,
    /// Settings that are those of IMAP alone.
    own: BTreeSet<String>,
    /// Stood in a block of IMAP's own.
    pub of_imap: bool,
    /// Settings that somebody has asked for.
    asked: RefCell<BTreeSet<String>>,
}

impl Block {
    /// # Errors
    /// The number of the first line that is not of `doveconf -n`, and why.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut open = vec![Self::default()];
        for (number, line) in (1..).zip(text.lines()) {
            let line = uncommented(line.trim());
            if line.is_empty() {
                continue;
            }
            let depth = open.len();
            let wrong = |why: &str| Err((number, why.to_owned()));
            let Some(block) = open.last_mut() else {
                return wrong("a brace too many");
            };
            if line.starts_with('!') {
                return wrong("an inclusion: give the output of `doveconf -nP` instead");
            } else if let Some(heading) = line.strip_suffix('{') {
                if depth > MAX_DEPTH {
                    return wrong("too many braces");
                }
                let (kind, name) = heading
                    .trim()
                    .split_once(' ')
                    .unwrap_or((heading.trim(), ""));
                open.push(Self {
                    kind: kind.to_owned(),
                    name: unquoted(name.trim()),
                    ..Self::default()
                });
            } else if line == "}" {
                let (Some(done), Some(above)) = (open.pop(), open.last_mut()) else {
                    return wrong("a brace too many");
                };
                above.blocks.push(done);
            } else if let Some((key, value)) = line.split_once('=') {
                let entry = (key.trim().to_owned(), unquoted(value.trim()));
                block.settings.push(entry);
            } else {
                return wrong("neither a setting nor a block");
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some(whole), true) => Ok(whole),
            _ => Err((text.lines().count(), "a brace is missing".to_owned())),
        }
    }

    /// The last value of a setting, unless it is empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.asked.borrow_mut().insert(key.to_owned());
        let found = self.settings.iter().rev().find(|(k, _)| k == key)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// The first of two names, those of 2.3 and of 2.4.
    pub fn either(&self, old: &str, new: &str) -> Option<&str> {
        let new = self.get(new);
        self.get(old).or(new)
    }

    pub fn is(&self, key: &str) -> bool {
        self.get(key).is_some_and(is_yes)
    }

    pub fn blocks<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Self> {
        self.blocks.iter().filter(move |b| b.kind == kind)
    }

    pub fn all_blocks(&self) -> impl Iterator<Item = &Self> {
        self.blocks.iter()
    }

    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Settings that nobody has asked for.
    pub fn rest(&self) -> Vec<(&str, &str)> {
        let asked = self.asked.borrow();
        self.settings()
            .filter(|(key, _)| !asked.contains(*key))
            .collect()
    }
}

/// A `#` begins a comment at the beginning of a line and behind a blank, but
/// not in quotes; what stands for a value that doveconf hides stays.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            // Not within a word.
            (None, '"' | '\'') if before.is_whitespace() || before == '=' => quote = Some(letter),
            (Some(q), letter) if q == letter && before != '\\' => quote = None,
            (None, '#') if before.is_whitespace() => {
                let (kept, comment) = line.split_at(at);
                let hidden = kept.trim_end().ends_with('=') && comment.contains("hidden");
                return if hidden { line } else { kept.trim_end() };
            }
            _ => {}
        }
        before = letter;
    }
    line
}

pub fn is_yes(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "yes" | "y" | "1" | "true"
    )
}

/// 2.4 puts into quotes what has blanks or backslashes.
fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => letters.next().unwrap_or('\\'),
            letter => letter,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_names_and_settings() {
        let text = "# 2.3\na = b = c\nnamespace inbox {\n  mailbox \"Sent Messages\" {\n    \
                    special_use = \"\\\\Sent\"\n  }\n  prefix =\n}\na = d\n";
        let whole = Block::parse(text).unwrap();
        assert_eq!(whole.get("a"), Some("d"));
        let inbox = whole.blocks("namespace").next().unwrap();
        assert_eq!((inbox.name.as_str(), inbox.get("prefix")), ("inbox", None));
        let sent = inbox.blocks("mailbox").next().unwrap();
        assert_eq!(sent.name, "Sent Messages");
        assert_eq!(sent.rest(), [("special_use", "\\Sent")]);
        assert_eq!(sent.get("special_use"), Some("\\Sent"));
        assert!(sent.rest().is_empty());
    }

    #[test]
    fn comments_are_no_values() {
        let text = "deny = yes  # these\nssl = required # all\ngreeting = \"Hi # there\"\n\
                    # a = 1\nempty = # nothing\nkey = # hidden, use -P to show it\nx = a#b\n\
                    passdb { # first\n} # done\nit = don't # so\n";
        let whole = Block::parse(text).unwrap();
        for (key, value) in [
            ("deny", Some("yes")),
            ("ssl", Some("required")),
            ("greeting", Some("Hi # there")),
            ("a", None),
            ("empty", None),
            ("key", Some("# hidden, use -P to show it")),
            ("x", Some("a#b")),
            ("it", Some("don't")),
        ] {
            assert_eq!(whole.get(key), value, "{key}");
        }
        assert_eq!(whole.blocks("passdb").count(), 1);
    }

    #[test]
    fn what_is_no_output_of_doveconf_is_told() {
        for (text, line) in [
            ("a = 1\n}\n", 2),
            ("a {\n", 1),
            ("!include conf.d/*.conf\n", 1),
            ("\nnonsense\n", 2),
        ] {
            assert_eq!(Block::parse(text).unwrap_err().0, line, "{text}");
        }
        assert!(Block::parse(&"a {\n".repeat(1000)).is_err());
    }
}
