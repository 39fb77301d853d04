//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 9394).
//!
//! Messages are judged by what the picture of the mailbox shows, then by sizes
//! and dates, then by the header fields that are kept of them, and only where a
//! key is still undecided by their files: header first, body last. Messages that are gone match nothing.

mod charset;
pub(crate) mod collect;
mod judge;
mod kept;
mod key;
pub(crate) mod result;
#[cfg(test)]
mod tests;

use crate::cmd::sync::searches_modseq;
use crate::error::Error;
use crate::job::{Job, Reply, Step};
use crate::session::Session;
use collect::Collector;
use result::{Asked, Order, Results};
use roost_imap::command::{SearchArgs, SearchReturn};
use roost_imap::{ResponseCode, Tag};
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
    returns: SearchReturn,
    output: Output,
}

/// Where the results go.
enum Output {
    Collecting(Asked),
    Writing(Results),
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
            returns,
            output: Output::Collecting(Asked {
                tag: tag.clone(),
                uid: args.uid,
                plain,
                modseq,
            }),
        })
    }
}

impl Job for Search {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        if let Output::Collecting(asked) = &self.output {
            match self.collector.step(session.selected()?) {
                Ok(true) => {}
                Ok(false) => return Ok(Step::More),
                Err(error) => {
                    if self.returns.save {
                        forget_saved(session)?;
                    }
                    return Err(error);
                }
            }
            let found = self.collector.take_found();
            if let Some(refusal) = found.save(session, self.returns)? {
                return Ok(Step::Done(refusal));
            }
            let results = Results::new(found, self.returns, asked);
            self.output = Output::Writing(results);
        }
        let Output::Writing(results) = &mut self.output else {
            return Ok(Step::More);
        };
        Ok(match results.write(out) {
            true => Step::Done(Reply::ok("Search completed")),
            false => Step::More,
        })
    }

    fn mid_response(&self) -> bool {
        match &self.output {
            Output::Collecting(_) => false,
            Output::Writing(results) => results.is_open(),
        }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        let (done, goal) = self.collector.progress();
        Some((done, Some(goal)))
    }
}

impl result::Found {
    /// Sets what `$` stands for from now on, if RETURN has SAVE; the reply
    /// where that cannot be.
    pub fn save(
        &self,
        session: &mut Session,
        returns: SearchReturn,
    ) -> Result<Option<Reply>, Error> {
        if !returns.save {
            return Ok(None);
        }
        let Some(saved) = self.to_save(returns) else {
            forget_saved(session)?;
            let text = "Result is too scattered to be saved";
            return Ok(Some(Reply::no(ResponseCode::NotSaved, text)));
        };
        session.selected_mut()?.saved = saved;
        Ok(None)
    }
}
