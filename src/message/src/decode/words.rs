//! Header text decoded: encoded words (RFC 2047) and raw 8-bit text.
//!
//! The decoder is handed one unfolded field value at a time, never a message.

use crate::header::unfold;
use crate::lexer::encoded_word;
use encoding_rs::WINDOWS_1252;
use mail_parser::parsers::MessageStream;
use std::borrow::Cow;

/// The value of a header field as text.
pub fn decode_header(value: &[u8]) -> String {
    decode_text(&unfold(value))
}

/// Unfolded header text with its encoded words decoded, wherever they stand:
/// many mailers put them into quotes. What cannot be decoded stays.
pub fn decode_text(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        let Some(len) = encoded_word(from) else {
            let (mark, after) = from.split_at_checked(2).unwrap_or((from, &[]));
            push_plain(&mut out, plain);
            push_plain(&mut out, mark);
            rest = after;
            continue;
        };
        let (words, after) = run_of_words(from, len);
        push_plain(&mut out, plain);
        for word in words {
            push_word(&mut out, &word);
        }
        rest = after;
    }
    push_plain(&mut out, rest);
    out
}

/// The encoded words that follow one another from here on, with nothing but
/// blanks between them (which do not count, RFC 2047 §6.2). Neighbours of the
/// same charset and encoding are joined, since mailers cut characters in two.
fn run_of_words(text: &[u8], first: usize) -> (Vec<Vec<u8>>, &[u8]) {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut rest = text;
    let mut len = first;
    loop {
        let (word, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        match words.last_mut() {
            Some(last) if can_join(last, word) => {
                last.truncate(last.len() - 2);
                last.extend_from_slice(word.get(prefix_len(word)..).unwrap_or_default());
            }
            _ => words.push(word.to_vec()),
        }
        rest = after;
        let next = rest.trim_ascii_start();
        match encoded_word(next) {
            Some(n) => (rest, len) = (next, n),
            None => return (words, rest),
        }
    }
}

/// Length of `=?charset?x?`.
fn prefix_len(word: &[u8]) -> usize {
    memchr::memchr_iter(b'?', word)
        .nth(2)
        .map_or(word.len(), |at| at + 1)
}

/// Joined words stay below this, so that joining takes linear time.
const MAX_JOINED: usize = 64 * 1024;

fn can_join(last: &[u8], word: &[u8]) -> bool {
    let prefix = |w: &'_ [u8]| -> usize { prefix_len(w) };
    let (a, b) = (prefix(last), prefix(word));
    let (Some(head), Some(other)) = (last.get(..a), word.get(..b)) else {
        return false;
    };
    // Base64 can be joined only where it was not padded.
    let body = last
        .get(a..last.len().saturating_sub(2))
        .unwrap_or_default();
    let is_base64 = head.ends_with(b"?b?") || head.ends_with(b"?B?");
    let whole = !is_base64 || body.len().is_multiple_of(4) && !body.ends_with(b"=");
    head.eq_ignore_ascii_case(other) && whole && last.len() < MAX_JOINED
}

fn push_word(out: &mut String, word: &[u8]) {
    let inner = word.get(1..).unwrap_or_default();
    match MessageStream::new(inner).decode_rfc2047() {
        Some(text) => out.push_str(&text),
        None => push_plain(out, word),
    }
}

/// Raw text: UTF-8 if it is valid (RFC 6532), else the charset that was most
/// likely meant.
fn push_plain(out: &mut String, text: &[u8]) {
    match std::str::from_utf8(text) {
        Ok(text) => out.push_str(text),
        Err(_) => {
            let (text, _): (Cow<'_, str>, _) = WINDOWS_1252.decode_without_bom_handling(text);
            out.push_str(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples_of_rfc_2047() {
        let table = [
            ("=?ISO-8859-1?Q?a?=", "a"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n \
                 =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            (
                "=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@x>",
                "Keld Jørn Simonsen <keld@x>",
            ),
            ("=?utf-8?q?=C3?= =?utf-8?q?=A9t=C3=A9?=", "été"),
            ("=?utf-8?b?w6lj?= =?UTF-8?B?w6k=?=", "écé"),
            ("x \"=?utf-8?Q?=C3=A9?=\"", "x \"é\""),
        ];
        for (raw, text) in table {
            assert_eq!(decode_header(raw.as_bytes()), text, "{raw}");
        }
    }

    #[test]
    fn what_is_no_encoded_word_stays() {
        for raw in [
            "=?",
            "=?x",
            "a =?utf-8?x?y?= b",
            "=?utf-8?q?no end",
            "a =?=? b",
            "1=?2",
        ] {
            assert_eq!(decode_header(raw.as_bytes()), raw);
        }
        assert_eq!(decode_header(b"caf\xe9"), "café");
        assert_eq!(decode_header("café".as_bytes()), "café");
    }

    proptest! {
        #[test]
        fn any_bytes_survive(raw in prop::collection::vec(any::<u8>(), 0..80)) {
            decode_header(&raw);
        }

        #[test]
        fn near_words_survive(raw in "(=\\?|\\?=|utf-8|gb2312|\\?[qb]\\?|[a=_ ?\n]|=[0-9A-F]{2}){0,20}") {
            decode_header(raw.as_bytes());
        }
    }
}
