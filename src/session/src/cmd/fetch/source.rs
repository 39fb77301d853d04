//! A message opened for a command: as much of it as is needed, in memory if
//! it is small.

use super::plan::Need;
use crate::error::Error;
use roost_message::{Limits, Places, Span, Structure, crlf, header, scan};
use roost_store::{Mailbox, Message};
use roost_types::Uid;
use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::Arc;

/// Messages up to so many octets are held in memory while they are answered.
const SMALL: usize = 256 * 1024;

/// One message and what has been read of it.
pub(crate) struct Source {
    mailbox: Arc<Mailbox>,
    uid: Uid,
    bytes: Bytes,
    structure: Option<Arc<Structure>>,
    places: Option<Places>,
}

/// Octets as the file has them.
enum Bytes {
    /// The header with its empty line, and nothing behind it.
    Header(Arc<Vec<u8>>),
    Whole(Arc<Vec<u8>>),
    /// Too large: read again whenever octets are wanted.
    OnDisk,
}

impl Source {
    /// Opens a message and reads what is needed.
    pub fn load(mailbox: &Arc<Mailbox>, uid: Uid, need: Need) -> Result<Self, Error> {
        Self::load_up_to(mailbox, uid, need, SMALL)
    }

    /// The same, with messages of at most `small` octets in memory.
    pub(super) fn load_up_to(
        mailbox: &Arc<Mailbox>,
        uid: Uid,
        need: Need,
        small: usize,
    ) -> Result<Self, Error> {
        let mut source = Self::read_up_to(mailbox, uid, need, small)?;
        // A header that is not in memory is found by the scan.
        if need == Need::Structure || need == Need::Header && source.on_disk() {
            source.scan()?;
        }
        Ok(source)
    }

    /// Opens a message and reads what is needed, without a look at its parts:
    /// see [`Source::set_places`].
    pub fn read(mailbox: &Arc<Mailbox>, uid: Uid, need: Need) -> Result<Self, Error> {
        Self::read_up_to(mailbox, uid, need, SMALL)
    }

    fn read_up_to(
        mailbox: &Arc<Mailbox>,
        uid: Uid,
        need: Need,
        small: usize,
    ) -> Result<Self, Error> {
        let bytes = match need {
            Need::Nothing => Bytes::OnDisk,
            Need::Header => read_header(mailbox, uid)?,
            Need::Octets | Need::Structure => read_small(mailbox.open_message(uid)?, small)?,
        };
        Ok(Self {
            mailbox: Arc::clone(mailbox),
            uid,
            bytes,
            structure: None,
            places: None,
        })
    }

    /// Too large to be held in memory.
    pub fn on_disk(&self) -> bool {
        matches!(self.bytes, Bytes::OnDisk)
    }

    pub fn set_places(&mut self, places: Places) {
        self.places = Some(places);
    }

    /// Where the parts lie.
    pub fn places(&self) -> Result<&Places, Error> {
        let unknown = || io::Error::other("places of parts are not known");
        Ok(self.places.as_ref().ok_or_else(unknown)?)
    }

    fn scan(&mut self) -> Result<(), Error> {
        let structure = match &self.bytes {
            Bytes::Whole(bytes) => scan(&mut bytes.as_slice(), &Limits::DEFAULT)?,
            Bytes::Header(_) | Bytes::OnDisk => {
                scan(&mut self.mailbox.open_message(self.uid)?, &Limits::DEFAULT)?
            }
        };
        self.structure = Some(Arc::new(structure));
        Ok(())
    }

    /// The parts, if [`Need::Structure`] was asked for.
    pub fn structure(&self) -> Option<&Arc<Structure>> {
        self.structure.as_ref()
    }

    /// The header, as much of it as may be kept: for the envelope.
    pub fn header(&self) -> Result<Cow<'_, [u8]>, Error> {
        if let Some(header) = self.header_in_memory() {
            return Ok(Cow::Borrowed(header));
        }
        let mut reader = match &self.structure {
            Some(structure) => self.reader(structure.root.header)?,
            None => Box::new(self.mailbox.open_message(self.uid)?),
        };
        let block = header::read_block(&mut reader, Limits::DEFAULT.header)?;
        Ok(Cow::Owned(block))
    }

    /// The whole header with its empty line.
    pub fn header_in_memory(&self) -> Option<&[u8]> {
        match &self.bytes {
            Bytes::Header(header) => Some(header),
            Bytes::Whole(bytes) => Some(bytes.get(..header::len(bytes)).unwrap_or_default()),
            Bytes::OnDisk => None,
        }
    }

    /// The whole message.
    pub fn in_memory(&self) -> Option<&Arc<Vec<u8>>> {
        match &self.bytes {
            Bytes::Whole(bytes) => Some(bytes),
            Bytes::Header(_) | Bytes::OnDisk => None,
        }
    }

    /// RFC822.SIZE, where reading has shown it.
    pub fn size(&self) -> Option<u64> {
        if let Some(places) = &self.places {
            return Some(places.size().crlf_len);
        }
        let mut counter = crlf::Counter::new();
        counter.update(self.in_memory()?);
        Some(counter.crlf())
    }

    /// The octets of `span`.
    pub fn reader(&self, span: Span) -> Result<Box<dyn Read + Send>, Error> {
        let bytes = match &self.bytes {
            Bytes::Whole(bytes) => bytes,
            Bytes::Header(bytes) if span.end() <= bytes.len() as u64 => bytes,
            Bytes::Header(_) | Bytes::OnDisk => {
                let mut message = self.mailbox.open_message(self.uid)?;
                message.skip(span.start)?;
                return Ok(Box::new(message.take(span.len)));
            }
        };
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
        Ok(Box::new(Slice {
            at: at(span.start),
            end: at(span.end()),
            bytes: Arc::clone(bytes),
        }))
    }

    /// The octets from the beginning to wherever the message ends.
    pub fn all(&self) -> Result<Box<dyn Read + Send>, Error> {
        self.reader(Span {
            start: 0,
            len: u64::MAX,
            crlf_len: u64::MAX,
        })
    }
}

fn read_header(mailbox: &Mailbox, uid: Uid) -> Result<Bytes, Error> {
    let mut message = mailbox.open_message(uid)?;
    let whole = header::read_whole(&mut message, Limits::DEFAULT.header)?;
    Ok(match whole {
        Some(header) => Bytes::Header(Arc::new(header)),
        None => Bytes::OnDisk,
    })
}

fn read_small(message: Message, most: usize) -> io::Result<Bytes> {
    // What is known of a compressed message is what its name says.
    let known = message
        .raw_size()
        .map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    if known.is_some_and(|n| n > most) {
        return Ok(Bytes::OnDisk);
    }
    let mut message = message.take(most as u64 + 1);
    // In one go: `read_to_end` begins with little.
    let mut bytes = vec![0; known.map_or(0, |n| n + 1)];
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        match message.read(room) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let is_over = filled < bytes.len();
    bytes.truncate(filled);
    if !is_over {
        message.read_to_end(&mut bytes)?;
    }
    Ok(match bytes.len() <= most {
        true => Bytes::Whole(Arc::new(bytes)),
        false => Bytes::OnDisk,
    })
}

impl roost_message::search::Source for Source {
    fn open(&mut self, span: Span) -> io::Result<Box<dyn Read + '_>> {
        match self.reader(span) {
            Ok(reader) => Ok(reader),
            Err(Error::Read(error)) => Err(error),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// A piece of a message in memory, as a stream of its own.
struct Slice {
    bytes: Arc<Vec<u8>>,
    at: usize,
    end: usize,
}

impl Read for Slice {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut left = self.bytes.get(self.at..self.end).unwrap_or_default();
        let n = left.read(buf)?;
        self.at += n;
        Ok(n)
    }
}
