//! SORT and UID SORT (RFC 5256 §3, RFC 5267 §3, RFC 5957, RFC 9394).
//!
//! What matches is found as by SEARCH; then keys are made of what is known of
//! the messages, without opening those that were seen before. Keys never
//! change, so a result holds as long as the same messages match: the last ones
//! are remembered.

mod keys;
pub(crate) mod load;
mod result;
#[cfg(test)]
mod tests;

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
use result::Results;
use roost_imap::Tag;
use roost_imap::command::{SearchReturn, SortArgs};
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
    wants: Wants,
    state: State,
}

/// How the results are told.
struct Wants {
    tag: Tag,
    uid: bool,
    /// `None`: by the SORT response.
    returns: Option<SearchReturn>,
    /// MODSEQ is among the keys (RFC 7162 §3.1.9).
    modseq: bool,
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
            wants: Wants {
                tag: tag.clone(),
                uid: args.uid,
                returns: args.returns,
                modseq,
            },
            state: State::Collecting,
        })
    }

    /// What matches is known: the order may be known too.
    fn begin(&self, found: Found, session: &Session) -> Result<State, Error> {
        let mailbox = session.selected()?.mailbox();
        let What::Sort(criteria) = &self.what else {
            return Ok(State::Collecting);
        };
        let returns = self.wants.returns.unwrap_or_default();
        let counts_only = returns.count && !(returns.all || returns.min || returns.max);
        if counts_only && returns.partial.is_none() {
            return Ok(self.answer(&found, &[]));
        }
        if let Some(order) = Memory::order(mailbox, &self.what, found.uids()) {
            return Ok(self.answer(&found, &order));
        }
        Ok(State::Loading {
            loader: Loader::new(mailbox, found.uids(), keys::need_header(criteria)),
            keys: Keys::new(criteria),
            found,
        })
    }

    fn answer(&self, found: &Found, order: &[u32]) -> State {
        State::Writing(Results::new(&self.wants, found, order))
    }
}

impl Sort {
    /// Goes on with the present state; `None` when the next one has begun.
    fn go_on(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Option<Step>, Error> {
        match &mut self.state {
            State::Collecting => {
                if !self.collector.step(session.selected()?)? {
                    return Ok(Some(Step::More));
                }
                let found = self.collector.take_found();
                let returns = self.wants.returns.unwrap_or_default();
                if let Some(refusal) = found.save(session, returns)? {
                    return Ok(Some(Step::Done(refusal)));
                }
                self.state = self.begin(found, session)?;
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
                self.state = self.answer(&found, &order);
            }
            State::Writing(results) => {
                return Ok(Some(match results.write(out) {
                    true => Step::Done(Reply::ok("Sort completed")),
                    false => Step::More,
                }));
            }
        }
        Ok(None)
    }
}

impl Job for Sort {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        loop {
            match self.go_on(session, out) {
                Ok(Some(step)) => return Ok(step),
                Ok(None) => {}
                Err(error) => {
                    if self.wants.returns.is_some_and(|r| r.save) {
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
