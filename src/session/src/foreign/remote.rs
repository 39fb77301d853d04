//! A mailbox of another account that the client has selected, as far as it is
//! known here: the messages are known there.

use crate::link::{Ask, LinkId};

pub(crate) struct Remote {
    /// `None` since the link was lost.
    pub link: Option<LinkId>,
    /// Its account, as the client wrote it, or the alias.
    pub shown: String,
    /// What that stood for when the mailbox was selected.
    pub ask: Ask,
    /// Its whole name on the wire, as text.
    pub name: String,
    pub examined: bool,
    pub read_only: bool,
    /// What the client has been told.
    pub told: Told,
    /// The result of a search is kept there (RFC 5182).
    pub saved: bool,
}

/// What the client has been told of the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Told {
    pub uid_validity: u32,
    pub uid_next: u32,
    pub exists: u32,
    /// So many of them have UIDs below `uid_next`, and are the first ones.
    pub sure: u32,
    pub highest_modseq: u64,
}

impl Remote {
    pub fn new(shown: String, ask: Ask, name: String, examined: bool) -> Self {
        Self {
            link: None,
            shown,
            ask,
            name,
            examined,
            read_only: examined,
            told: Told::default(),
            saved: false,
        }
    }

    /// Takes note of an untagged response while the mailbox is being selected.
    pub fn describes(&mut self, line: &[u8]) {
        if let Some((number, b"EXISTS")) = numbered(line) {
            self.told.exists = number;
            self.told.sure = number;
        }
        let Some(code) = line.strip_prefix(b"* OK [") else {
            return;
        };
        if let Some(validity) = value(code, b"UIDVALIDITY ") {
            self.told.uid_validity = u32::try_from(validity).unwrap_or(0);
        } else if let Some(next) = value(code, b"UIDNEXT ") {
            self.told.uid_next = u32::try_from(next).unwrap_or(0);
        } else if let Some(highest) = value(code, b"HIGHESTMODSEQ ") {
            self.told.highest_modseq = highest;
        }
    }

    /// Takes note of an untagged response that the client gets.
    pub fn hears(&mut self, line: &[u8]) {
        match numbered(line) {
            Some((number, b"EXISTS")) => self.told.exists = number,
            Some((number, b"EXPUNGE")) => self.told.expunged(number),
            _ => {
                if let Some(set) = line.strip_prefix(b"* VANISHED ")
                    && !set.starts_with(b"(")
                {
                    self.told.vanished(set);
                }
            }
        }
    }
}

impl Told {
    /// The session there says where its client is (`write::mark`).
    pub fn marked(&mut self, mark: &[u8]) {
        let mut numbers = mark.trim_ascii().split(|&b| b == b' ');
        let next = numbers.next().and_then(number);
        let complete = numbers
            .next()
            .and_then(|n| str::from_utf8(n).ok()?.parse().ok());
        if let (Some(next), Some(complete)) = (next, complete) {
            self.uid_next = next;
            self.sure = self.exists;
            self.highest_modseq = complete;
        }
    }

    fn expunged(&mut self, number: u32) {
        self.exists = self.exists.saturating_sub(1);
        if number <= self.sure {
            self.sure = self.sure.saturating_sub(1);
        }
    }

    fn vanished(&mut self, set: &[u8]) {
        let (mut all, mut below) = (0u32, 0u32);
        let known = self.uid_next;
        for range in set.trim_ascii_end().split(|&b| b == b',') {
            let mut ends = range.split(|&b| b == b':').filter_map(number);
            let Some(first) = ends.next() else {
                continue;
            };
            let last = ends.next().unwrap_or(first).max(first);
            all = all.saturating_add((last - first).saturating_add(1));
            if first < known {
                below = below.saturating_add(last.min(known - 1) - first + 1);
            }
        }
        self.exists = self.exists.saturating_sub(all);
        self.sure = self.sure.saturating_sub(below);
    }

    /// Every message that the client knows of is below `uid_next`.
    pub fn is_sure(&self) -> bool {
        self.sure == self.exists
    }
}

/// `* n WORD`
fn numbered(line: &[u8]) -> Option<(u32, &[u8])> {
    let rest = line.strip_prefix(b"* ")?;
    let blank = rest.iter().position(|b| !b.is_ascii_digit())?;
    let (digits, word) = rest.split_at_checked(blank)?;
    match word {
        // No look at FETCH responses, of which there are many.
        [b' ', b'E', ..] => Some((number(digits)?, word.trim_ascii())),
        _ => None,
    }
}

pub(super) fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The number behind a code's name.
pub(super) fn value(code: &[u8], name: &[u8]) -> Option<u64> {
    let rest = code.strip_prefix(name)?;
    let end = rest.iter().position(|b| !b.is_ascii_digit())?;
    std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_knows() {
        let mut remote = Remote::new("~bob".into(), Ask::Shares, "~bob/Team".into(), false);
        for line in [
            "* 5 EXISTS\r\n",
            "* OK [UIDVALIDITY 77] UIDs valid\r\n",
            "* OK [UIDNEXT 9] Predicted\r\n",
            "* OK [HIGHESTMODSEQ 1234567890123] Highest\r\n",
        ] {
            remote.describes(line.as_bytes());
        }
        let told = Told {
            uid_validity: 77,
            uid_next: 9,
            exists: 5,
            sure: 5,
            highest_modseq: 1_234_567_890_123,
        };
        assert_eq!(remote.told, told);
        remote.hears(b"* 7 EXISTS\r\n");
        assert!(!remote.told.is_sure());
        remote.hears(b"* 6 EXPUNGE\r\n");
        remote.hears(b"* 2 EXPUNGE\r\n");
        remote.hears(b"* 2 FETCH (FLAGS ())\r\n");
        assert_eq!((remote.told.exists, remote.told.sure), (5, 4));
        remote.hears(b"* VANISHED (EARLIER) 1:3\r\n");
        remote.hears(b"* VANISHED 8:10,1\r\n");
        assert_eq!((remote.told.exists, remote.told.sure), (1, 2));
    }
}
