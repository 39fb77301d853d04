//! The frame of FETCH responses and the names of what is in them.
//!
//! The values (ENVELOPE, BODYSTRUCTURE, bodies) are made by those who know
//! messages, from the string writers.

use super::number::number64;
use super::string::{Dialect, astring};
use super::{crlf, number};
use crate::command::{Partial, Section, SectionPart, SectionText};
use roost_types::{ModSeq, SeqNum, Uid};

/// Appends `* n FETCH (`.
pub fn fetch_open(out: &mut Vec<u8>, seq: SeqNum) {
    out.extend_from_slice(b"* ");
    number(out, seq.get());
    out.extend_from_slice(b" FETCH (");
}

/// Appends `)` and the line end.
pub fn fetch_close(out: &mut Vec<u8>) {
    out.push(b')');
    crlf(out);
}

/// Keeps the blanks between the items of one FETCH response.
#[derive(Debug)]
pub struct FetchLine {
    any: bool,
}

impl FetchLine {
    /// Appends the start of the response.
    pub fn open(out: &mut Vec<u8>, seq: SeqNum) -> Self {
        fetch_open(out, seq);
        Self { any: false }
    }

    /// Appends the start of the response to a client that has enabled UIDONLY
    /// (RFC 9586 §3.3).
    pub fn open_uid(out: &mut Vec<u8>, uid: Uid) -> Self {
        out.extend_from_slice(b"* ");
        number(out, uid.get());
        out.extend_from_slice(b" UIDFETCH (");
        Self { any: false }
    }

    /// Appends `MODSEQ (n)` (RFC 7162 §3.1.4.2).
    pub fn modseq(&mut self, out: &mut Vec<u8>, modseq: ModSeq) {
        self.item(out, "MODSEQ");
        out.push(b'(');
        number64(out, modseq.0);
        out.push(b')');
    }

    /// Appends `NAME ` of the next item; its value must follow.
    pub fn item(&mut self, out: &mut Vec<u8>, name: &str) {
        self.next(out);
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
    }

    /// Appends what separates the next item from the one before; its name, a
    /// blank and its value must follow.
    pub fn next(&mut self, out: &mut Vec<u8>) {
        if self.any {
            out.push(b' ');
        }
        self.any = true;
    }

    /// Whether an item was written.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Appends the end of the response.
    pub fn close(self, out: &mut Vec<u8>) {
        fetch_close(out);
    }
}

/// Appends `[section]`.
pub fn section(out: &mut Vec<u8>, section: &Section) {
    out.push(b'[');
    part(out, &section.part);
    if let Some(text) = &section.text {
        if !section.part.is_empty() {
            out.push(b'.');
        }
        section_text(out, text);
    }
    out.push(b']');
}

/// Appends `BODY[section]<origin>`, the name under which a section is sent.
pub fn section_name(out: &mut Vec<u8>, spec: &Section, partial: Option<Partial>) {
    out.extend_from_slice(b"BODY");
    section(out, spec);
    origin(out, partial);
}

/// Appends `BINARY[part]<origin>`.
pub fn binary_name(out: &mut Vec<u8>, spec: &SectionPart, partial: Option<Partial>) {
    out.extend_from_slice(b"BINARY");
    bracketed(out, spec);
    origin(out, partial);
}

/// Appends `BINARY.SIZE[part]`.
pub fn binary_size_name(out: &mut Vec<u8>, spec: &SectionPart) {
    out.extend_from_slice(b"BINARY.SIZE");
    bracketed(out, spec);
}

fn bracketed(out: &mut Vec<u8>, spec: &SectionPart) {
    out.push(b'[');
    part(out, spec);
    out.push(b']');
}

fn part(out: &mut Vec<u8>, part: &SectionPart) {
    for (i, n) in part.iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        number(out, n.get());
    }
}

fn section_text(out: &mut Vec<u8>, text: &SectionText) {
    match text {
        SectionText::Header => out.extend_from_slice(b"HEADER"),
        SectionText::Text => out.extend_from_slice(b"TEXT"),
        SectionText::Mime => out.extend_from_slice(b"MIME"),
        SectionText::HeaderFields { not, names } => {
            out.extend_from_slice(b"HEADER.FIELDS");
            if *not {
                out.extend_from_slice(b".NOT");
            }
            for (i, name) in names.iter().enumerate() {
                out.extend_from_slice(if i == 0 { b" (" } else { b" " });
                astring(out, name, Dialect::Ascii);
            }
            out.push(b')');
        }
    }
}

fn origin(out: &mut Vec<u8>, partial: Option<Partial>) {
    if let Some(partial) = partial {
        out.push(b'<');
        number64(out, partial.offset);
        out.push(b'>');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn nz(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn a_whole_response() {
        let mut out = Vec::new();
        let mut line = FetchLine::open(&mut out, SeqNum::new(12).unwrap());
        assert!(!line.any());
        line.item(&mut out, "UID");
        number(&mut out, 7);
        line.next(&mut out);
        let spec = Section {
            part: vec![nz(4), nz(2)],
            text: Some(SectionText::HeaderFields {
                not: true,
                names: vec![b"Date".to_vec(), b"a b".to_vec()],
            }),
        };
        let partial = Some(Partial {
            offset: 5_000_000_000,
            length: 10,
        });
        section_name(&mut out, &spec, partial);
        out.extend_from_slice(b" {0}\r\n");
        assert!(line.any());
        line.close(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "* 12 FETCH (UID 7 BODY[4.2.HEADER.FIELDS.NOT (Date \"a b\")]<5000000000> {0}\r\n)\r\n"
        );
    }

    #[test]
    fn modseqs_and_uids() {
        let mut out = Vec::new();
        let mut line = FetchLine::open_uid(&mut out, Uid::new(25996).unwrap());
        line.modseq(&mut out, ModSeq(65402));
        line.close(&mut out);
        assert_eq!(out, b"* 25996 UIDFETCH (MODSEQ (65402))\r\n");
    }

    #[test]
    fn names_of_sections() {
        let name = |part: Vec<NonZeroU32>, text| {
            let mut out = Vec::new();
            section_name(&mut out, &Section { part, text }, None);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(name(vec![], None), "BODY[]");
        assert_eq!(name(vec![], Some(SectionText::Header)), "BODY[HEADER]");
        assert_eq!(name(vec![nz(1)], Some(SectionText::Mime)), "BODY[1.MIME]");
        assert_eq!(name(vec![nz(1)], Some(SectionText::Text)), "BODY[1.TEXT]");
        let mut out = Vec::new();
        binary_name(&mut out, &vec![nz(1), nz(3)], None);
        binary_size_name(&mut out, &vec![]);
        assert_eq!(out, b"BINARY[1.3]BINARY.SIZE[]");
    }
}
