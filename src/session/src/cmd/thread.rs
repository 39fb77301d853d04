//! THREAD and UID THREAD (RFC 5256 §3, draft-ietf-morg-inthread).
//!
//! What matches is found as by SEARCH, threaded by what is known of the
//! messages, and written as it is walked through: a thread of any depth takes
//! neither stack nor a buffer. Outcomes are remembered as those of SORT.

use crate::cmd::search::collect::Collector;
use crate::cmd::search::result::{Found, Order};
use crate::cmd::sort::load::{Loaded, Loader, Stage};
use crate::error::Error;
use crate::job::{Job, Reply, STEP_OCTETS, Step};
use crate::memory::{Memory, What};
use crate::session::Session;
use roost_imap::command::{ThreadAlgorithm, ThreadArgs};
use roost_imap::write;
use roost_message::thread::{
    Forest, Item, MAX_REFERENCES, Member, References, Walk, message_ids, ordered_subject,
};
use std::sync::Arc;

/// Begins the command.
pub(crate) fn start(session: &Session, args: ThreadArgs) -> Result<Box<dyn Job>, Error> {
    let selected = session.selected()?;
    let orders = vec![Order::ALL];
    Ok(Box::new(Thread {
        collector: Collector::new(selected, args.key, Some(&args.charset), orders)?,
        algorithm: args.algorithm,
        uid: args.uid,
        state: State::Collecting,
    }))
}

struct Thread {
    collector: Collector,
    algorithm: ThreadAlgorithm,
    uid: bool,
    state: State,
}

enum State {
    Collecting,
    Loading {
        found: Found,
        loader: Loader,
        builder: Box<Builder>,
    },
    Writing(Results),
}

impl Thread {
    fn what(&self) -> What {
        What::Thread(self.algorithm)
    }

    /// What matches is known: the threads may be known too.
    fn begin(&self, found: Found, session: &Session) -> Result<State, Error> {
        let mailbox = session.selected()?.mailbox();
        if let Some(forest) = Memory::forest(mailbox, &self.what(), found.uids()) {
            return Ok(self.answer(&found, forest));
        }
        Ok(State::Loading {
            loader: Loader::new(mailbox, found.uids(), true),
            builder: Box::new(Builder::new(self.algorithm)),
            found,
        })
    }

    fn answer(&self, found: &Found, forest: Arc<Forest>) -> State {
        State::Writing(Results {
            numbers: match self.uid {
                true => found.uids().iter().map(u32::from).collect(),
                false => found.seqs().iter().map(u32::from).collect(),
            },
            walk: forest.walk(),
            forest,
            begun: false,
            behind_number: false,
        })
    }
}

impl Thread {
    /// Goes on with the present state; `None` when the next one has begun.
    fn go_on(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Option<Step>, Error> {
        match &mut self.state {
            State::Collecting => {
                if !self.collector.step(session.selected()?)? {
                    return Ok(Some(Step::More));
                }
                let found = self.collector.take_found();
                self.state = self.begin(found, session)?;
            }
            State::Loading {
                found,
                loader,
                builder,
            } => {
                let selected = session.selected()?;
                let snapshot = selected.view().snapshot();
                if !loader.step(snapshot, |message| builder.add(&message)) {
                    return Ok(Some(Step::More));
                }
                let found = std::mem::take(found);
                let forest = Arc::new(std::mem::take(builder).finish(self.algorithm));
                let mailbox = selected.mailbox();
                Memory::keep_forest(mailbox, &self.what(), found.uids(), &forest);
                self.state = self.answer(&found, forest);
            }
            State::Writing(results) => {
                return Ok(Some(match results.write(out) {
                    true => Step::Done(Reply::ok("Thread completed")),
                    false => Step::More,
                }));
            }
        }
        Ok(None)
    }
}

impl Job for Thread {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        loop {
            if let Some(step) = self.go_on(session, out)? {
                return Ok(step);
            }
        }
    }

    fn mid_response(&self) -> bool {
        matches!(&self.state, State::Writing(results) if results.begun)
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

/// Threads in the making.
#[derive(Default)]
struct Builder {
    references: References,
    /// For ORDEREDSUBJECT, which has nothing else.
    members: Option<Vec<Member>>,
}

impl Builder {
    fn new(algorithm: ThreadAlgorithm) -> Self {
        Self {
            references: References::new(),
            members: (algorithm == ThreadAlgorithm::OrderedSubject).then(Vec::new),
        }
    }

    fn add(&mut self, message: &Loaded<'_>) {
        let subject = match message.base_subject() {
            [] => 0,
            text => self.references.hash(text).max(1),
        };
        let member = Member {
            date: message.sent_date().0,
            subject,
            is_reply: message.is_reply(),
        };
        match &mut self.members {
            Some(members) => members.push(member),
            None => self.add_with_references(message, member),
        }
    }

    fn add_with_references(&mut self, message: &Loaded<'_>, member: Member) {
        let hash = |id: &[u8]| self.references.hash(id);
        let mut own = None;
        message.values(b"Message-ID", |value| {
            own = message_ids(value).next().map(|id| hash(&id));
            own.is_none()
        });
        let mut references = Vec::new();
        message.values(b"References", |value| {
            references.extend(message_ids(value).map(|id| hash(&id)));
            true
        });
        if references.is_empty() {
            message.values(b"In-Reply-To", |value| {
                references.extend(message_ids(value).next().map(|id| hash(&id)));
                references.is_empty()
            });
        }
        let nearest = references.len().saturating_sub(MAX_REFERENCES);
        let references = references.get(nearest..).unwrap_or_default();
        self.references.add(member, own, references);
    }

    fn finish(self, algorithm: ThreadAlgorithm) -> Forest {
        match algorithm {
            ThreadAlgorithm::OrderedSubject => ordered_subject(&self.members.unwrap_or_default()),
            ThreadAlgorithm::References => self.references.references(),
            ThreadAlgorithm::Refs => self.references.refs(),
        }
    }
}

/// The THREAD response on its way.
struct Results {
    forest: Arc<Forest>,
    walk: Walk,
    /// UIDs or message numbers of the forest's messages.
    numbers: Vec<u32>,
    begun: bool,
    /// The next number or parenthesis needs a blank in front of it.
    behind_number: bool,
}

impl Results {
    /// Appends the next piece; true when all is written.
    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        if !self.begun {
            out.extend_from_slice(b"* THREAD");
            (self.begun, self.behind_number) = (true, true);
        }
        while let Some(item) = self.walk.next(&self.forest) {
            let blank = self.behind_number && item != Item::Close;
            if blank {
                out.push(b' ');
            }
            match item {
                Item::Open => out.push(b'('),
                Item::Close => out.push(b')'),
                Item::Message(place) => {
                    let number = self.numbers.get(place as usize).copied();
                    write::number(out, number.unwrap_or_default());
                }
            }
            self.behind_number = matches!(item, Item::Message(_));
            if out.len() - start >= STEP_OCTETS {
                return false;
            }
        }
        write::crlf(out);
        self.begun = false;
        true
    }
}
