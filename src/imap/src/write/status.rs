//! Status responses and continuation requests (RFC 9051 §7.1 and §7.5).

use super::crlf;
use super::string::Dialect;
use crate::code::ResponseCode;
use crate::command::Tag;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The word of a status response. `Bye` and `PreAuth` are untagged only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Ok,
    No,
    Bad,
    PreAuth,
    Bye,
}

impl Status {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::PreAuth => "PREAUTH",
            Self::Bye => "BYE",
        }
    }
}

/// Appends `tag OK [CODE] text`, or an untagged one for a command whose tag
/// could not be read.
pub fn status_line(
    out: &mut Vec<u8>,
    tag: Option<&Tag>,
    status: Status,
    code: Option<&ResponseCode>,
    human: &str,
    dialect: Dialect,
) {
    out.extend_from_slice(tag.map_or("*", Tag::as_str).as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.word().as_bytes());
    out.push(b' ');
    if let Some(code) = code {
        out.push(b'[');
        code.write(out);
        out.extend_from_slice(b"] ");
    }
    // Without a code, a text in brackets would be taken for one.
    if code.is_none() && human.starts_with('[') {
        out.push(b'-');
    }
    text(out, human, dialect);
    crlf(out);
}

/// Appends a tagged status response with ASCII text.
pub fn tagged(
    out: &mut Vec<u8>,
    tag: &Tag,
    status: Status,
    code: Option<&ResponseCode>,
    human: &str,
) {
    status_line(out, Some(tag), status, code, human, Dialect::Ascii);
}

/// Appends an untagged status response with ASCII text.
pub fn untagged(out: &mut Vec<u8>, status: Status, code: Option<&ResponseCode>, human: &str) {
    status_line(out, None, status, code, human, Dialect::Ascii);
}

/// Appends text for people: never empty, no line ends or other controls, and
/// no 8-bit characters unless the dialect has them.
pub fn text(out: &mut Vec<u8>, human: &str, dialect: Dialect) {
    if human.is_empty() {
        out.extend_from_slice(b"-");
    }
    for c in human.chars() {
        match c {
            ' '..='~' => out.push(c as u8),
            _ if c.is_control() => out.push(b' '),
            _ if dialect == Dialect::Utf8 => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => out.push(b'?'),
        }
    }
}

/// Appends `+ text`.
pub fn continuation(out: &mut Vec<u8>, human: &str) {
    out.extend_from_slice(b"+ ");
    text(out, human, Dialect::Ascii);
    crlf(out);
}

/// Appends `+` and a SASL challenge in base64; an empty one is `+ `.
pub fn continuation_base64(out: &mut Vec<u8>, challenge: &[u8]) {
    out.extend_from_slice(b"+ ");
    out.extend_from_slice(STANDARD.encode(challenge).as_bytes());
    crlf(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn status_lines() {
        let mut out = Vec::new();
        let tag = Tag::new(b"A1").unwrap();
        let code = ResponseCode::ReadWrite;
        tagged(&mut out, &tag, Status::Ok, Some(&code), "SELECT completed");
        untagged(&mut out, Status::Bye, None, "");
        untagged(&mut out, Status::Ok, None, "[PARSE] x");
        status_line(
            &mut out,
            None,
            Status::Bad,
            None,
            "é\r\nA OK",
            Dialect::Ascii,
        );
        continuation(&mut out, "OK");
        continuation_base64(&mut out, b"");
        continuation_base64(&mut out, b"User Name\0");
        let expected = "A1 OK [READ-WRITE] SELECT completed\r\n* BYE -\r\n\
            * OK -[PARSE] x\r\n* BAD ?  A OK\r\n+ OK\r\n+ \r\n+ VXNlciBOYW1lAA==\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn text_never_leaves_its_line(human: String) {
            for dialect in [Dialect::Ascii, Dialect::Utf8] {
                let mut out = Vec::new();
                status_line(&mut out, None, Status::No, None, &human, dialect);
                prop_assert!(out.ends_with(b"\r\n"));
                let line = &out[..out.len() - 2];
                prop_assert!(!line.iter().any(|&b| crate::chars::is_ctl(b)));
                prop_assert!(line.is_ascii() || dialect == Dialect::Utf8);
            }
        }
    }
}
