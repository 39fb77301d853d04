//! COPY and MOVE with ENCRYPTED, and their UID forms.
//!
//! All messages are encrypted into files that nobody sees, then they appear
//! together. Only when they are safe does a MOVE take the originals away.

use crate::cmd::Started;
use crate::error::Error;
use crate::job::{Job, Reply, Step};
use crate::rights;
use crate::session::Session;
use roost_imap::write::{self, Status};
use roost_imap::{CommandKind, ResponseCode};
use roost_message::crlf::{Counter, CrlfReader, Nul};
use roost_smime::{Recipient, Sealed};
use roost_store::{Append, CopyMode, Error as StoreError, Mailbox, Message, Within};
use roost_types::{Rights, Uid, UidSet, UidValidity};
use std::io::{self, Read};
use std::sync::Arc;

/// Octets dealt with in one step.
const STEP: u64 = if cfg!(test) { 200_000 } else { 1 << 20 };

/// What a message costs beside its octets: its file, and the key of the
/// certificate.
const MESSAGE: u64 = 32 << 10;

const PIECE: usize = 64 << 10;

/// Which messages go where.
pub(in crate::cmd) struct Order {
    pub recipient: Arc<Recipient>,
    pub to: Arc<Mailbox>,
    /// The flags that may be set there.
    pub within: Within,
    pub uids: UidSet,
    pub by_uid: bool,
    pub mode: CopyMode,
}

pub(in crate::cmd) fn start(session: &Session, order: Order) -> Result<Started, Error> {
    let append = order.to.append().map_err(Error::Destination)?;
    let total = order.uids.len();
    if total > Append::MAX_MESSAGES as u64 {
        return Err(Error::Destination(StoreError::Limit(
            "messages of one command",
        )));
    }
    let left: Vec<Uid> = order.uids.iter().collect();
    Ok(Started::Job(Box::new(Copy {
        from: Arc::clone(session.selected()?.mailbox()),
        append: Some(append.of_any_size()),
        left: left.into_iter(),
        current: None,
        copied: Vec::new(),
        done: 0,
        total,
        piece: vec![0; PIECE].into(),
        order,
    })))
}

struct Copy {
    order: Order,
    from: Arc<Mailbox>,
    /// `None` when all is committed. Dropped before, it leaves nothing.
    append: Option<Append>,
    left: std::vec::IntoIter<Uid>,
    current: Option<Current>,
    /// The messages of `append`, in their order.
    copied: Vec<Uid>,
    done: u64,
    total: u64,
    piece: Box<[u8]>,
}

/// The message under way.
struct Current {
    uid: Uid,
    reading: Reading,
}

enum Reading {
    /// How many octets it has must be known before anything is written.
    Counting(Message, Counter),
    Sealing(Box<Sealed<CrlfReader<Message>>>),
}

impl Job for Copy {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        let mut budget = STEP;
        while budget > 0 {
            let Some(current) = self.current.take() else {
                let Some(uid) = self.left.next() else {
                    return self.commit(session, out);
                };
                self.current = self.begin(uid)?;
                self.done += u64::from(self.current.is_none());
                budget = budget.saturating_sub(MESSAGE);
                continue;
            };
            let octets = self.advance(current)?;
            budget = budget.saturating_sub(octets);
        }
        Ok(Step::More)
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        Some((self.done, Some(self.total)))
    }
}

impl Copy {
    /// Opens a message; `None` if it is gone and may be passed over.
    fn begin(&self, uid: Uid) -> Result<Option<Current>, Error> {
        match self.from.open_message(uid) {
            Ok(message) => Ok(Some(Current {
                uid,
                reading: Reading::Counting(message, Counter::new()),
            })),
            // RFC 9051 §6.4.9.
            Err(StoreError::Expunged) if self.order.by_uid => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on with a message by a piece; the octets of that.
    fn advance(&mut self, current: Current) -> Result<u64, Error> {
        let uid = current.uid;
        let (n, next) = match current.reading {
            Reading::Counting(mut message, mut counter) => {
                let n = read(&mut message, &mut self.piece)?;
                counter.update(self.piece.get(..n).unwrap_or_default());
                let next = match n {
                    0 => self.seal(uid, counter.crlf())?,
                    _ => Some(Reading::Counting(message, counter)),
                };
                (n, next)
            }
            Reading::Sealing(mut sealed) => {
                let n = read(&mut sealed, &mut self.piece)?;
                let append = open(&mut self.append)?;
                let next = match n {
                    0 => {
                        append.finish_message().map_err(Error::Destination)?;
                        self.copied.push(uid);
                        None
                    }
                    n => {
                        let piece = self.piece.get(..n).unwrap_or_default();
                        append.write(piece).map_err(Error::Destination)?;
                        Some(Reading::Sealing(sealed))
                    }
                };
                (n, next)
            }
        };
        self.done += u64::from(next.is_none());
        self.current = next.map(|reading| Current { uid, reading });
        Ok(n as u64)
    }

    /// Begins to encrypt a message of `size` octets, with the flags that it
    /// has now; `None` as in [`Copy::begin`].
    fn seal(&mut self, uid: Uid, size: u64) -> Result<Option<Reading>, Error> {
        let snapshot = self.from.snapshot();
        let (message, row) = match (self.from.open_message(uid), snapshot.row_of(uid)) {
            (Ok(message), Some((_, row))) => (message, row),
            (Err(StoreError::Expunged), _) | (_, None) if self.order.by_uid => return Ok(None),
            (Err(error), _) => return Err(error.into()),
            (_, None) => return Err(StoreError::Expunged.into()),
        };
        let within = self.order.within;
        let keywords = match within.keywords {
            true => snapshot.keyword_names(row.keywords),
            false => &[],
        };
        let date = Some(message.internal_date());
        open(&mut self.append)?
            .begin_message(row.flags & within.system, keywords, date)
            .map_err(Error::Destination)?;
        let source = CrlfReader::new(message, Nul::Keep);
        let recipient = Arc::clone(&self.order.recipient);
        let sealed = Sealed::new(recipient, source, size)?;
        Ok(Some(Reading::Sealing(Box::new(sealed))))
    }

    fn commit(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        let (append, copied) = (self.append.take(), std::mem::take(&mut self.copied));
        let Some(append) = append.filter(|_| !copied.is_empty()) else {
            return self.nothing();
        };
        let to = &self.order.to;
        // It may have taken long.
        session
            .permit(&to.name(), Rights::INSERT)
            .map_err(rights::destination)?;
        if self.order.mode == CopyMode::Move {
            session.permit_here(CommandKind::Move)?;
        }
        let before = session.before_adding(to);
        let outcome = append.commit().map_err(Error::Destination)?;
        session.after_adding(to, &before, &outcome.uids);
        let pairs: Vec<_> = copied.into_iter().zip(outcome.uids.iter()).collect();
        session.seen_in_copies(to, &pairs);
        let validity = outcome.uid_validity;
        match self.order.mode {
            CopyMode::Copy => {
                let code = ResponseCode::CopyUid { validity, pairs };
                Ok(Step::Done(Reply::ok_code(code, "Copy completed")))
            }
            CopyMode::Move => self.remove(session, validity, pairs, out),
        }
    }

    fn nothing(&self) -> Result<Step, Error> {
        match self.total == 0 || self.order.by_uid {
            true => Ok(Step::Done(Reply::ok(match self.order.mode {
                CopyMode::Copy => "No messages to copy",
                CopyMode::Move => "No messages to move",
            }))),
            false => Err(StoreError::Expunged.into()),
        }
    }

    /// Takes the originals away. Of those that stay, because that fails, the
    /// copies go again. The client learns the new UIDs first (RFC 9051
    /// §6.4.8).
    fn remove(
        &self,
        session: &mut Session,
        validity: UidValidity,
        mut pairs: Vec<(Uid, Uid)>,
        out: &mut Vec<u8>,
    ) -> Result<Step, Error> {
        let originals = pairs.iter().map(|&(uid, _)| uid).collect();
        let removed = self.from.remove(&originals);
        if removed.is_err() {
            let left = self.from.snapshot();
            let stays = |&(uid, _): &(Uid, Uid)| left.row_of(uid).is_some();
            let undone: UidSet = pairs.extract_if(.., |p| stays(p)).map(|p| p.1).collect();
            if let Err(error) = self.order.to.remove(&undone) {
                log::error!(
                    "{} copies stay of a MOVE that failed: {error}",
                    undone.len()
                );
            }
        }
        session.counters.expunged += pairs.len() as u64;
        if !pairs.is_empty() {
            let code = ResponseCode::CopyUid { validity, pairs };
            write::untagged(out, Status::Ok, Some(&code), "Moved");
        }
        removed?;
        Ok(Step::Done(Reply::ok("Move completed")))
    }
}

fn open(append: &mut Option<Append>) -> Result<&mut Append, Error> {
    let over = || io::Error::other("the copies are committed already");
    Ok(append.as_mut().ok_or_else(over)?)
}

fn read(source: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(piece) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
