//! The records of a message that hold answers ready to be copied: ENVELOPE in
//! one; BODYSTRUCTURE and the places of the parts in another; the preview.
//!
//! Text that is all ASCII is the same in both dialects; only where it is not
//! there are two forms.

use super::{envelope, structure};
use roost_imap::write::Dialect;
use roost_message::{Envelope, Places, Structure, places};

const VERSION: u8 = 3;
/// There is a form for each dialect.
const TWO_FORMS: u8 = 1;

/// Stands for a size that is not known.
const UNKNOWN: u64 = u64::MAX;

/// Octets in front of an envelope: version, flags, the length of its first
/// form, and the message's size, which is often asked for together with it.
const ENVELOPE_FIXED: usize = 14;

/// Whether a record is of this version.
pub(super) fn is_known(record: &[u8]) -> bool {
    record.first() == Some(&VERSION)
}

/// Appends the record of an envelope.
pub(super) fn make_envelope(envelope: &Envelope<'_>, size: Option<u64>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[VERSION, 0]);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&size.unwrap_or(UNKNOWN).to_le_bytes());
    let text = out.len();
    envelope::write(out, envelope, Dialect::Ascii);
    let len = (out.len() - text) as u32;
    let plain = out.get(text..).is_some_and(<[u8]>::is_ascii);
    if !plain {
        envelope::write(out, envelope, Dialect::Utf8);
    }
    fill(out, start + 1, &[if plain { 0 } else { TWO_FORMS }]);
    fill(out, start + 2, &len.to_le_bytes());
}

/// The envelope out of its record.
pub(super) fn envelope(record: &[u8], dialect: Dialect) -> Option<&[u8]> {
    let (fixed, text) = record.split_first_chunk::<ENVELOPE_FIXED>()?;
    let &[version, flags, a, b, c, d, ..] = fixed;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    if version != VERSION {
        return None;
    }
    let (ascii, utf8) = text.split_at_checked(len)?;
    Some(match dialect {
        Dialect::Utf8 if flags & TWO_FORMS != 0 => utf8,
        Dialect::Ascii | Dialect::Utf8 => ascii,
    })
}

/// RFC822.SIZE out of an envelope's record.
pub(super) fn size(record: &[u8]) -> Option<u64> {
    let size = record.get(6..ENVELOPE_FIXED)?.first_chunk()?;
    Some(u64::from_le_bytes(*size)).filter(|&size| size != UNKNOWN)
}

/// Octets in front of the texts: version, flags, and the lengths of all that
/// follows: texts and their extension data, places.
const FIXED: usize = 2 + 4 * LENGTHS;
const LENGTHS: usize = 5;

/// Appends the record of a structure.
pub(super) fn make_structure(structure: &Structure, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; FIXED]);
    let mut lengths = [0; LENGTHS];
    let mut before = out.len();
    let mut ended = |out: &Vec<u8>, which: usize| {
        if let Some(length) = lengths.get_mut(which) {
            *length = (out.len() - before) as u32;
        }
        before = out.len();
    };
    let mut flags = 0;
    for (which, dialect) in [(0, Dialect::Ascii), (2, Dialect::Utf8)] {
        let text = out.len();
        let extensions = structure::write(out, &structure.root, dialect);
        let plain = out.get(text..).is_some_and(<[u8]>::is_ascii);
        ended(out, which);
        for (start, end) in extensions {
            out.extend_from_slice(&(start as u32).to_le_bytes());
            out.extend_from_slice(&(end as u32).to_le_bytes());
        }
        ended(out, which + 1);
        if plain && dialect == Dialect::Ascii {
            break;
        }
        flags = TWO_FORMS;
    }
    places::pack(structure, out);
    ended(out, 4);
    fill(out, start, &[VERSION, flags]);
    for (i, length) in lengths.into_iter().enumerate() {
        fill(out, start + 2 + 4 * i, &length.to_le_bytes());
    }
}

/// Appends the record of a preview.
pub(super) fn make_preview(preview: &str, out: &mut Vec<u8>) {
    out.push(VERSION);
    out.extend_from_slice(preview.as_bytes());
}

/// The preview out of its record.
pub(super) fn preview(record: &[u8]) -> Option<&[u8]> {
    let (&version, preview) = record.split_first()?;
    (version == VERSION).then_some(preview)
}

fn fill(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(room) = out.get_mut(at..at + bytes.len()) {
        room.copy_from_slice(bytes);
    }
}

/// A record of a structure, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers<'a> {
    ascii: Form<'a>,
    utf8: Form<'a>,
    places: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
struct Form<'a> {
    text: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Answers<'a> {
    /// `None` if the record is of another version, or damaged.
    pub fn parse(record: &'a [u8]) -> Option<Self> {
        let (&[version, flags], rest) = record.split_first_chunk()?;
        if version != VERSION {
            return None;
        }
        let (lengths, mut rest) = rest.split_at_checked(4 * LENGTHS)?;
        let mut lengths = lengths.chunks_exact(4);
        let mut next = || {
            let length = u32::from_le_bytes(lengths.next()?.try_into().ok()?);
            let (now, later) = rest.split_at_checked(length as usize)?;
            rest = later;
            Some(now)
        };
        let ascii = Form {
            text: next()?,
            extensions: next()?,
        };
        let utf8 = Form {
            text: next()?,
            extensions: next()?,
        };
        Some(Self {
            ascii,
            utf8: if flags & TWO_FORMS != 0 { utf8 } else { ascii },
            places: next()?,
        })
    }

    fn form(&self, dialect: Dialect) -> Form<'a> {
        match dialect {
            Dialect::Ascii => self.ascii,
            Dialect::Utf8 => self.utf8,
        }
    }

    /// Appends BODYSTRUCTURE, or BODY if not `extended`.
    pub fn append_structure(&self, extended: bool, dialect: Dialect, out: &mut Vec<u8>) {
        let form = self.form(dialect);
        let mut at = 0;
        if !extended {
            for extension in form.extensions.chunks_exact(8) {
                let Some((start, end)) = range(extension) else {
                    continue;
                };
                out.extend_from_slice(form.text.get(at..start).unwrap_or_default());
                at = end;
            }
        }
        out.extend_from_slice(form.text.get(at..).unwrap_or_default());
    }

    pub fn places(&self) -> Option<Places> {
        Places::unpack(self.places)
    }
}

fn range(octets: &[u8]) -> Option<(usize, usize)> {
    let (start, end) = octets.split_first_chunk()?;
    let end = end.try_into().ok()?;
    Some((
        u32::from_le_bytes(*start) as usize,
        u32::from_le_bytes(end) as usize,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_message::{Limits, scan_bytes};

    #[test]
    fn both_dialects_and_both_structures() {
        let mail = "Subject: \u{e9}\nContent-Type: text/x; name=\u{e9}\n\nbody".as_bytes();
        let structure = scan_bytes(mail, &Limits::DEFAULT);
        let mut record = Vec::new();
        make_envelope(&structure.root.envelope(), Some(9), &mut record);
        assert_eq!(size(&record), Some(9));
        let text = |d| String::from_utf8(envelope(&record, d).unwrap().to_vec()).unwrap();
        assert!(text(Dialect::Ascii).starts_with("(NIL {2}\r\n\u{e9} NIL"));
        assert!(text(Dialect::Utf8).starts_with("(NIL \"\u{e9}\" NIL"));
        record.clear();
        make_structure(&structure, &mut record);
        let answers = Answers::parse(&record).unwrap();
        let text = |extended, dialect| {
            let mut out = Vec::new();
            answers.append_structure(extended, dialect, &mut out);
            String::from_utf8(out).unwrap()
        };
        let short = text(false, Dialect::Utf8);
        assert_eq!(
            short,
            "(\"text\" \"x\" (\"name\" \"\u{e9}\") NIL NIL \"7bit\" 4 0)"
        );
        let short = text(false, Dialect::Ascii);
        assert_eq!(
            short,
            "(\"text\" \"x\" (\"name\" {2}\r\n\u{e9}) NIL NIL \"7bit\" 4 0)"
        );
        assert!(text(true, Dialect::Ascii).ends_with(" 4 0 NIL NIL NIL NIL)"));
        assert_eq!(answers.places(), Places::unpack(answers.places));
        assert!(answers.places().is_some());
        record.clear();
        make_preview("says", &mut record);
        assert_eq!(preview(&record), Some(&b"says"[..]));
    }
}
