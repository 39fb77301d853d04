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

/// The same for what changes messages: nothing in it means more than whoever
/// wrote it will have thought of. An empty text, which a variable may have left
/// behind, is in every message, and a number alone is none of those that
/// `search` prints.
pub fn careful_keys(words: &[String]) -> Result<String, Failure> {
    let text = keys(words)?;
    let mut tokens = tokens(&text).into_iter();
    let refuse = |why: String| Err(Failure::new(exit::USAGE, why));
    let mut any = false;
    // Of the key before.
    let mut arguments = 0_usize;
    while let Some(token) = tokens.next() {
        any = true;
        match token {
            Token::Text(text) if text.trim().is_empty() => {
                return refuse("an empty text is in every message: leave that key out".into());
            }
            // An entry of MODSEQ, which its type and its number follow.
            Token::Text(text) if arguments == 1 && text.starts_with("/flags/") => {
                tokens.next();
            }
            _ if arguments > 0 => arguments -= 1,
            Token::Atom(set) if is_set(set) => {
                return refuse(format!("{set}: messages are named as UID {set}"));
            }
            Token::Atom(name) => arguments = arguments_of(name),
            Token::Text(_) => {}
        }
    }
    match any {
        true => Ok(text),
        false => refuse("there is no key".into()),
    }
}

enum Token<'a> {
    Atom(&'a str),
    /// Between quotes.
    Text(&'a str),
}

/// Without blanks and parentheses.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '(', ')']);
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = end_of_text(quoted);
            tokens.push(Token::Text(quoted.get(..end).unwrap_or(quoted)));
            rest = quoted.get(end + 1..).unwrap_or_default();
            continue;
        }
        let end = rest.find([' ', '(', ')', '"']).unwrap_or(rest.len());
        let (atom, after) = rest.split_at(end);
        if atom.is_empty() {
            return tokens;
        }
        tokens.push(Token::Atom(atom));
        rest = after;
    }
}

/// Where its closing quote is.
fn end_of_text(text: &str) -> usize {
    let mut escaped = false;
    let closes = |c: char| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    };
    text.find(closes).unwrap_or(text.len())
}

fn arguments_of(name: &str) -> usize {
    const ONE: [&str; 27] = [
        "BCC",
        "BEFORE",
        "BODY",
        "CC",
        "CHARSET",
        "EMAILID",
        "FROM",
        "KEYWORD",
        "LARGER",
        "MODSEQ",
        "OLDER",
        "ON",
        "SAVEDBEFORE",
        "SAVEDON",
        "SAVEDSINCE",
        "SENTBEFORE",
        "SENTON",
        "SENTSINCE",
        "SINCE",
        "SMALLER",
        "SUBJECT",
        "TEXT",
        "THREADID",
        "TO",
        "UID",
        "UNKEYWORD",
        "YOUNGER",
    ];
    if name.eq_ignore_ascii_case("HEADER") {
        return 2;
    }
    usize::from(ONE.iter().any(|key| key.eq_ignore_ascii_case(name)))
}

/// `17`, `*` or `2:4,9`
fn is_set(atom: &str) -> bool {
    let of_set = |c: char| c.is_ascii_digit() || matches!(c, ':' | ',' | '*');
    atom.chars().all(of_set)
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
    fn nothing_is_changed_by_mistake() {
        let careful = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
            careful_keys(&words).map_err(|failure| failure.code)
        };
        for wrong in [
            &["FROM", ""][..],
            &["FROM", "  "],
            &["HEADER", "Subject", ""],
            &["FROM \"\""],
            &["OR", "SEEN", "FROM", "\"\""],
            &[""],
            &["()"],
            &["17"],
            &["*"],
            &["SEEN", "2:4,9"],
            &["NOT", "(17)"],
            &["FROM", "17", "17"],
            &["FROM \"a \\\" b\" 17"],
            &["MODSEQ \"/flags/a\" all 7 17"],
        ] {
            assert_eq!(careful(wrong), Err(exit::USAGE), "{wrong:?}");
        }
        for right in [
            &["UID", "17"][..],
            &["uid 2:4,9 LARGER 7"],
            &["(FROM", "17", "SUBJECT", "\\"],
            &["HEADER", "X-Count", "17"],
            &["MODSEQ \"/flags/a\" all 7 SEEN"],
            &["NOT", "MODSEQ", "7"],
            &["OLDER 60 YOUNGER 70"],
            &["SUBJECT \"\\\" 17\""],
            &["ALL"],
            &["$"],
        ] {
            let text = careful(right).unwrap();
            assert_eq!(text, of(right).unwrap());
        }
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
