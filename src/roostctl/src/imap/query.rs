//! Search keys from a command line.

use crate::{Failure, exit};

/// A quoted string.
pub fn string(text: &str) -> Result<String, Failure> {
    plain(text)?;
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    Ok(out)
}

/// The words of a search, as IMAP has them. A single word is taken as it
/// stands, for it may be a whole search; of several, those that no atom could be
/// are strings, for the shell has taken their quotes away.
pub fn keys(words: &[String]) -> Result<String, Failure> {
    let text = match words {
        [whole] => {
            plain(whole)?;
            whole.clone()
        }
        words => {
            let words = words.iter().map(|word| key(word));
            words.collect::<Result<Vec<_>, _>>()?.join(" ")
        }
    };
    // The server would wait for the literal.
    if text.ends_with('}') {
        let text = format!("{text}: literals have no place in a command line");
        return Err(Failure::new(exit::USAGE, text));
    }
    Ok(text)
}

fn key(word: &str) -> Result<String, Failure> {
    let quoted = word.len() > 1 && word.starts_with('"') && word.ends_with('"');
    let atom = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '{' | '}');
    match quoted || !word.is_empty() && word.chars().all(atom) {
        true => plain(word).map(|()| word.to_owned()),
        false => string(word),
    }
}

/// Lines end commands.
fn plain(text: &str) -> Result<(), Failure> {
    match text.contains(['\r', '\n', '\0']) {
        true => Err(Failure::new(
            exit::USAGE,
            "names and keys have no line ends",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<String, u8> {
        let words: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
        keys(&words).map_err(|failure| failure.code)
    }

    #[test]
    fn words_are_what_they_were_meant_to_be() {
        let whole = "OR FROM \"a b\" (SEEN LARGER 7)";
        assert_eq!(of(&[whole]).unwrap(), whole);
        assert_eq!(of(&["BEFORE", "1-Oct-2026"]).unwrap(), "BEFORE 1-Oct-2026");
        let several = of(&["(OR", "SUBJECT", "annual \"b\"", "FROM", "bob)"]);
        assert_eq!(
            several.unwrap(),
            "(OR SUBJECT \"annual \\\"b\\\"\" FROM bob)"
        );
        assert_eq!(of(&["BODY", "käse"]).unwrap(), "BODY \"käse\"");
        assert_eq!(of(&["BODY", "\"a b\""]).unwrap(), "BODY \"a b\"");
        assert_eq!(of(&["BODY", ""]).unwrap(), "BODY \"\"");
    }

    #[test]
    fn no_word_leaves_its_command() {
        assert_eq!(of(&["ALL\r\nx DELETE Work"]), Err(exit::USAGE));
        assert_eq!(of(&["BODY", "a\nb"]), Err(exit::USAGE));
        assert_eq!(of(&["BODY {5+}"]), Err(exit::USAGE));
        assert_eq!(of(&["BODY", "{5+}"]).unwrap(), "BODY \"{5+}\"");
        assert!(string("a\rb").is_err());
    }
}
