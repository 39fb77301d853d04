//! BODY, TEXT and HEADER keys over one message.

use super::bytes::is_text;
use super::fold::{Haystack, Needle};
use crate::decode::{Decoded, Encoding, TextReader, decode_header};
use crate::header::{self, read_block};
use crate::limits::Limits;
use crate::span::Span;
use crate::structure::{Part, Structure};
use std::io::{self, Read};

/// Gives the raw bytes of a message by their place.
pub trait Source {
    /// The bytes of `span`; fewer if the file has become shorter.
    fn open(&mut self, span: Span) -> io::Result<Box<dyn Read + '_>>;
}

impl Source for &[u8] {
    fn open(&mut self, span: Span) -> io::Result<Box<dyn Read + '_>> {
        let at = |n| usize::try_from(n).unwrap_or(usize::MAX).min(self.len());
        let bytes = self.get(at(span.start)..at(span.end())).unwrap_or_default();
        Ok(Box::new(bytes))
    }
}

/// True if a field called `name` holds `needle` in its decoded text; an empty
/// needle asks for the field alone (RFC 9051 §6.4.4).
pub fn in_header(block: &[u8], name: &[u8], needle: &Needle) -> bool {
    let mut scratch = Vec::new();
    header::fields(block)
        .filter(|f| f.is(name))
        .any(|f| needle.is_empty() || needle.is_in_field(f.value, &mut scratch))
}

/// Looks for the needles of BODY keys in the decoded text of a message, and
/// for those of TEXT keys there and in its header. The body includes the
/// headers of its parts and of the messages in it.
///
/// # Errors
/// Those of `source`.
pub fn in_message(
    structure: &Structure,
    source: &mut dyn Source,
    body: &[Needle],
    text: &[Needle],
) -> io::Result<(Vec<bool>, Vec<bool>)> {
    let mut body = Haystack::new(body);
    let mut text = Haystack::new(text);
    if !text.is_done() {
        search_header(&structure.root, source, &mut [&mut text])?;
    }
    for part in structure.root.walk() {
        if body.is_done() && text.is_done() {
            break;
        }
        let both = &mut [&mut body, &mut text];
        if !std::ptr::eq(part, &structure.root) {
            search_header(part, source, both)?;
        }
        search_body(part, source, both)?;
    }
    Ok((body.found(), text.found()))
}

fn search_header(
    part: &Part,
    source: &mut dyn Source,
    haystacks: &mut [&mut Haystack<'_>],
) -> io::Result<()> {
    let block = read_block(&mut source.open(part.header)?, Limits::DEFAULT.header)?;
    for field in header::fields(&block) {
        let mut line = String::from_utf8_lossy(field.name).into_owned();
        line.push_str(": ");
        line.push_str(&decode_header(field.value));
        for hay in haystacks.iter_mut() {
            hay.interrupt();
            hay.push(&line);
        }
    }
    haystacks.iter_mut().for_each(|hay| hay.interrupt());
    Ok(())
}

fn search_body(
    part: &Part,
    source: &mut dyn Source,
    haystacks: &mut [&mut Haystack<'_>],
) -> io::Result<()> {
    let media = part.media_type();
    if !is_text(part) {
        return Ok(());
    }
    let encoding = match part.encoding() {
        // What cannot be decoded may still be text as it stands.
        Encoding::Unknown => Encoding::Identity,
        known => known,
    };
    let Ok(decoded) = Decoded::new(source.open(part.body)?, encoding) else {
        return Ok(());
    };
    let mut reader = TextReader::new(decoded, media.parameter(b"charset"));
    while let Some(piece) = reader.next_piece()? {
        let mut done = true;
        for hay in haystacks.iter_mut() {
            done &= hay.push(piece);
        }
        if done {
            break;
        }
    }
    haystacks.iter_mut().for_each(|hay| hay.interrupt());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan;

    const MAIL: &str = "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\n\
        Content-Type: multipart/mixed; boundary=x\n\n\
        preamble\n\
        --x\nContent-Type: text/plain; charset=iso-8859-1\n\
        Content-Transfer-Encoding: quoted-printable\n\nCaf=E9 soft=\nbreak\n\
        --x\nContent-Transfer-Encoding: base64\n\naGVsbG8g\nd29ybGQ=\n\
        --x\nContent-Type: application/octet-stream; name=blob.bin\n\nhidden\n\
        --x\nContent-Type: message/rfc822\n\nSubject: inner subject\n\ninner body\n--x--\n";

    fn search(needle: &str) -> (bool, bool) {
        let structure = scan(&mut MAIL.as_bytes(), &Limits::DEFAULT).unwrap();
        let needles = [Needle::new(needle)];
        let (body, text) =
            in_message(&structure, &mut MAIL.as_bytes(), &needles, &needles).unwrap();
        (body[0], text[0])
    }

    #[test]
    fn body_and_text() {
        for inside in [
            "CAFÉ",
            "softbreak",
            "o wor",
            "inner body",
            "INNER SUB",
            "blob.bin",
            "",
        ] {
            assert_eq!(search(inside), (true, true), "{inside}");
        }
        for header in ["GRÜßE", "subject: gr"] {
            assert_eq!(search(header), (false, true), "{header}");
        }
        for absent in ["hidden", "preamble", "aGVs", "breakhello", "xyz"] {
            assert_eq!(search(absent), (false, false), "{absent}");
        }
    }

    #[test]
    fn header_fields() {
        let block = MAIL.split("\n\n").next().unwrap().as_bytes();
        assert!(in_header(block, b"SUBJECT", &Needle::new("Ü")));
        assert!(in_header(block, b"subject", &Needle::new("")));
        assert!(!in_header(block, b"subject", &Needle::new("utf-8")));
        assert!(!in_header(block, b"X-None", &Needle::new("")));
    }
}
