//! Finds the messages that match: what SEARCH, SORT and THREAD have in common.
//!
//! Messages are looked at in blocks. What the columns decide is decided at
//! once; the others wait until their files have been read, by several cores
//! together. Where only the first or the last matches are wanted, nothing
//! behind them is looked at.

use super::judge::{Judge, Pending};
use super::known::{Candidate, Kept};
use super::program::Program;
use super::result::{Found, Order};
use crate::error::Error;
use crate::facts::{Facts, FactsReader};
use crate::job::step_time;
use crate::selected::Selected;
use roost_imap::command::SearchKey;
use roost_store::{Mailbox, Row};
use roost_types::{SeqNum, SeqSet, Uid};
use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// Messages looked at together.
const BLOCK: u32 = 4096;
/// The clock is looked at after so many of them.
const CLOCK: usize = 16;
/// The first block where few matches are wanted; each is twice the one before.
const FIRST_BLOCK: u32 = 32;

pub(crate) struct Collector {
    program: Program,
    mailbox: Arc<Mailbox>,
    /// Ways through the messages, one after the other.
    orders: std::vec::IntoIter<Order>,
    walk: Option<Walk>,
    /// Where header fields decide: what is kept of the messages.
    facts: Option<FactsReader>,
    /// Messages that what is kept may decide upon, the first one last; then
    /// they are pending, if they must be.
    waiting: Vec<Pending>,
    /// Messages that match, or must be read to tell; the first one last.
    pending: Vec<Pending>,
    found: Found,
    looked_at: u64,
    goal: u64,
}

/// One way through the candidates.
struct Walk {
    order: Order,
    /// Matches still wanted.
    wanted: u64,
    ranges: Vec<(SeqNum, SeqNum)>,
    block: u32,
}

impl Walk {
    fn new(order: Order, candidates: &SeqSet) -> Self {
        let mut ranges: Vec<_> = candidates.ranges().collect();
        // They are taken from the end.
        if !order.backward {
            ranges.reverse();
        }
        Self {
            wanted: order.limit,
            block: match order.is_limited() {
                true => FIRST_BLOCK,
                false => BLOCK,
            },
            order,
            ranges,
        }
    }

    /// The next messages to look at, from one number to another.
    fn next_block(&mut self) -> Option<(SeqNum, SeqNum)> {
        if self.wanted == 0 {
            return None;
        }
        let (first, last) = self.ranges.pop()?;
        let size = self.block;
        self.block = size.saturating_mul(2).min(BLOCK);
        if last.get() - first.get() < size {
            return Some((first, last));
        }
        let (block, rest) = match self.order.backward {
            false => {
                let end = SeqNum::new(first.get() + size - 1)?;
                ((first, end), (end.next()?, last))
            }
            true => {
                let begin = SeqNum::new(last.get() - (size - 1))?;
                ((begin, last), (first, SeqNum::new(begin.get() - 1)?))
            }
        };
        self.ranges.push(rest);
        Some(block)
    }
}

impl Collector {
    /// # Errors
    /// Those of the keys' charset and texts.
    pub fn new(
        selected: &Selected,
        key: SearchKey,
        charset: Option<&str>,
        orders: Vec<Order>,
    ) -> Result<Self, Error> {
        let program = Program::new(key, charset, selected)?;
        let candidates = program.candidates().len();
        Ok(Self {
            goal: candidates * orders.len() as u64,
            facts: program
                .wants()
                .map(|wants| FactsReader::with(selected.mailbox(), wants)),
            program,
            mailbox: Arc::clone(selected.mailbox()),
            orders: orders.into_iter(),
            walk: None,
            waiting: Vec::new(),
            pending: Vec::new(),
            found: Found::default(),
            looked_at: 0,
        })
    }

    /// Looks at messages until the step is over; true when all are found.
    pub fn step(&mut self, selected: &Selected) -> Result<bool, Error> {
        let deadline = Instant::now() + step_time();
        loop {
            if !self.waiting.is_empty() {
                self.recall(selected, deadline)?;
            } else if !self.pending.is_empty() {
                self.judge(selected, deadline)?;
            } else if !self.next_block(selected) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// Messages looked at, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        let waiting = (self.waiting.len() + self.pending.len()) as u64;
        (self.looked_at.saturating_sub(waiting), self.goal)
    }

    pub fn take_found(&mut self) -> Found {
        std::mem::take(&mut self.found)
    }

    /// Looks at the columns of the next block; false when there is none.
    fn next_block(&mut self, selected: &Selected) -> bool {
        let Some(walk) = &mut self.walk else {
            let order = self.orders.next();
            self.walk = order.map(|order| Walk::new(order, self.program.candidates()));
            return self.walk.is_some();
        };
        let (wanted, order) = (walk.wanted, walk.order);
        match walk.next_block() {
            Some((first, last)) => {
                self.looked_at += u64::from(last.get() - first.get()) + 1;
                self.look(selected, (first, last), order, wanted);
            }
            None => {
                self.found.end_way();
                self.walk = None;
            }
        }
        true
    }

    fn look(
        &mut self,
        selected: &Selected,
        (first, last): (SeqNum, SeqNum),
        order: Order,
        wanted: u64,
    ) {
        let (program, view) = (&self.program, selected.view());
        let (mask, key) = (program.mask(), program.key());
        let mut sure_ones = 0;
        let _ = view.scan(first, last, |seq: SeqNum, row: &Row| {
            if !mask.fits(row) {
                return ControlFlow::Continue(());
            }
            let recent = program.needs_recent() && selected.is_recent(row);
            let snapshot = view.snapshot();
            let sure = match key {
                None => true,
                Some(key) => match key.eval(&Candidate::new(seq, row, recent, snapshot)) {
                    Ok(false) => return ControlFlow::Continue(()),
                    Ok(true) => true,
                    Err(_) => false,
                },
            };
            if sure && !order.is_limited() {
                self.found.add(seq, row);
                return ControlFlow::Continue(());
            }
            self.pending.push(Pending {
                seq,
                row: *row,
                recent,
                sure,
            });
            sure_ones += u64::from(sure);
            match !order.backward && sure_ones >= wanted {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        // They are taken from the end.
        if !order.backward {
            self.pending.reverse();
        }
        if let Some(facts) = &mut self.facts {
            std::mem::swap(&mut self.waiting, &mut self.pending);
            let uids: Vec<Uid> = self.waiting.iter().rev().map(|p| p.row.uid).collect();
            facts.prefetch(if order.backward { &[] } else { &uids });
        }
    }

    /// Lets what is kept of messages decide upon those that wait.
    fn recall(&mut self, selected: &Selected, deadline: Instant) -> Result<(), Error> {
        let (Some(walk), Some(facts), Some(key)) =
            (&self.walk, &mut self.facts, self.program.key())
        else {
            self.waiting.clear();
            return Ok(());
        };
        let snapshot = selected.view().snapshot();
        let mut looked_at = 0_usize;
        let scratch = Cell::default();
        while let Some(mut message) = self.waiting.pop() {
            let mut decided = None;
            if !message.sure
                && let Some(facts) = known(facts.get(message.row.uid))?
            {
                let scratch = &scratch;
                let candidate = Candidate {
                    kept: Some(Kept { facts, scratch }),
                    ..message.glance(snapshot)
                };
                decided = key.eval(&candidate).ok();
            }
            message.sure |= decided == Some(true);
            if message.sure && !walk.order.is_limited() {
                self.found.add(message.seq, &message.row);
            } else if decided != Some(false) {
                self.pending.push(message);
            }
            looked_at += 1;
            if looked_at.is_multiple_of(CLOCK) && Instant::now() >= deadline {
                break;
            }
        }
        if self.waiting.is_empty() {
            self.pending.reverse();
        }
        Ok(())
    }

    /// Judges messages that wait, in the order of the walk.
    fn judge(&mut self, selected: &Selected, deadline: Instant) -> Result<(), Error> {
        // What is sure needs no judge.
        while let Some(sure) = self.pending.pop_if(|p| p.sure) {
            self.take(&sure);
        }
        let Some(walk) = &self.walk else {
            self.pending.clear();
            return Ok(());
        };
        if self.pending.is_empty() {
            return Ok(());
        }
        let judge = Judge {
            program: &self.program,
            mailbox: &self.mailbox,
            snapshot: selected.view().snapshot(),
        };
        // No more than may be wanted.
        let most = usize::try_from(walk.wanted.clamp(16, u64::from(BLOCK))).unwrap_or(16);
        let take = self.pending.len().min(most);
        let batch: Vec<Pending> = self.pending.iter().rev().take(take).copied().collect();
        for verdict in judge.verdicts(&batch, deadline) {
            if let Some(judged) = self.pending.pop()
                && verdict?
            {
                self.take(&judged);
            }
        }
        Ok(())
    }

    /// Takes a match in, if it is still wanted.
    fn take(&mut self, message: &Pending) {
        let Some(walk) = self.walk.as_mut().filter(|w| w.wanted > 0) else {
            return;
        };
        walk.wanted -= 1;
        match walk.order.backward {
            true => self.found.add_backward(message.seq, &message.row),
            false => self.found.add(message.seq, &message.row),
        }
        if walk.wanted == 0 {
            self.pending.clear();
        }
    }
}

/// What cannot be read is left to those who judge by the file, and say so.
fn known(facts: Result<Facts<'_>, Error>) -> Result<Option<Facts<'_>>, Error> {
    match facts {
        Ok(facts) => Ok(Some(facts)),
        Err(Error::Store(_) | Error::Read(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
