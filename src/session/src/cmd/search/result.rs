//! What a SEARCH found, and how it is told and saved.

use crate::job::STEP_OCTETS;
use roost_imap::Tag;
use roost_imap::command::SearchReturn;
use roost_imap::write::{self, Esearch};
use roost_store::Row;
use roost_types::{IdSet, ModSeq, SeqNum, SeqSet, UidSet};

/// Ranges of a result that are kept for `$`.
const MAX_SAVED_RANGES: usize = 100_000;

/// A way through the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    /// From the last one to the first.
    pub backward: bool,
    /// Until so many match.
    pub limit: u64,
}

impl Order {
    /// From the first to the last, all of them.
    pub const ALL: Self = Self {
        backward: false,
        limit: u64::MAX,
    };

    pub fn is_limited(self) -> bool {
        self.limit < u64::MAX
    }

    /// The ways that it takes to answer; without ALL and COUNT it is enough to
    /// go as far as MIN, MAX and PARTIAL reach.
    pub fn plan(returns: SearchReturn) -> Vec<Self> {
        let ends_only = returns.min || returns.max || returns.partial.is_some();
        if returns.all || returns.count || !ends_only {
            return vec![Self::ALL];
        }
        let window = |backward| {
            let range = returns.partial.filter(|p| p.from_end == backward);
            range.map_or(0, |p| u64::from(p.first.max(p.last).get()))
        };
        let forward = window(false).max(u64::from(returns.min));
        let backward = window(true).max(u64::from(returns.max));
        let ways = [(false, forward), (true, backward)].into_iter();
        ways.filter(|&(_, limit)| limit > 0)
            .map(|(backward, limit)| Self { backward, limit })
            .collect()
    }
}

/// Messages that match.
#[derive(Default)]
pub(crate) struct Found {
    seqs: SeqSet,
    uids: UidSet,
    highest: ModSeq,
}

impl Found {
    pub fn add(&mut self, seq: SeqNum, row: &Row) {
        self.seqs.insert(seq);
        self.uids.insert(row.uid);
        self.highest = self.highest.max(row.modseq);
    }

    /// The highest MODSEQ, if anything matches (RFC 7162 §3.1.6).
    pub fn modseq(&self) -> Option<ModSeq> {
        (!self.uids.is_empty()).then_some(self.highest)
    }

    pub fn seqs(&self) -> &SeqSet {
        &self.seqs
    }

    pub fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// What `$` stands for afterwards (the tables of RFC 5182 §2.4 and RFC 9394
    /// §3.2): everything, unless MIN, MAX or PARTIAL is all that was asked for.
    /// `None` if that is too scattered to be kept.
    pub fn to_save(&self, returns: SearchReturn) -> Option<UidSet> {
        let ends_only = returns.min || returns.max || returns.partial.is_some();
        let mut set = match returns.partial {
            _ if returns.all || returns.count || !ends_only => self.uids.clone(),
            Some(range) => self.uids.at_places(range.window(self.uids.len())),
            None => UidSet::new(),
        };
        let min = self.uids.min().filter(|_| returns.min);
        let max = self.uids.max().filter(|_| returns.max);
        min.into_iter().chain(max).for_each(|uid| set.insert(uid));
        (set.range_count() <= MAX_SAVED_RANGES).then_some(set)
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
        modseq: Option<ModSeq>,
    },
    Extended {
        tag: Tag,
        found: Found,
        returns: SearchReturn,
        uid: bool,
        modseq: Option<ModSeq>,
    },
}

/// How the answer looks.
pub(super) struct Asked {
    pub tag: Tag,
    pub uid: bool,
    /// IMAP4rev1's SEARCH response.
    pub plain: bool,
    /// MODSEQ is among the keys.
    pub modseq: bool,
}

impl Results {
    pub fn new(found: Found, returns: SearchReturn, asked: &Asked) -> Self {
        let uid = asked.uid;
        let modseq = found.modseq().filter(|_| asked.modseq);
        if asked.plain {
            let ranges = match uid {
                true => raw_ranges(&found.uids),
                false => raw_ranges(&found.seqs),
            };
            return Self::Plain {
                ranges: ranges.into_iter(),
                rest: None,
                open: false,
                modseq,
            };
        }
        let ends = returns.min || returns.max || returns.partial.is_some();
        if !(ends || returns.all || returns.count) {
            return Self::Silent;
        }
        Self::Extended {
            tag: asked.tag.clone(),
            found,
            returns,
            uid,
            modseq,
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
            Self::Plain {
                ranges,
                rest,
                open,
                modseq,
            } => {
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
                if let Some(modseq) = *modseq {
                    write::search_modseq(out, modseq);
                }
                write::crlf(out);
                *open = false;
            }
            Self::Extended {
                tag,
                found,
                returns,
                uid,
                modseq,
            } => match uid {
                true => write_extended(out, tag, &found.uids, *returns, true, *modseq),
                false => write_extended(out, tag, &found.seqs, *returns, false, *modseq),
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

fn write_extended<T>(
    out: &mut Vec<u8>,
    tag: &Tag,
    set: &IdSet<T>,
    returns: SearchReturn,
    uid: bool,
    modseq: Option<ModSeq>,
) where
    T: Copy + TryFrom<u32>,
    u32: From<T>,
{
    let count = u32::try_from(set.len()).unwrap_or(u32::MAX);
    let partial = returns
        .partial
        .map(|range| (range, set.at_places(range.window(set.len()))));
    let data = Esearch {
        uid,
        min: set.min().filter(|_| returns.min).map(u32::from),
        max: set.max().filter(|_| returns.max).map(u32::from),
        all: returns.all.then_some(set),
        partial: partial.as_ref().map(|(range, set)| (*range, set)),
        count: returns.count.then_some(count),
        modseq,
    };
    write::esearch(out, tag, &data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_store::KeywordSetId;
    use roost_types::{SystemFlags, Uid};

    fn row(uid: Uid) -> Row {
        Row {
            uid,
            modseq: ModSeq(1),
            flags: SystemFlags::NONE,
            keywords: KeywordSetId::EMPTY,
            recent: false,
        }
    }

    #[test]
    fn no_further_than_needed() {
        let plan = |text: &str| {
            let command = format!("a SEARCH RETURN ({text}) ALL");
            let request = roost_imap::parse(command.as_bytes()).unwrap();
            let roost_imap::Command::Search(args) = request.command else {
                panic!("{text}");
            };
            let ways = Order::plan(args.returns.unwrap()).into_iter();
            ways.map(|o| (o.backward, o.limit)).collect::<Vec<_>>()
        };
        let all = [(false, u64::MAX)];
        assert_eq!(plan("MIN"), [(false, 1)]);
        assert_eq!(plan("MIN MAX SAVE"), [(false, 1), (true, 1)]);
        assert_eq!(plan("PARTIAL 7:3"), [(false, 7)]);
        assert_eq!(plan("PARTIAL -1:-9 MAX"), [(true, 9)]);
        assert_eq!(plan("PARTIAL -1:-9 MIN"), [(false, 1), (true, 9)]);
        for whole in ["", "ALL MIN", "COUNT MAX", "SAVE", "PARTIAL 1:2 COUNT"] {
            assert_eq!(plan(whole), all, "{whole}");
        }
    }

    #[test]
    fn only_so_many_ranges_are_saved() {
        let mut found = Found::default();
        let mut add = |n: u32| found.add(SeqNum::new(n).unwrap(), &row(Uid::new(n * 2).unwrap()));
        (1..=MAX_SAVED_RANGES as u32).for_each(&mut add);
        let save = SearchReturn {
            save: true,
            ..SearchReturn::default()
        };
        assert_eq!(found.to_save(save).map(|s| s.len()), Some(100_000));
        found.add(SeqNum::MAX, &row(Uid::MAX));
        assert_eq!(found.to_save(save), None);
        let min = SearchReturn { min: true, ..save };
        assert_eq!(found.to_save(min).map(|s| s.len()), Some(1));
    }
}
