//! Opening message files, and what only the file itself can tell.

use super::Mailbox;
use super::resolve::Location;
use crate::error::Error;
use crate::message::{Message, crlf_size};
use crate::snapshot::{ColdRow, HotRow, Snapshot};
use roost_os::file::{self, Stat};
use roost_types::{Uid, UnixTime};
use std::io;
use std::path::Path;

/// How often the directories are listed for a file that others keep renaming.
const TRIES: usize = 10;

impl Mailbox {
    /// Opens a message's file; `Error::Expunged` when it is gone.
    pub fn open_message(&self, uid: Uid) -> Result<Message, Error> {
        let picture = self.snapshot();
        let row = picture.hot(uid.get()).ok_or(Error::Expunged)?;
        let opened = self.with_location(&picture, row, |location| {
            file::open(self.sub(location.sub), &location.name)
        })?;
        let opened = opened.ok_or(Error::Expunged)?;
        let cold = picture.cold(row.uid);
        let limit = self.options.max_message_size;
        let size = cold.as_ref().and_then(|c| c.stored());
        let message = Message::new(opened, size, limit).map_err(|e| self.damaged(uid, e))?;
        if let Some(cold) = cold {
            cold.set_dates(message.internal_date().0, message.save_date().0);
        }
        Ok(message)
    }

    /// INTERNALDATE; asks the disk once for each message. See also
    /// [`Snapshot::known_internal_date`].
    pub fn internal_date(&self, uid: Uid) -> Result<UnixTime, Error> {
        self.date(uid, |cold| cold.internal_date(), |stat| stat.mtime_sec)
    }

    /// SAVEDATE (RFC 8514): when the message was seen to come, or else the
    /// file's change time, which asks the disk once for each message.
    pub fn save_date(&self, uid: Uid) -> Result<UnixTime, Error> {
        self.date(uid, |cold| cold.save_date(), |stat| stat.ctime_sec)
    }

    fn date(
        &self,
        uid: Uid,
        known: impl Fn(&ColdRow<'_>) -> Option<i64>,
        told: impl Fn(&Stat) -> i64,
    ) -> Result<UnixTime, Error> {
        let picture = self.snapshot();
        let row = picture.hot(uid.get()).ok_or(Error::Expunged)?;
        let cold = picture.cold(row.uid).ok_or(Error::Expunged)?;
        if let Some(date) = known(&cold) {
            return Ok(UnixTime(date));
        }
        let stat = self.with_location(&picture, row, |location| {
            file::stat_at(self.sub(location.sub), &location.name)
        })?;
        let stat = stat.ok_or(Error::Expunged)?;
        cold.set_dates(stat.mtime_sec, stat.ctime_sec);
        Ok(UnixTime(told(&stat)))
    }

    /// RFC822.SIZE: octets with CRLF line ends, from the name or else counted
    /// once. See also [`Snapshot::known_size`].
    pub fn size(&self, uid: Uid) -> Result<u64, Error> {
        let picture = self.snapshot();
        if let Some(size) = picture.known_size(uid) {
            return Ok(size);
        }
        let mut message = self.open_message(uid)?;
        let size = crlf_size(&mut message).map_err(|e| self.damaged(uid, e))?;
        if let Some(cold) = self.snapshot().cold(uid.get()) {
            cold.set_size(size);
        }
        Ok(size)
    }

    /// Does something with a message's file where it is now; `None` if the
    /// message is gone. `work` says `NotFound` when the file is elsewhere.
    pub(super) fn with_location<T>(
        &self,
        picture: &Snapshot,
        row: &HotRow,
        mut work: impl FnMut(&Location) -> io::Result<T>,
    ) -> Result<Option<T>, Error> {
        let mut attempt = |location: Option<Location>| match location {
            None => Ok(None),
            Some(location) => match work(&location) {
                Ok(done) => Ok(Some(done)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(Error::io(&self.path_of(&location), e)),
            },
        };
        if let Some(done) = attempt(self.known_location(picture, row))? {
            return Ok(Some(done));
        }
        for _ in 0..TRIES {
            let newest = self.snapshot();
            let Some(row) = newest.hot(row.uid) else {
                return Ok(None);
            };
            if let Some(done) = attempt(self.probe(&newest, row))? {
                return Ok(Some(done));
            }
            let mut core = self.core();
            if !self.look_again(&mut core, row.uid)? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    fn path_of(&self, location: &Location) -> std::path::PathBuf {
        use std::os::unix::ffi::OsStrExt;
        let name = Path::new(std::ffi::OsStr::from_bytes(&location.name));
        self.sub(location.sub).path().join(name)
    }

    pub(super) fn damaged(&self, uid: Uid, e: io::Error) -> Error {
        let location = self.snapshot().hot(uid.get()).and_then(|row| {
            let picture = self.snapshot();
            self.known_location(&picture, row)
        });
        let path = location.map_or_else(|| self.cur.path().to_path_buf(), |l| self.path_of(&l));
        match e.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Error::Corrupt {
                path,
                reason: "not a message, or compressed data damaged or too large",
            },
            _ => Error::io(&path, e),
        }
    }
}
