//! The lines of `dovecot-uidlist` (MAILDIR-FORMATS §3.1): version 3, and
//! version 1, which is Courier's too.

use super::Guid;
use super::table::Record;
use crate::format::lines::{number32, split_once};
use crate::format::name::FileName;
use roost_types::{Uid, UidValidity};

/// The largest UID a record can have.
pub const MAX_UID: u32 = u32::MAX - 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    One,
    Three,
}

/// What could be read of a header line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// `None` for a version that is not ours to read; records are then told
    /// apart by their form.
    pub version: Option<Version>,
    pub uid_validity: Option<UidValidity>,
    pub next_uid: Option<Uid>,
    pub guid: Option<Guid>,
    /// Other fields of version 3 as they stand, each with a space before it.
    pub other: Vec<u8>,
}

impl Header {
    pub fn parse(line: &[u8]) -> Self {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut header = Self {
            version: None,
            uid_validity: None,
            next_uid: None,
            guid: None,
            other: Vec::new(),
        };
        let (version, fields) = split_once(line, b' ').unwrap_or((line, &[]));
        if version == b"1" {
            header.version = Some(Version::One);
            let (validity, next) = split_once(fields, b' ').unwrap_or((fields, &[]));
            header.uid_validity = number32(validity).and_then(UidValidity::new);
            header.next_uid = number32(next).and_then(Uid::new);
            return header;
        }
        header.version = (version == b"3").then_some(Version::Three);
        for field in fields.split(|&b| b == b' ') {
            header.take_field(field);
        }
        header
    }

    fn take_field(&mut self, field: &[u8]) {
        let Some((key, value)) = field.split_first() else {
            return;
        };
        match key {
            b'V' => self.uid_validity = number32(value).and_then(UidValidity::new),
            b'N' => self.next_uid = number32(value).and_then(Uid::new),
            b'G' => self.guid = Guid::parse(value),
            _ => {
                self.other.push(b' ');
                self.other.extend_from_slice(field);
            }
        }
    }
}

/// A record line, and whether all of it can be written back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parsed<'a> {
    pub record: Record<'a>,
    /// It has a field that no version knows, a full name with flags, or a
    /// carriage return: the file is to be rewritten without.
    pub outdated: bool,
}

/// `None` for a line that is no record.
pub(super) fn record(line: &[u8], version: Option<Version>) -> Option<Parsed<'_>> {
    let (uid, rest) = split_once(line, b' ')?;
    let uid = number32(uid).filter(|uid| (1..=MAX_UID).contains(uid))?;
    let (fields, name) = match version {
        Some(Version::One) => (&[][..], rest),
        _ => split_fields(rest)?,
    };
    let bare = name.strip_suffix(b"\r").unwrap_or(name);
    let base = FileName::parse(bare).base();
    let good = !base.is_empty() && memchr::memchr3(b'/', 0, b'\r', base).is_none();
    let known = fields.is_empty() || known_fields(fields).count() == fields_of(fields).count();
    good.then_some(Parsed {
        record: Record { uid, fields, base },
        outdated: !known || base.len() != name.len(),
    })
}

fn fields_of(fields: &[u8]) -> impl Iterator<Item = &[u8]> {
    fields.split(|&b| b == b' ').filter(|f| !f.is_empty())
}

/// The fields of a record that may be written: `[A-Z]` and a value
/// (MAILDIR-FORMATS §3.1).
pub(super) fn known_fields(fields: &[u8]) -> impl Iterator<Item = &[u8]> {
    fields_of(fields).filter(|f| f.first().is_some_and(u8::is_ascii_uppercase))
}

/// Fields up to the ` :` (or `:` at once) before the name.
fn split_fields(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(name) = rest.strip_prefix(b":") {
        return Some((&[], name));
    }
    let at = memchr::memmem::find(rest, b" :")?;
    Some((rest.get(..at)?, rest.get(at + 2..)?))
}

/// The UID at the start of a line that is no whole record, if there is one
/// with its space behind it.
pub(super) fn leading_uid(line: &[u8]) -> Option<u32> {
    let (uid, _) = split_once(line, b' ')?;
    number32(uid).filter(|uid| (1..=MAX_UID).contains(uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_real_file() {
        let header = Header::parse(b"3 V1795324062 N5 G29e1501e9c78026bb57b000083ecc375");
        assert_eq!(header.version, Some(Version::Three));
        assert_eq!(header.uid_validity, UidValidity::new(1_795_324_062));
        assert_eq!(header.next_uid, Uid::new(5));
        let guid = header.guid.unwrap();
        assert_eq!(guid.to_string(), "29e1501e9c78026bb57b000083ecc375");
        let line = b"1 :1795324060.M518386P31669.vm,S=28,W=32";
        let parsed = record(line, Some(Version::Three)).unwrap();
        assert_eq!(parsed.record.base, &line[3..]);
        assert!(!parsed.outdated);
    }

    #[test]
    fn header_fields_in_any_order_and_unknown_ones_kept() {
        let header = Header::parse(b"3 N7  Xyz P%u V9");
        assert_eq!(header.uid_validity, UidValidity::new(9));
        assert_eq!(header.next_uid, Uid::new(7));
        assert_eq!(header.other, b" Xyz P%u");
        assert_eq!(Header::parse(b"3 V0 N0").uid_validity, None);
    }

    #[test]
    fn version_one() {
        let header = Header::parse(b"1 795324101 4");
        assert_eq!(header.uid_validity, UidValidity::new(795_324_101));
        assert_eq!(header.next_uid, Uid::new(4));
        let parsed = record(b"3 1.M2P3.vm,S=28:2,S", Some(Version::One)).unwrap();
        assert_eq!(parsed.record.base, b"1.M2P3.vm,S=28");
    }

    #[test]
    fn record_fields() {
        let three = Some(Version::Three);
        let parsed = record(b"2 S28 P G1.x :1.y :z", three).unwrap();
        assert_eq!(parsed.record.fields, b"S28 P G1.x");
        assert_eq!(parsed.record.base, b"1.y ");
        assert!(parsed.outdated, "what follows the second colon is info");
        let parsed = record(b"2 S28 x1 :1.y\r", three).unwrap();
        assert_eq!(parsed.record.base, b"1.y");
        assert!(parsed.outdated);
        assert!(known_fields(parsed.record.fields).eq([b"S28"]));
    }

    #[test]
    fn what_is_no_record() {
        for bad in [
            "",
            "1",
            "1 ",
            "1 :",
            "x :a",
            "0 :a",
            "4294967295 :a",
            "1 a",
            "1 :a/b",
            "1 :a\0b",
            "-1 :a",
            "1 S3 a",
            "1 ::2,S",
        ] {
            assert_eq!(
                record(bad.as_bytes(), Some(Version::Three)),
                None,
                "{bad:?}"
            );
        }
        assert!(record(b"4294967294 :a", Some(Version::Three)).is_some());
    }

    proptest! {
        #[test]
        fn nothing_panics(line in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Header::parse(&line);
            for version in [None, Some(Version::One), Some(Version::Three)] {
                if let Some(p) = record(&line, version) {
                    prop_assert!(!p.record.base.is_empty());
                }
            }
        }
    }
}
