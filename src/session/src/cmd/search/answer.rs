//! How the outcome of SEARCH and SORT is told and saved.

use super::forget_saved;
use super::result::Found;
use crate::error::Error;
use crate::job::{Reply, STEP_OCTETS};
use crate::session::Session;
use roost_imap::command::SearchReturn;
use roost_imap::write::{Esearch, EsearchData, Numbers, Runs};
use roost_imap::{ResponseCode, Tag};
use roost_types::{IdSet, ModSeq, Uid, UidSet};
use std::ops::Range;

/// Ranges of a result that are kept for `$`.
const MAX_SAVED_RANGES: usize = 100_000;

/// What a command wants to be told, and how.
pub(crate) struct Asked {
    pub tag: Tag,
    pub uid: bool,
    /// The response of IMAP4rev1 is wanted, which begins so.
    pub plain: Option<&'static [u8]>,
    /// MODSEQ is among the keys.
    pub modseq: bool,
    pub returns: SearchReturn,
}

/// Results on their way to the client.
pub(crate) enum Results {
    /// SAVE alone has no response.
    Silent,
    Plain(Numbers),
    Extended(Esearch),
}

impl Results {
    /// A response has been begun.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Silent => false,
            Self::Plain(numbers) => numbers.is_open(),
            Self::Extended(esearch) => esearch.is_open(),
        }
    }

    /// Appends the next piece; true when all is written.
    pub fn write(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Silent => true,
            Self::Plain(numbers) => numbers.write(out, STEP_OCTETS),
            Self::Extended(esearch) => esearch.write(out, STEP_OCTETS),
        }
    }
}

impl Asked {
    /// Neither ALL nor COUNT, which mean every message: it is enough to know
    /// the first and last ones.
    pub fn ends_only(&self) -> bool {
        self.ends() && !(self.returns.all || self.returns.count)
    }

    fn ends(&self) -> bool {
        self.returns.min || self.returns.max || self.returns.partial.is_some()
    }

    /// Whether it matters in which order the messages are.
    pub fn needs_order(&self) -> bool {
        self.plain.is_some() || self.returns.all || self.ends()
    }

    /// Saves what was found, if that is wanted; then how it is told, or the
    /// reply where it cannot be saved. `order` has places among what was
    /// found; without it, it is told in the order of the mailbox.
    pub fn answer(
        &self,
        session: &mut Session,
        found: &Found,
        order: Option<&[u32]>,
    ) -> Result<Result<Results, Reply>, Error> {
        let uids = InOrder::new(found.uids(), order);
        let picked = self.picked(&uids);
        if self.returns.save {
            let set = picked.as_ref().unwrap_or(found.uids());
            if set.range_count() > MAX_SAVED_RANGES {
                forget_saved(session)?;
                let text = "Result is too scattered to be saved";
                return Ok(Err(Reply::no(ResponseCode::NotSaved, text)));
            }
            session.selected_mut()?.saved = set.clone();
        }
        let modseq = match (self.modseq, &picked) {
            (false, _) => None,
            (true, None) => found.modseq(),
            (true, Some(picked)) => highest(session, picked)?,
        };
        let numbers = match self.uid {
            true => uids,
            false => InOrder::new(found.seqs(), order),
        };
        Ok(Ok(self.results(numbers, modseq)))
    }

    fn results(&self, numbers: InOrder, modseq: Option<ModSeq>) -> Results {
        if let Some(head) = self.plain {
            return Results::Plain(Numbers::new(head, numbers.runs, modseq));
        }
        let returns = self.returns;
        if !(self.ends() || returns.all || returns.count) {
            return Results::Silent;
        }
        let data = EsearchData {
            uid: self.uid,
            min: numbers.first().filter(|_| returns.min),
            max: numbers.last().filter(|_| returns.max),
            partial: returns
                .partial
                .map(|range| (range, numbers.at_places(range.window(numbers.len)))),
            count: returns.count.then_some(numbers.len),
            all: returns.all.then_some(numbers.runs),
            modseq,
        };
        Results::Extended(Esearch::new(self.tag.clone(), data))
    }

    /// The messages that MIN, MAX and PARTIAL are about, which is what `$`
    /// stands for afterwards (the tables of RFC 5182 §2.4 and RFC 9394 §3.2)
    /// and what MODSEQ tells of (RFC 4731 §3.2); `None`: all that were found.
    fn picked(&self, uids: &InOrder) -> Option<UidSet> {
        if !self.ends_only() {
            return None;
        }
        let mut set = UidSet::new();
        if let Some(range) = self.returns.partial {
            let window = uids.at_places(range.window(uids.len));
            for (first, last) in window {
                if let (Some(first), Some(last)) = (Uid::new(first), Uid::new(last)) {
                    set.insert_range(first, last);
                }
            }
        }
        let min = uids.first().filter(|_| self.returns.min);
        let max = uids.last().filter(|_| self.returns.max);
        let ends = min.into_iter().chain(max).filter_map(Uid::new);
        ends.for_each(|uid| set.insert(uid));
        Some(set)
    }
}

fn highest(session: &Session, uids: &UidSet) -> Result<Option<ModSeq>, Error> {
    let snapshot = session.selected()?.view().snapshot();
    let modseq_of = |uid| snapshot.row_of(uid).map(|(_, row)| row.modseq);
    Ok(uids.iter().filter_map(modseq_of).max())
}

/// Numbers in the order in which they are told.
struct InOrder {
    runs: Runs,
    len: u64,
}

impl InOrder {
    fn new<T>(set: &IdSet<T>, order: Option<&[u32]>) -> Self
    where
        T: Copy + TryFrom<u32>,
        u32: From<T>,
    {
        let runs = match order {
            None => {
                let raw = |(a, b)| (u32::from(a), u32::from(b));
                set.ranges().map(raw).collect()
            }
            Some(order) => {
                let numbers: Vec<u32> = set.iter().map(u32::from).collect();
                let at = |&place: &u32| numbers.get(place as usize).copied();
                runs(order.iter().filter_map(at))
            }
        };
        let len = set.len();
        Self { runs, len }
    }

    fn first(&self) -> Option<u32> {
        self.runs.first().map(|run| run.0)
    }

    fn last(&self) -> Option<u32> {
        self.runs.last().map(|run| run.1)
    }

    /// Those at `places`, counted from 0.
    fn at_places(&self, places: Range<u64>) -> Runs {
        let mut inside = Runs::new();
        let mut before = 0;
        for &(a, b) in &self.runs {
            let len = u64::from(b - a) + 1;
            let from = places.start.saturating_sub(before);
            let to = places.end.saturating_sub(before).min(len);
            if from < to {
                // Both are below `len`, which fits.
                inside.push((a + from as u32, a + (to - 1) as u32));
            }
            before += len;
        }
        inside
    }
}

fn runs(numbers: impl Iterator<Item = u32>) -> Runs {
    let mut runs = Runs::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}
