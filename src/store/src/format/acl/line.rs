//! One line of the file.

use super::{Granted, Identifier};
use roost_types::Rights;

/// Dovecot's names of the letters, in the order in which it writes them.
const NAMES: [(&str, char); 11] = [
    ("admin", 'a'),
    ("create", 'k'),
    ("delete", 'x'),
    ("expunge", 'e'),
    ("insert", 'i'),
    ("lookup", 'l'),
    ("post", 'p'),
    ("read", 'r'),
    ("write", 'w'),
    ("write-deleted", 't'),
    ("write-seen", 's'),
];

/// What a line says.
pub(super) enum Line {
    Entry {
        negative: bool,
        identifier: Identifier,
        granted: Granted,
    },
    Comment,
    Strange {
        /// It may have taken rights from somebody.
        withholds: bool,
    },
}

/// `[-]identifier [letters] [":" names]`
pub(super) fn parse(line: &[u8]) -> Line {
    if line.starts_with(b"#") {
        return Line::Comment;
    }
    let strange = Line::Strange {
        withholds: line.starts_with(b"-") || line.starts_with(b"\"-"),
    };
    let Ok(text) = std::str::from_utf8(line) else {
        return strange;
    };
    let Some((name, rest)) = split(text) else {
        return strange;
    };
    let (negative, name) = match name.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, name.as_str()),
    };
    match (Identifier::of_file(name), granted(rest, negative)) {
        (Some(identifier), Some(granted)) => Line::Entry {
            negative,
            identifier,
            granted,
        },
        _ => strange,
    }
}

/// The identifier without quotes, and what stands behind it.
fn split(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        return Some((name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                let rest = quoted.get(at + 1..)?;
                let rest = match rest.is_empty() {
                    true => rest,
                    false => rest.strip_prefix(' ')?,
                };
                return Some((name, rest));
            }
            '\\' => name.push(letters.next()?.1),
            letter => name.push(letter),
        }
    }
    None
}

/// `None` where a letter is not known; a negative entry takes what is.
fn granted(text: &str, negative: bool) -> Option<Granted> {
    let text = text.trim_matches([' ', '\t']);
    let end = text.find([' ', '\t', ':']).unwrap_or(text.len());
    let (letters, names) = text.split_at(end);
    let mut granted = Granted::default();
    for letter in letters.chars() {
        match Rights::by_letter(letter) {
            Some(right) => granted.rights = granted.rights | right,
            None if negative => {}
            None => return None,
        }
    }
    let names = names.trim_start_matches([' ', '\t']);
    if names.is_empty() {
        return Some(granted);
    }
    let names = names.strip_prefix(':')?.split([' ', ',', '\t']);
    for name in names.filter(|name| !name.is_empty()) {
        match NAMES.iter().find(|(known, _)| *known == name) {
            Some(&(_, letter)) => {
                granted.rights = granted.rights | Rights::by_letter(letter)?;
            }
            None => granted.others.push(name.to_owned()),
        }
    }
    Some(granted)
}

/// A line with its line feed.
pub(super) fn text(negative: bool, identifier: &Identifier, granted: &Granted) -> String {
    let mut text = String::new();
    if negative {
        text.push('-');
    }
    text.push_str(&identifier.file_text());
    if text.contains(' ') {
        text = quoted(&text);
    }
    text.push(' ');
    let has = |letter| Rights::by_letter(letter).is_some_and(|r| granted.rights.contains(r));
    let letters = NAMES.iter().map(|&(_, letter)| letter);
    text.extend(letters.filter(|&letter| has(letter)));
    if !granted.others.is_empty() {
        text.push_str(" :");
        text.push_str(&granted.others.join(" "));
    }
    text.push('\n');
    text
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        if matches!(letter, '"' | '\\' | '\'') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}
