//! SORT and UID SORT (RFC 5256 §3, RFC 5267 §3, RFC 5957, RFC 9394).
//!
//! What matches is found as by SEARCH; then keys are made of what is known of
//! the messages, without opening those that were seen before. Keys never
//! change, so a result holds as long as the same messages match: the last ones
//! are remembered.

mod keys;
pub(crate) mod load;
#[cfg(test)]
mod tests;

use crate::cmd::search::answer::{Asked, Results};
use crate::cmd::search::collect::Collector;
use crate::cmd::search::forget_saved;
use crate::cmd::search::result::{Found, Order};
use crate::cmd::sync::searches_modseq;
use crate::error::Error;
use crate::job::{Job, Reply, Step};
use crate::memory::{Memory, What};
use crate::session::Session;
use keys::Keys;
use load::{Loader, Stage};
use roost_imap::Tag;
use roost_imap::command::SortArgs;
use std::sync::Arc;

/// Begins the command.
pub(crate) fn start(
    session: &mut Session,
    tag: &Tag,
    args: SortArgs,
) -> Result<Box<dyn Job>, Error> {
    let saves = args.returns.is_some_and(|r| r.save);
    let sort = Sort::new(session, tag, args);
    if saves && sort.as_ref().is_err_and(|e| !matches!(e, Error::Bad(_))) {
        forget_saved(session)?;
    }
    Ok(Box::new(sort?))
}

struct Sort {
    collector: Collector,
    what: What,
    asked: Asked,
    state: State,
}

enum State {
    Collecting,
    Loading {
        found: Found,
        loader: Loader,
        keys: Keys,
    },
    Writing(Results),
}

impl Sort {
    fn new(session: &Session, tag: &Tag, args: SortArgs) -> Result<Self, Error> {
        let selected = session.selected()?;
        let orders = vec![Order::ALL];
        let modseq = searches_modseq(&args.key);
        Ok(Self {
            collector: Collector::new(selected, args.key, Some(&args.charset), orders)?,
            what: What::Sort(args.criteria),
            asked: Asked {
                tag: tag.clone(),
                uid: args.uid,
                plain: args.returns.is_none().then_some(b"* SORT"),
                modseq,
                returns: args.returns.unwrap_or_default(),
            },
            state: State::Collecting,
        })
    }

    /// What matches is known: the order may be known too, or not matter.
    fn begin(&mut self, found: Found, session: &mut Session) -> Result<Option<Step>, Error> {
        if !self.asked.needs_order() {
            return self.answer(session, &found, None);
        }
        let mailbox = session.selected()?.mailbox();
        if let Some(order) = Memory::order(mailbox, &self.what, found.uids()) {
            return self.answer(session, &found, Some(&order));
        }
        if let What::Sort(criteria) = &self.what {
            self.state = State::Loading {
                loader: Loader::new(mailbox, found.uids(), keys::need_header(criteria)),
                keys: Keys::new(criteria),
                found,
            };
        }
        Ok(None)
    }

    /// Saves and tells what was found; the last step where it cannot be saved.
    fn answer(
        &mut self,
        session: &mut Session,
        found: &Found,
        order: Option<&[u32]>,
    ) -> Result<Option<Step>, Error> {
        Ok(match self.asked.answer(session, found, order)? {
            Ok(results) => {
                self.state = State::Writing(results);
                None
            }
            Err(refusal) => Some(Step::Done(refusal)),
        })
    }

    /// Goes on with the present state; `None` when the next one has begun.
    fn go_on(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Option<Step>, Error> {
        match &mut self.state {
            State::Collecting => {
                if !self.collector.step(session.selected()?)? {
                    return Ok(Some(Step::More));
                }
                let found = self.collector.take_found();
                self.begin(found, session)
            }
            State::Loading {
                found,
                loader,
                keys,
            } => {
                let selected = session.selected()?;
                let snapshot = selected.view().snapshot();
                if !loader.step(snapshot, |message| keys.add(&message)) {
                    return Ok(Some(Step::More));
                }
                let order = Arc::new(keys.sorted());
                Memory::keep_order(selected.mailbox(), &self.what, found.uids(), &order);
                let found = std::mem::take(found);
                self.answer(session, &found, Some(&order))
            }
            State::Writing(results) => Ok(Some(match results.write(out) {
                true => Step::Done(Reply::ok("Sort completed")),
                false => Step::More,
            })),
        }
    }
}

impl Job for Sort {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        loop {
            match self.go_on(session, out) {
                Ok(Some(step)) => return Ok(step),
                Ok(None) => {}
                Err(error) => {
                    if self.asked.returns.save {
                        forget_saved(session)?;
                    }
                    return Err(error);
                }
            }
        }
    }

    fn mid_response(&self) -> bool {
        match &self.state {
            State::Collecting | State::Loading { .. } => false,
            State::Writing(results) => results.is_open(),
        }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        let stage = match &self.state {
            State::Collecting => Stage::Finding,
            State::Loading { loader, .. } => Stage::Loading(loader),
            State::Writing(_) => Stage::Writing,
        };
        Some(stage.progress(&self.collector))
    }
}
