//! What a SEARCH found, and how it is told and saved.

use crate::job::STEP_OCTETS;
use roost_imap::Tag;
use roost_imap::command::SearchReturn;
use roost_imap::write::{self, Esearch};
use roost_types::{IdSet, SeqNum, SeqSet, Uid, UidSet};

/// Ranges of a result that are kept for `$`.
const MAX_SAVED_RANGES: usize = 100_000;

/// A way through the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// From the first to the last, all of them.
    All,
    /// Until the first that matches.
    First,
    /// From the last one, until one matches.
    Last,
}

impl Order {
    /// The ways that it takes to answer; MIN and MAX alone stop early.
    pub fn plan(returns: SearchReturn) -> Vec<Self> {
        let ends_only = returns.min || returns.max;
        if returns.all || returns.count || !ends_only {
            return vec![Self::All];
        }
        let mut plan = Vec::new();
        if returns.min {
            plan.push(Self::First);
        }
        if returns.max {
            plan.push(Self::Last);
        }
        plan
    }
}

/// Messages that match.
#[derive(Default)]
pub(super) struct Found {
    seqs: SeqSet,
    uids: UidSet,
}

impl Found {
    pub fn add(&mut self, seq: SeqNum, uid: Uid) {
        self.seqs.insert(seq);
        self.uids.insert(uid);
    }

    /// What `$` stands for afterwards (the table of RFC 5182 §2.4): everything,
    /// unless MIN or MAX is all that was asked for. `None` if that is too
    /// scattered to be kept.
    pub fn to_save(&self, returns: SearchReturn) -> Option<UidSet> {
        if returns.all || returns.count || !(returns.min || returns.max) {
            let few = self.uids.range_count() <= MAX_SAVED_RANGES;
            return few.then(|| self.uids.clone());
        }
        let min = self.uids.min().filter(|_| returns.min);
        let max = self.uids.max().filter(|_| returns.max);
        Some(min.into_iter().chain(max).collect())
    }
}

/// Results on their way to the client.
pub(super) enum Results {
    /// SAVE alone has no response.
    Silent,
    /// The SEARCH response of IMAP4rev1.
    Plain {
        ranges: std::vec::IntoIter<(u32, u32)>,
        rest: Option<(u32, u32)>,
        open: bool,
    },
    Extended {
        tag: Tag,
        found: Found,
        returns: SearchReturn,
        uid: bool,
    },
}

impl Results {
    pub fn new(found: Found, returns: SearchReturn, tag: Tag, uid: bool, plain: bool) -> Self {
        if plain {
            let ranges = match uid {
                true => raw_ranges(&found.uids),
                false => raw_ranges(&found.seqs),
            };
            return Self::Plain {
                ranges: ranges.into_iter(),
                rest: None,
                open: false,
            };
        }
        if !(returns.min || returns.max || returns.all || returns.count) {
            return Self::Silent;
        }
        Self::Extended {
            tag,
            found,
            returns,
            uid,
        }
    }

    /// A response has been begun.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Plain { open: true, .. })
    }

    /// Appends the next piece; true when all is written.
    pub fn write(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Silent => {}
            Self::Plain { ranges, rest, open } => {
                let start = out.len();
                if !*open {
                    out.extend_from_slice(b"* SEARCH");
                    *open = true;
                }
                while let Some((first, last)) = rest.take().or_else(|| ranges.next()) {
                    write::space_number(out, first);
                    if first < last {
                        *rest = Some((first + 1, last));
                    }
                    if out.len() - start >= STEP_OCTETS {
                        return false;
                    }
                }
                write::crlf(out);
                *open = false;
            }
            Self::Extended {
                tag,
                found,
                returns,
                uid,
            } => match uid {
                true => write_extended(out, tag, &found.uids, *returns, true),
                false => write_extended(out, tag, &found.seqs, *returns, false),
            },
        }
        true
    }
}

fn raw_ranges<T>(set: &IdSet<T>) -> Vec<(u32, u32)>
where
    T: Copy + TryFrom<u32>,
    u32: From<T>,
{
    let raw = |(a, b)| (u32::from(a), u32::from(b));
    set.ranges().map(raw).collect()
}

fn write_extended<T>(out: &mut Vec<u8>, tag: &Tag, set: &IdSet<T>, returns: SearchReturn, uid: bool)
where
    T: Copy + TryFrom<u32>,
    u32: From<T>,
{
    let count = u32::try_from(set.len()).unwrap_or(u32::MAX);
    let data = Esearch {
        uid,
        min: set.min().filter(|_| returns.min).map(u32::from),
        max: set.max().filter(|_| returns.max).map(u32::from),
        all: returns.all.then_some(set),
        count: returns.count.then_some(count),
    };
    write::esearch(out, tag, &data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_ranges_are_saved() {
        let mut found = Found::default();
        let mut add = |n: u32| found.add(SeqNum::new(n).unwrap(), Uid::new(n * 2).unwrap());
        (1..=MAX_SAVED_RANGES as u32).for_each(&mut add);
        let save = SearchReturn {
            save: true,
            ..SearchReturn::default()
        };
        assert_eq!(found.to_save(save).map(|s| s.len()), Some(100_000));
        found.add(SeqNum::MAX, Uid::MAX);
        assert_eq!(found.to_save(save), None);
        let min = SearchReturn { min: true, ..save };
        assert_eq!(found.to_save(min).map(|s| s.len()), Some(1));
    }
}
