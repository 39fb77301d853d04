//! The record of a message that SEARCH looks at: the fields that have search
//! keys of their own, decoded and case folded, so that a search for a sender
//! or a subject is a look for octets.

use roost_message::header::Field;
use roost_message::search::{Needle, fold_field};

const VERSION: u8 = 1;
/// Octets in front of the texts: version, count, and the fields that are there
/// but not kept.
const FIXED: usize = 3;
/// Of each text: the field, and how long it is.
const ENTRY: usize = 3;

/// Octets of text that are kept of one message, and how many fields.
const MAX_TEXTS: usize = 8 * 1024;
const MAX_COUNT: usize = 255;

/// The fields, by the bits of what is not kept.
const FIELDS: [&[u8]; 5] = [b"Subject", b"From", b"To", b"Cc", b"Bcc"];

/// Whether a record is of this version.
pub(super) fn is_known(record: &[u8]) -> bool {
    record.first() == Some(&VERSION)
}

/// Whether fields of that name are kept here.
pub(crate) fn has(name: &[u8]) -> bool {
    field_of(name).is_some()
}

fn field_of(name: &[u8]) -> Option<u8> {
    // Nearly all fields are longer.
    if name.len() > 7 {
        return None;
    }
    let at = FIELDS.iter().position(|f| f.eq_ignore_ascii_case(name))?;
    u8::try_from(at).ok()
}

/// Appends the record; of a header that is not `whole` nothing is known.
pub(super) fn make(fields: &[Field<'_>], whole: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[VERSION, 0, 0]);
    let mut count = 0;
    let mut dropped = if whole { 0 } else { u8::MAX };
    for field in fields.iter().filter(|_| whole) {
        let Some(id) = field_of(field.name) else {
            continue;
        };
        let entry = out.len();
        out.extend_from_slice(&[id, 0, 0]);
        if field.value.len() <= MAX_TEXTS {
            fold_field(field.value, out);
        }
        let len = out.len() - entry - ENTRY;
        let fits = field.value.len() <= MAX_TEXTS && out.len() - start <= MAX_TEXTS;
        if !fits || count == MAX_COUNT {
            out.truncate(entry);
            dropped |= 1 << id;
            continue;
        }
        count += 1;
        set(out, entry + 1, &(len as u16).to_le_bytes());
    }
    set(out, start + 1, &[count as u8, dropped]);
}

fn set(out: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(room) = out.get_mut(at..at + octets.len()) {
        room.copy_from_slice(octets);
    }
}

/// Whether a field called `name` has the text; `None` if that is not known.
pub(super) fn search(record: &[u8], name: &[u8], needle: &Needle) -> Option<bool> {
    let wanted = field_of(name)?;
    let (&[version, _, dropped], mut rest) = record.split_first_chunk::<FIXED>()?;
    if version != VERSION || dropped & 1 << wanted != 0 {
        return None;
    }
    while let Some((&[id, low, high], behind)) = rest.split_first_chunk::<ENTRY>() {
        let len = usize::from(u16::from_le_bytes([low, high]));
        let (text, after) = behind.split_at_checked(len)?;
        if id == wanted && (needle.is_empty() || needle.is_in_folded(text)) {
            return Some(true);
        }
        rest = after;
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_message::{header, search as by_file};

    fn record(header: &[u8]) -> Vec<u8> {
        let fields: Vec<_> = header::fields(header).collect();
        let mut out = b"before".to_vec();
        make(&fields, true, &mut out);
        out.split_off(6)
    }

    #[test]
    fn it_says_what_the_header_says() {
        let header = "Subject: =?utf-8?q?=C3=A9t=C3=A9?= Invoice\nX-From: nobody\nTO: a\n b\n\
            From: J\u{fc}rgen <j@b>\nTo: c\nBcc:\n\nFrom: body\n"
            .as_bytes();
        let record = record(header);
        for name in ["subject", "From", "to", "Cc", "BCC"] {
            for text in ["", "inv", "\u{c9}T", "j\u{dc}R", "a b", "b c", "c", "body"] {
                let needle = Needle::new(text);
                assert_eq!(
                    search(&record, name.as_bytes(), &needle),
                    Some(by_file::in_header(header, name.as_bytes(), &needle)),
                    "{name} {text:?}"
                );
            }
        }
        assert_eq!(search(&record, b"X-From", &Needle::new("nobody")), None);
    }

    #[test]
    fn what_is_too_long_is_not_known() {
        let header = format!("To: {}\nFrom: a\nTo: b\n\n", "x".repeat(MAX_TEXTS));
        let record = record(header.as_bytes());
        assert!(record.len() < 100);
        assert_eq!(search(&record, b"To", &Needle::new("b")), None);
        assert_eq!(search(&record, b"From", &Needle::new("A")), Some(true));
        let many = record_of_many();
        assert_eq!(search(&many, b"Cc", &Needle::new("y")), None);
        let mut cut = Vec::new();
        make(&[], false, &mut cut);
        assert_eq!(search(&cut, b"From", &Needle::new("A")), None);
        for len in 0..record.len() {
            // Never a panic, whatever is left of it.
            let _ = search(record.get(..len).unwrap(), b"Bcc", &Needle::new("z"));
        }
    }

    fn record_of_many() -> Vec<u8> {
        record("Cc: x\n".repeat(300).as_bytes())
    }
}
