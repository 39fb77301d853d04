//! Reading a message's file in as few calls to the kernel as it takes: open,
//! fstat, read, close.

use super::Mailbox;
use crate::error::Error;
use crate::message::{Message, looks_compressed};
use roost_os::file;
use roost_types::{Uid, UnixTime};
use std::io::{self, Read, Seek, SeekFrom};

/// What [`Mailbox::read_beginning`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beginning {
    /// Octets that were read.
    pub len: usize,
    /// They are the whole message.
    pub whole: bool,
    /// INTERNALDATE
    pub internal_date: UnixTime,
}

impl Mailbox {
    /// Reads the first octets of a message, decompressed, as many as `buf`
    /// has room for; `Error::Expunged` when it is gone.
    pub fn read_beginning(&self, uid: Uid, buf: &mut [u8]) -> Result<Beginning, Error> {
        let picture = self.snapshot();
        let row = picture.hot(uid.get()).ok_or(Error::Expunged)?;
        let opened = self.with_location(&picture, row, |location| {
            file::open(self.sub(location.sub), &location.name)
        })?;
        let mut opened = opened.ok_or(Error::Expunged)?;
        let damaged = |e| self.damaged(uid, e);
        let stat = file::stat(&opened).map_err(damaged)?;
        if !stat.is_file() {
            return Err(damaged(io::ErrorKind::InvalidData.into()));
        }
        let cold = picture.cold(row.uid);
        let stored = cold.as_ref().and_then(|c| c.stored());
        if let Some(cold) = cold {
            cold.set_dates(stat.mtime_sec, stat.ctime_sec);
        }
        let most = usize::try_from(stat.size).unwrap_or(usize::MAX);
        let room = most.min(buf.len());
        let mut len =
            fill(&mut opened, buf.get_mut(..room).unwrap_or_default()).map_err(damaged)?;
        // A file that has shrunk meanwhile ends here, too.
        let mut whole = len == most || len < room;
        let is_plain = stored == Some(stat.size);
        if !is_plain && looks_compressed(buf.get(..len).unwrap_or_default()) {
            opened.seek(SeekFrom::Start(0)).map_err(damaged)?;
            let limit = self.options.max_message_size;
            let mut message = Message::new(opened, stored, limit).map_err(damaged)?;
            len = fill(&mut message, buf).map_err(damaged)?;
            whole = len < buf.len() || message.read(&mut [0]).map_err(damaged)? == 0;
        }
        Ok(Beginning {
            len,
            whole,
            internal_date: UnixTime(stat.mtime_sec),
        })
    }

    /// Takes down RFC822.SIZE as somebody has measured it.
    pub fn note_size(&self, uid: Uid, size: u64) {
        if let Some(cold) = self.snapshot().cold(uid.get()) {
            cold.set_size(size);
        }
    }
}

/// Reads until `buf` is full or the stream ends.
fn fill(reader: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buf.get_mut(filled..).filter(|r| !r.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
