//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182).
//!
//! Messages are judged one by one, by what the picture of the mailbox shows,
//! then by sizes and dates, and only where a key is still undecided by their
//! files: header first, body last. Messages that are gone match nothing.

mod charset;
mod key;
mod result;
#[cfg(test)]
mod tests;

use crate::cmd::fetch::plan::Need;
use crate::cmd::fetch::source::Source;
use crate::error::Error;
use crate::job::{Job, Reply, STEP_MESSAGES, Step};
use crate::session::Session;
use crate::view::ViewRow;
use key::{Facts, Missing, Program};
use result::{Found, Order, Results};
use roost_imap::command::{SearchArgs, SearchReturn};
use roost_imap::{ResponseCode, Tag};
use roost_message::search::in_message;
use roost_message::{date, fields};
use roost_store::Mailbox;
use roost_types::{SeqNum, SeqSet, UidSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A step judges no further message after so long.
const STEP_TIME: Duration = Duration::from_millis(20);

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
fn forget_saved(session: &mut Session) -> Result<(), Error> {
    session.selected_mut()?.saved = UidSet::new();
    Ok(())
}

struct Search {
    program: Program,
    mailbox: Arc<Mailbox>,
    returns: SearchReturn,
    /// How messages are gone through, one way after the other.
    orders: std::vec::IntoIter<Order>,
    walk: Option<Walk>,
    candidates: SeqSet,
    found: Found,
    output: Output,
}

/// Where the results go.
enum Output {
    Collecting { tag: Tag, uid: bool, plain: bool },
    Writing(Results),
}

/// One way through the candidates.
struct Walk {
    order: Order,
    ranges: Vec<(SeqNum, SeqNum)>,
}

impl Walk {
    fn new(order: Order, candidates: &SeqSet) -> Self {
        let mut ranges: Vec<_> = candidates.ranges().collect();
        // They are taken from the end.
        if order != Order::Last {
            ranges.reverse();
        }
        Self { order, ranges }
    }

    fn next(&mut self) -> Option<SeqNum> {
        let (first, last) = self.ranges.pop()?;
        let (now, rest) = match self.order {
            Order::All | Order::First => (first, first.next().map(|next| (next, last))),
            Order::Last => {
                let before = SeqNum::new(last.get() - 1);
                (last, before.map(|before| (first, before)))
            }
        };
        if let Some((first, last)) = rest
            && first <= last
        {
            self.ranges.push((first, last));
        }
        Some(now)
    }
}

impl Search {
    fn new(session: &Session, tag: &Tag, args: SearchArgs) -> Result<Self, Error> {
        let selected = session.selected()?;
        let program = Program::new(args.key, args.charset.as_deref(), selected)?;
        // IMAP4rev2 has no SEARCH response (RFC 9051 §6.4.4).
        let plain = args.returns.is_none() && !session.rev2();
        let returns = args.returns.unwrap_or(SearchReturn {
            all: true,
            ..SearchReturn::default()
        });
        Ok(Self {
            candidates: program.candidates(selected.view()),
            program,
            mailbox: Arc::clone(selected.mailbox()),
            orders: Order::plan(returns).into_iter(),
            walk: None,
            returns,
            found: Found::default(),
            output: Output::Collecting {
                tag: tag.clone(),
                uid: args.uid,
                plain,
            },
        })
    }

    /// Judges messages until the step is over; true when all are judged.
    fn collect(&mut self, session: &Session) -> Result<bool, Error> {
        let begun = Instant::now();
        let selected = session.selected()?;
        for _ in 0..STEP_MESSAGES {
            let Some(walk) = &mut self.walk else {
                match self.orders.next() {
                    Some(order) => self.walk = Some(Walk::new(order, &self.candidates)),
                    None => return Ok(true),
                }
                continue;
            };
            let order = walk.order;
            let Some(seq) = walk.next() else {
                self.walk = None;
                continue;
            };
            let Some(message) = selected.view().at(seq) else {
                continue;
            };
            let mut judge = Judge {
                program: &self.program,
                mailbox: &self.mailbox,
                session,
                opened: false,
            };
            if !message.ghost && judge.matches(&message)? {
                self.found.add(message.seq, message.row.uid);
                // One is enough for MIN, and for MAX.
                if order != Order::All {
                    self.walk = None;
                }
            }
            if judge.opened && begun.elapsed() >= STEP_TIME {
                break;
            }
        }
        Ok(false)
    }

    fn save(&mut self, session: &mut Session) -> Result<Option<Reply>, Error> {
        if !self.returns.save {
            return Ok(None);
        }
        let Some(saved) = self.found.to_save(self.returns) else {
            forget_saved(session)?;
            let text = "Result is too scattered to be saved";
            return Ok(Some(Reply::no(ResponseCode::NotSaved, text)));
        };
        session.selected_mut()?.saved = saved;
        Ok(None)
    }
}

impl Job for Search {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        if let Output::Writing(results) = &mut self.output {
            return Ok(match results.write(out) {
                true => Step::Done(Reply::ok("Search completed")),
                false => Step::More,
            });
        }
        match self.collect(session) {
            Ok(true) => {}
            Ok(false) => return Ok(Step::More),
            Err(error) => {
                if self.returns.save {
                    forget_saved(session)?;
                }
                return Err(error);
            }
        }
        if let Some(refusal) = self.save(session)? {
            return Ok(Step::Done(refusal));
        }
        if let Output::Collecting { tag, uid, plain } = &self.output {
            let found = std::mem::take(&mut self.found);
            let results = Results::new(found, self.returns, tag.clone(), *uid, *plain);
            self.output = Output::Writing(results);
        }
        Ok(Step::More)
    }

    fn mid_response(&self) -> bool {
        match &self.output {
            Output::Collecting { .. } => false,
            Output::Writing(results) => results.is_open(),
        }
    }
}

/// Decides upon one message, fetching what it takes.
struct Judge<'a> {
    program: &'a Program,
    mailbox: &'a Arc<Mailbox>,
    session: &'a Session,
    /// The disk was asked.
    opened: bool,
}

impl Judge<'_> {
    fn matches(&mut self, message: &ViewRow) -> Result<bool, Error> {
        let selected = self.session.selected()?;
        let snapshot = selected.view().snapshot();
        let mut facts = Facts {
            message: *message,
            recent: self.program.needs_recent() && selected.is_recent(&message.row),
            keywords: snapshot.keyword_names(message.row.keywords),
            date: None,
            size: None,
            header: None,
            sent: None,
            texts: None,
        };
        if self.program.needs_cold() {
            facts.date = snapshot.known_internal_date(message.row.uid);
            facts.size = snapshot.known_size(message.row.uid);
        }
        let mut source = None;
        loop {
            let missing = match self.program.key().eval(&facts) {
                Ok(verdict) => return Ok(verdict),
                Err(missing) => missing,
            };
            self.opened = true;
            match self.look(missing, &mut facts, &mut source) {
                Ok(()) => {}
                Err(Error::Store(roost_store::Error::Expunged)) => return Ok(false),
                // One message that cannot be read spoils no search.
                Err(error @ (Error::Store(_) | Error::Read(_))) => {
                    let uid = message.row.uid;
                    log::warn!("{}: searching UID {uid}: {error}", self.mailbox.name());
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Finds out what is missing; afterwards it is missing no more.
    fn look(
        &self,
        missing: Missing,
        facts: &mut Facts<'_>,
        source: &mut Option<Source>,
    ) -> Result<(), Error> {
        let uid = facts.message.row.uid;
        match missing {
            Missing::Date => facts.date = Some(self.mailbox.internal_date(uid)?),
            Missing::Size => facts.size = Some(self.mailbox.size(uid)?),
            Missing::Header => {
                let source = self.source(source, uid, self.program.file_need())?;
                let block = source.header()?.into_owned();
                facts.sent = fields::get(&block, b"Date").and_then(date::parse);
                facts.header = Some(block);
            }
            Missing::Text => {
                let source = self.source(source, uid, Need::Structure)?;
                let (body, text) = (self.program.body(), self.program.text());
                facts.texts = Some(match source.structure().map(Arc::clone) {
                    Some(structure) => in_message(&structure, source, body, text)?,
                    None => Default::default(),
                });
            }
        }
        Ok(())
    }

    fn source<'s>(
        &self,
        kept: &'s mut Option<Source>,
        uid: roost_types::Uid,
        need: Need,
    ) -> Result<&'s mut Source, Error> {
        let source = match kept.take() {
            Some(source) if need != Need::Structure || source.structure().is_some() => source,
            _ => Source::load(self.mailbox, uid, need)?,
        };
        Ok(kept.insert(source))
    }
}
