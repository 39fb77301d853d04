//! Decides upon messages by what their files say, on several cores.

use super::key::Missing;
use super::known::{Candidate, Found};
use super::program::Program;
use crate::cmd::fetch::plan::Need;
use crate::cmd::fetch::source::Source;
use crate::crew::in_parallel_with;
use crate::error::Error;
use crate::object_id;
use roost_message::header;
use roost_message::search::{Scratch, in_bytes, in_message};
use roost_store::{Mailbox, Row, Snapshot};
use roost_types::{SeqNum, Uid};
use std::sync::Arc;
use std::time::Instant;

/// A message that is still to be judged.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub seq: SeqNum,
    pub row: Row,
    pub recent: bool,
    /// It matches; it only waits for its turn.
    pub sure: bool,
}

impl Pending {
    /// What the columns say.
    pub fn glance<'a>(&'a self, snapshot: &'a Snapshot) -> Candidate<'a> {
        Candidate::new(self.seq, &self.row, self.recent, snapshot)
    }
}

pub(super) struct Judge<'a> {
    pub program: &'a Program,
    pub mailbox: &'a Arc<Mailbox>,
    pub snapshot: &'a Snapshot,
}

impl Judge<'_> {
    /// Verdicts upon the first of `pending`, as many as there is time for, one
    /// at least.
    pub fn verdicts(
        &self,
        pending: &[Pending],
        deadline: Instant,
    ) -> impl Iterator<Item = Result<bool, Error>> + use<> {
        let most = match self.program.file_need() {
            Need::Structure => IN_MEMORY,
            _ => HEADER_AT_ONCE,
        };
        let tools = || Tools {
            octets: vec![0; most],
            scratch: Scratch::default(),
        };
        let judge = |tools: &mut Tools, at: usize| match pending.get(at) {
            Some(pending) => self.matches(pending, tools),
            None => Ok(false),
        };
        in_parallel_with(pending.len(), deadline, tools, judge).into_iter()
    }

    fn matches(&self, pending: &Pending, tools: &mut Tools) -> Result<bool, Error> {
        let Some(key) = self.program.key().filter(|_| !pending.sure) else {
            return Ok(true);
        };
        let mut found = Found::default();
        let mut file = File::Closed;
        let uid = pending.row.uid;
        loop {
            let candidate = Candidate {
                found: Some(&found),
                ..pending.glance(self.snapshot)
            };
            let missing = match key.eval(&candidate) {
                Ok(verdict) => return Ok(verdict),
                Err(missing) => missing,
            };
            match self.look(uid, missing, &mut found, &mut file, tools) {
                Ok(()) => {}
                Err(Error::Store(roost_store::Error::Expunged)) => return Ok(false),
                // One message that cannot be read spoils no search.
                Err(error @ (Error::Store(_) | Error::Read(_))) => {
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
        uid: Uid,
        missing: Missing,
        found: &mut Found,
        file: &mut File,
        tools: &mut Tools,
    ) -> Result<(), Error> {
        match missing {
            Missing::EmailId => found.email_id = Some(object_id::email(self.mailbox, uid)?),
            Missing::Date => found.date = Some(self.mailbox.internal_date(uid)?),
            Missing::Saved => found.saved = Some(self.mailbox.save_date(uid)?),
            Missing::Size => found.size = Some(self.mailbox.size(uid)?),
            Missing::Header => {
                let block = match self.open(file, uid, &mut tools.octets)? {
                    Opened::Octets(octets) => octets.get(..header::len(octets)).map(<[u8]>::to_vec),
                    Opened::Large(source) => Some(source.header()?.into_owned()),
                };
                found.header = Some(block.unwrap_or_default());
            }
            Missing::Text => {
                let (body, text) = (self.program.body(), self.program.text());
                found.texts = Some(match self.open(file, uid, &mut tools.octets)? {
                    Opened::Octets(octets) => in_bytes(octets, body, text, &mut tools.scratch),
                    Opened::Large(source) => match source.structure().map(Arc::clone) {
                        Some(structure) => in_message(&structure, source, body, text)?,
                        None => Default::default(),
                    },
                });
            }
        }
        Ok(())
    }

    /// Reads a message once: into memory if it is small.
    fn open<'f>(
        &self,
        file: &'f mut File,
        uid: Uid,
        buffer: &'f mut [u8],
    ) -> Result<Opened<'f>, Error> {
        let need = self.program.file_need();
        if matches!(file, File::Closed) {
            let read = self.mailbox.read_beginning(uid, buffer)?;
            let octets = buffer.get(..read.len).unwrap_or_default();
            // A header that is followed by something is there as a whole.
            let enough = read.whole || need == Need::Header && header::len(octets) < read.len;
            *file = match enough {
                true => File::Octets(read.len),
                false => File::Large(Box::new(Source::load(self.mailbox, uid, need)?)),
            };
        }
        Ok(match file {
            File::Closed => Opened::Octets(&[]),
            File::Octets(len) => Opened::Octets(buffer.get(..*len).unwrap_or_default()),
            File::Large(source) => Opened::Large(source),
        })
    }
}

/// Messages up to so many octets are searched in memory.
const IN_MEMORY: usize = 256 << 10;
/// Nearly all headers end within so many.
const HEADER_AT_ONCE: usize = 8 << 10;

/// What one core needs for one message after the other.
struct Tools {
    octets: Vec<u8>,
    scratch: Scratch,
}

/// How far a message's file has been read.
enum File {
    Closed,
    /// So many octets are in the buffer, as many as are needed.
    Octets(usize),
    Large(Box<Source>),
}

enum Opened<'a> {
    Octets(&'a [u8]),
    Large(&'a mut Source),
}
