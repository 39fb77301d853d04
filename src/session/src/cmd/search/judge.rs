//! Decides upon messages by what their files say, on several cores.

use super::key::{Known, Missing, Program};
use crate::cmd::fetch::plan::Need;
use crate::cmd::fetch::source::Source;
use crate::crew::in_parallel_with;
use crate::error::Error;
use crate::object_id;
use roost_message::search::{Needle, Scratch, in_bytes, in_header, in_message};
use roost_message::{date, fields, header};
use roost_store::{Mailbox, Row, Snapshot};
use roost_types::{Keyword, ObjectId, SeqNum, Uid, UnixTime};
use std::sync::Arc;
use std::time::Instant;

/// A message that the columns say something of.
#[derive(Clone, Copy)]
pub(super) struct Glance<'a> {
    pub seq: SeqNum,
    pub row: &'a Row,
    pub recent: bool,
    pub snapshot: &'a Snapshot,
}

impl Known for Glance<'_> {
    fn seq(&self) -> SeqNum {
        self.seq
    }
    fn row(&self) -> &Row {
        self.row
    }
    fn recent(&self) -> bool {
        self.recent
    }
    fn has(&self, keyword: &Keyword) -> bool {
        let names = self.snapshot.keyword_names(self.row.keywords);
        names.contains(keyword)
    }
    fn date(&self) -> Option<UnixTime> {
        self.snapshot.known_internal_date(self.row.uid)
    }
    fn saved(&self) -> Option<UnixTime> {
        self.snapshot.known_save_date(self.row.uid)
    }
    fn size(&self) -> Option<u64> {
        self.snapshot.known_size(self.row.uid)
    }
    fn email_id(&self) -> Option<ObjectId> {
        None
    }
    fn sent(&self) -> Option<Option<i64>> {
        None
    }
    fn header(&self, _: &[u8], _: &Needle) -> Option<bool> {
        None
    }
    fn body(&self, _: usize) -> Option<bool> {
        None
    }
    fn text(&self, _: usize) -> Option<bool> {
        None
    }
}

/// A message that is still to be judged.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub seq: SeqNum,
    pub row: Row,
    pub recent: bool,
    /// It matches; it only waits for its turn.
    pub sure: bool,
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
        let mut facts = Facts {
            glance: Glance {
                seq: pending.seq,
                row: &pending.row,
                recent: pending.recent,
                snapshot: self.snapshot,
            },
            date: None,
            saved: None,
            size: None,
            email_id: None,
            header: None,
            texts: None,
        };
        let mut file = File::Closed;
        loop {
            let missing = match key.eval(&facts) {
                Ok(verdict) => return Ok(verdict),
                Err(missing) => missing,
            };
            match self.look(missing, &mut facts, &mut file, tools) {
                Ok(()) => {}
                Err(Error::Store(roost_store::Error::Expunged)) => return Ok(false),
                // One message that cannot be read spoils no search.
                Err(error @ (Error::Store(_) | Error::Read(_))) => {
                    let uid = pending.row.uid;
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
        file: &mut File,
        tools: &mut Tools,
    ) -> Result<(), Error> {
        let uid = facts.glance.row.uid;
        match missing {
            Missing::EmailId => facts.email_id = Some(object_id::email(self.mailbox, uid)?),
            Missing::Date => facts.date = Some(self.mailbox.internal_date(uid)?),
            Missing::Saved => facts.saved = Some(self.mailbox.save_date(uid)?),
            Missing::Size => facts.size = Some(self.mailbox.size(uid)?),
            Missing::Header => {
                let block = match self.open(file, uid, &mut tools.octets)? {
                    Opened::Octets(octets) => octets.get(..header::len(octets)).map(<[u8]>::to_vec),
                    Opened::Large(source) => Some(source.header()?.into_owned()),
                };
                facts.header = Some(block.unwrap_or_default());
            }
            Missing::Text => {
                let (body, text) = (self.program.body(), self.program.text());
                facts.texts = Some(match self.open(file, uid, &mut tools.octets)? {
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

/// What has been found out about a message.
struct Facts<'a> {
    glance: Glance<'a>,
    date: Option<UnixTime>,
    saved: Option<UnixTime>,
    size: Option<u64>,
    email_id: Option<ObjectId>,
    header: Option<Vec<u8>>,
    /// For each needle of BODY and of TEXT whether it was found.
    texts: Option<(Vec<bool>, Vec<bool>)>,
}

impl Known for Facts<'_> {
    fn seq(&self) -> SeqNum {
        self.glance.seq
    }
    fn row(&self) -> &Row {
        self.glance.row
    }
    fn recent(&self) -> bool {
        self.glance.recent
    }
    fn has(&self, keyword: &Keyword) -> bool {
        self.glance.has(keyword)
    }
    fn date(&self) -> Option<UnixTime> {
        self.date.or_else(|| self.glance.date())
    }
    fn saved(&self) -> Option<UnixTime> {
        self.saved.or_else(|| self.glance.saved())
    }
    fn size(&self) -> Option<u64> {
        self.size.or_else(|| self.glance.size())
    }
    fn email_id(&self) -> Option<ObjectId> {
        self.email_id
    }
    fn sent(&self) -> Option<Option<i64>> {
        let block = self.header.as_ref()?;
        let sent = fields::get(block, b"Date").and_then(date::parse);
        Some(sent.map(|sent| sent.day))
    }
    fn header(&self, name: &[u8], needle: &Needle) -> Option<bool> {
        let block = self.header.as_ref()?;
        Some(in_header(block, name, needle))
    }
    fn body(&self, index: usize) -> Option<bool> {
        let (body, _) = self.texts.as_ref()?;
        Some(body.get(index).copied().unwrap_or_default())
    }
    fn text(&self, index: usize) -> Option<bool> {
        let (_, text) = self.texts.as_ref()?;
        Some(text.get(index).copied().unwrap_or_default())
    }
}
