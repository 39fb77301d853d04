//! The few header fields that the scanner keeps of each part: all that
//! ENVELOPE and BODYSTRUCTURE are made of, raw as they stand.

use crate::header::{self, Field};

/// Fields of an envelope (RFC 9051 §7.5.2).
const ENVELOPE: [&[u8]; 10] = [
    b"Date",
    b"Subject",
    b"From",
    b"Sender",
    b"Reply-To",
    b"To",
    b"Cc",
    b"Bcc",
    b"In-Reply-To",
    b"Message-ID",
];

/// Fields of a body structure.
const STRUCTURE: [&[u8]; 8] = [
    b"Content-Type",
    b"Content-Transfer-Encoding",
    b"Content-Disposition",
    b"Content-Description",
    b"Content-ID",
    b"Content-MD5",
    b"Content-Language",
    b"Content-Location",
];

/// Copies out of `block` what is worth keeping; for a message also what its
/// envelope needs. Nothing, if that is more than `budget` octets.
pub(crate) fn keep(block: &[u8], is_message: bool, budget: usize) -> Box<[u8]> {
    let wanted = |f: &Field<'_>| {
        STRUCTURE.iter().any(|n| f.is(n)) || is_message && ENVELOPE.iter().any(|n| f.is(n))
    };
    let size: usize = header::fields(block)
        .filter(wanted)
        .map(|f| f.raw.len() + 1)
        .sum();
    if size > budget {
        return Box::default();
    }
    let mut kept = Vec::with_capacity(size);
    for field in header::fields(block).filter(wanted) {
        kept.extend_from_slice(field.raw);
        if !field.raw.ends_with(b"\n") {
            kept.push(b'\n');
        }
    }
    kept.into()
}

/// The value of the first field called `name`, folds included.
pub fn get<'a>(kept: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    header::find(kept, name).map(|f| f.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_structures_and_envelopes_need() {
        let block = b"Received: x\nTO: a\n b\nContent-Type: text/html\nX: y\nSubject: s";
        assert_eq!(
            &*keep(block, true, 1000),
            b"TO: a\n b\nContent-Type: text/html\nSubject: s\n"
        );
        assert_eq!(&*keep(block, false, 1000), b"Content-Type: text/html\n");
        assert_eq!(&*keep(block, false, 10), b"");
        assert_eq!(get(&keep(block, true, 1000), b"to"), Some(&b" a\n b"[..]));
    }
}
