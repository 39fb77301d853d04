//! What a session that relays reads of another session's responses. That one
//! is of the same kind, so only what it writes is understood; but it is
//! another user's, so everything is bounded as for a client.

use super::cursor::{Cursor, MAX_KEYWORDS, Result, Syntax};
use super::date::date_time;
use super::flags::{Recent, flag_list};
use super::set::sequence_set;
use crate::command::Flags;
use roost_types::{SequenceSet, SetBound, Uid, UidSet, UidValidity, UnixTime};

/// Nested lists in an item that is read over.
const DEPTH: usize = 4;

/// A message that FETCH (UID FLAGS INTERNALDATE BODY.PEEK[]) tells of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    pub uid: Uid,
    pub flags: Flags,
    pub date: Option<UnixTime>,
    /// Octets of the message, which is the literal behind the line.
    pub size: u64,
}

/// Reads the line of such a response up to its literal; `None` for any other
/// line.
pub fn fetched(line: &[u8]) -> Option<Fetched> {
    let line = line.strip_suffix(b"\r\n")?;
    let (line, size) = announced(line)?;
    let mut c = Cursor::new(line.strip_suffix(b"BODY[] ")?);
    items(&mut c, size).ok()
}

fn announced(line: &[u8]) -> Option<(&[u8], u64)> {
    let start = line.iter().rposition(|&b| b == b'{')?;
    let (line, literal) = line.split_at_checked(start)?;
    let digits = literal.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let size = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((line, size))
}

fn items(c: &mut Cursor<'_>, size: u64) -> Result<Fetched> {
    const OTHER: Syntax = Syntax("Not a message");
    c.expect(b'*', OTHER.0)?;
    c.sp()?;
    c.nz_number()?;
    c.sp()?;
    let name = c.atom()?;
    if name != b"FETCH" && name != b"UIDFETCH" {
        return Err(OTHER);
    }
    c.sp()?;
    c.expect(b'(', OTHER.0)?;
    let (mut uid, mut flags, mut date) = (None, None, None);
    for _ in 0..MAX_KEYWORDS {
        if c.at_end() {
            break;
        }
        let item = c.atom()?;
        c.sp()?;
        match item {
            b"UID" => uid = Uid::new(c.nz_number()?.get()),
            b"FLAGS" => flags = Some(flag_list(c, Recent::Dropped)?),
            b"INTERNALDATE" => date = Some(date_time(c)?),
            _ => c.skip_value(DEPTH)?,
        }
        c.blanks();
    }
    match (c.at_end(), uid, flags) {
        (true, Some(uid), Some(flags)) => Ok(Fetched {
            uid,
            flags,
            date,
            size,
        }),
        _ => Err(OTHER),
    }
}

/// The UIDs that an APPENDUID code in the tagged answer tells of.
pub fn appended(line: &[u8]) -> Option<(UidValidity, UidSet)> {
    let code = b"[APPENDUID ";
    let at = line.windows(code.len()).position(|part| part == code)?;
    let mut c = Cursor::new(line.get(at + code.len()..)?);
    let validity = UidValidity::new(c.nz_number().ok()?.get())?;
    c.sp().ok()?;
    let set = sequence_set(&mut c).ok()?;
    (c.peek() == Some(b']')).then(|| (validity, set.resolve(None)))
}

/// The UIDs that the answer to a UID SEARCH RETURN (ALL) tells of; `None` where
/// they are in too many ranges.
pub fn found(line: &[u8]) -> Option<UidSet> {
    let word = b" ALL ";
    let Some(at) = line.windows(word.len()).position(|part| part == word) else {
        return Some(UidSet::new());
    };
    let mut c = Cursor::new(line.get(at + word.len()..)?.trim_ascii_end());
    let set = sequence_set(&mut c).ok()?;
    c.at_end().then(|| set.resolve(None))
}

/// A set as a client writes it.
pub fn write_set(out: &mut Vec<u8>, set: &SequenceSet) {
    let bound = |out: &mut Vec<u8>, bound: &SetBound| match bound {
        SetBound::Number(n) => out.extend_from_slice(n.to_string().as_bytes()),
        SetBound::Star => out.push(b'*'),
    };
    let SequenceSet::Ranges(ranges) = set else {
        return out.push(b'$');
    };
    for (i, (first, last)) in ranges.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        bound(out, first);
        if first != last {
            out.push(b':');
            bound(out, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_what_is_none() {
        let line = b"* 2 FETCH (UID 7 FLAGS (\\Seen \\Recent $x) \
            INTERNALDATE \" 1-Jan-2024 00:00:00 +0000\" BODY[] {10}\r\n";
        let message = fetched(line).unwrap();
        assert_eq!(message.uid.get(), 7);
        assert_eq!(message.flags.keywords.len(), 1);
        assert_eq!(message.date, Some(UnixTime(1_704_067_200)));
        assert_eq!(message.size, 10);
        let uid_only = b"* 7 UIDFETCH (UID 7 MODSEQ (12) FLAGS () BODY[] {0}\r\n";
        assert_eq!(fetched(uid_only).unwrap().size, 0);
        for other in [
            "* 2 FETCH (FLAGS (\\Seen))\r\n",
            "* 2 FETCH (UID 7 BODY[] {10}\r\n",
            "* 2 FETCH (UID 7 FLAGS () BODY[1] {10}\r\n",
            "* OK x BODY[] {10}\r\n",
            "a OK BODY[] {3}\r\n",
        ] {
            assert_eq!(fetched(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn new_uids() {
        let (validity, uids) = appended(b"a OK [APPENDUID 38505 3955:3957,4000] Done\r\n").unwrap();
        assert_eq!(validity.get(), 38505);
        assert_eq!(uids.to_string(), "3955:3957,4000");
        assert_eq!(appended(b"a OK done\r\n"), None);
        assert_eq!(appended(b"a OK [APPENDUID 0 1] x\r\n"), None);
        assert_eq!(appended(b"a OK [APPENDUID 1 1 x\r\n"), None);
    }

    #[test]
    fn sets_come_out_as_they_went_in() {
        for text in ["1", "$", "1:*,7,9:8,*"] {
            let set = sequence_set(&mut Cursor::new(text.as_bytes())).unwrap();
            let mut out = Vec::new();
            write_set(&mut out, &set);
            assert_eq!(out, text.as_bytes());
        }
    }
}
