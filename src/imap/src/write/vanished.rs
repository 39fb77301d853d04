//! VANISHED responses (RFC 7162 §3.2.10).

use super::crlf;
use super::number::range;
use roost_types::{Uid, UidSet};

/// A response is ended behind so many octets, and another one begun: clients
/// read lines.
const LINE: usize = 8000;

/// UIDs that are gone, on their way to the client. Nothing at all is written
/// for none.
#[derive(Clone, Debug, Default)]
pub struct Vanished {
    /// `(EARLIER)`: before the mailbox was selected, or before the client's
    /// question; no message numbers change.
    earlier: bool,
    ranges: std::vec::IntoIter<(Uid, Uid)>,
}

impl Vanished {
    pub fn new(uids: &UidSet, earlier: bool) -> Self {
        Self {
            earlier,
            ranges: uids.ranges().collect::<Vec<_>>().into_iter(),
        }
    }

    /// Nothing is left to be written.
    pub fn is_empty(&self) -> bool {
        self.ranges.len() == 0
    }

    /// Appends one response; true when there is no more.
    pub fn write_line(&mut self, out: &mut Vec<u8>) -> bool {
        let Some((first, last)) = self.ranges.next() else {
            return true;
        };
        let start = out.len();
        out.extend_from_slice(match self.earlier {
            true => b"* VANISHED (EARLIER) ",
            false => b"* VANISHED ",
        });
        range(out, first.get(), last.get());
        while out.len() - start < LINE
            && let Some((first, last)) = self.ranges.next()
        {
            out.push(b',');
            range(out, first.get(), last.get());
        }
        crlf(out);
        self.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(uids: impl IntoIterator<Item = u32>, earlier: bool) -> String {
        let uids = uids.into_iter().filter_map(Uid::new).collect();
        let mut out = Vec::new();
        let mut vanished = Vanished::new(&uids, earlier);
        while !vanished.write_line(&mut out) {}
        assert!(vanished.is_empty());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn responses_of_the_rfc() {
        assert_eq!(
            lines([505, 507, 508, 510], false),
            "* VANISHED 505,507:508,510\r\n"
        );
        assert_eq!(lines(300..=310, true), "* VANISHED (EARLIER) 300:310\r\n");
        assert_eq!(lines([], true), "");
    }

    #[test]
    fn long_lists_are_several_responses() {
        let text = lines((1..5000).map(|n| n * 2), true);
        let mut uids = Vec::new();
        for line in text.lines() {
            assert!(line.len() < LINE + 30);
            let list = line.strip_prefix("* VANISHED (EARLIER) ").unwrap();
            uids.extend(list.split(',').map(|n| n.parse::<u32>().unwrap()));
        }
        assert!(text.lines().count() > 1);
        assert_eq!(uids, (1..5000).map(|n| n * 2).collect::<Vec<_>>());
    }
}
