//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 9394).
//!
//! Messages are judged by what the picture of the mailbox shows, then by sizes
//! and dates, then by the header fields that are kept of them, and only where a
//! key is still undecided by their files: header first, body last. Messages that are gone match nothing.

pub(crate) mod answer;
mod charset;
pub(crate) mod collect;
mod compile;
mod judge;
mod key;
mod known;
mod program;
pub(crate) mod result;
#[cfg(test)]
mod tests;

use crate::cmd::sync::searches_modseq;
use crate::error::Error;
use crate::job::{Job, Reply, Step};
use crate::session::Session;
use answer::{Asked, Results};
use collect::Collector;
use result::Order;
use roost_imap::Tag;
use roost_imap::command::{SearchArgs, SearchReturn};
use roost_types::UidSet;

/// Begins the command.
pub(crate) fn start(
    session: &mut Session,
    tag: &Tag,
    args: SearchArgs,
) -> Result<Box<dyn Job>, Error> {
    let saves = args.returns.is_some_and(|r| r.save);
    let search = Search::new(session, tag, args);
    if saves && search.as_ref().is_err_and(|e| !matches!(e, Error::Bad(_))) {
        forget_saved(session)?;
    }
    Ok(Box::new(search?))
}

/// A SEARCH that was to save its result and fails with NO leaves none, one that
/// fails with BAD changes nothing (RFC 5182 §2.1).
pub(crate) fn forget_saved(session: &mut Session) -> Result<(), Error> {
    session.selected_mut()?.saved = UidSet::new();
    Ok(())
}

struct Search {
    collector: Collector,
    asked: Asked,
    /// Once all is found.
    results: Option<Results>,
}

impl Search {
    fn new(session: &Session, tag: &Tag, args: SearchArgs) -> Result<Self, Error> {
        let selected = session.selected()?;
        // IMAP4rev2 has no SEARCH response (RFC 9051 §6.4.4).
        let plain = args.returns.is_none() && !session.rev2();
        let returns = args.returns.unwrap_or(SearchReturn {
            all: true,
            ..SearchReturn::default()
        });
        let orders = Order::plan(returns);
        let modseq = searches_modseq(&args.key);
        Ok(Self {
            collector: Collector::new(selected, args.key, args.charset.as_deref(), orders)?,
            asked: Asked {
                tag: tag.clone(),
                uid: args.uid,
                plain: plain.then_some(b"* SEARCH"),
                modseq,
                returns,
            },
            results: None,
        })
    }
}

impl Job for Search {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        let results = match &mut self.results {
            Some(results) => results,
            None => {
                match self.collector.step(session.selected()?) {
                    Ok(true) => {}
                    Ok(false) => return Ok(Step::More),
                    Err(error) => {
                        if self.asked.returns.save {
                            forget_saved(session)?;
                        }
                        return Err(error);
                    }
                }
                let found = self.collector.take_found();
                match self.asked.answer(session, &found, None)? {
                    Ok(results) => self.results.insert(results),
                    Err(refusal) => return Ok(Step::Done(refusal)),
                }
            }
        };
        Ok(match results.write(out) {
            true => Step::Done(Reply::ok("Search completed")),
            false => Step::More,
        })
    }

    fn mid_response(&self) -> bool {
        self.results.as_ref().is_some_and(Results::is_open)
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        let (done, goal) = self.collector.progress();
        Some((done, Some(goal)))
    }
}
