//! Adding messages: APPEND and MULTIAPPEND.
//!
//! Each message streams into a file in `tmp/`; nothing of it is kept in
//! memory. Lines end with LF there, as Dovecot and Courier store them and as
//! mail readers on this host expect, yet so that serving them with CRLF gives
//! back what came: CRLF becomes LF except behind another CR.

use super::Mailbox;
use super::commit::{Incoming, Origin};
use crate::error::Error;
use crate::format::maildirsize::Sum;
use crate::format::name::{unique, with_sizes};
use roost_os::file;
use roost_types::{Keyword, SystemFlags, UidSet, UidValidity, UnixTime};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

/// Octets of a message whose size is not guessed.
const SMALL: u64 = 64 << 10;
/// Files kept open until they are synced together.
const UNSYNCED: usize = 32;

/// Messages on their way into a mailbox. Dropped without `commit`, it leaves
/// nothing behind.
pub struct Append {
    mailbox: Arc<Mailbox>,
    finished: Vec<Incoming>,
    /// Of these, what may not be on disk yet.
    unsynced: Vec<File>,
    current: Option<Current>,
    /// Octets that a message may have.
    max_size: u64,
}

/// UIDs in the order of the messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendOutcome {
    pub uid_validity: UidValidity,
    pub uids: UidSet,
}

/// The message being written.
struct Current {
    incoming: Incoming,
    file: BufWriter<File>,
    lines: LineEnds,
    internal_date: Option<UnixTime>,
    /// Octets as they came.
    received: u64,
}

impl Mailbox {
    /// Begins to add messages; nothing shows before [`Append::commit`].
    pub fn append(self: &Arc<Self>) -> Result<Append, Error> {
        self.check_exists()?;
        Ok(Append {
            mailbox: Arc::clone(self),
            finished: Vec::new(),
            unsynced: Vec::new(),
            current: None,
            max_size: self.options.max_message_size,
        })
    }

    /// A new file in `tmp` with the permissions of this mailbox.
    pub(super) fn create_temporary(&self) -> Result<(String, File), Error> {
        let name = unique();
        let file = file::create_excl(&self.tmp, name.as_bytes(), self.perm.file_mode)
            .map_err(|e| Error::io(self.tmp.path(), e))?;
        self.perm.give_group(&file, self.tmp.path());
        Ok((name, file))
    }
}

impl Append {
    /// Messages that one command can add.
    pub const MAX_MESSAGES: usize = 10_000;

    /// Where the messages go.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Takes messages whose size has been looked at already, before they were
    /// brought into the form in which they come.
    pub fn of_any_size(mut self) -> Self {
        self.max_size = u64::MAX;
        self
    }

    /// Begins a message; the one before must be finished, or is given up.
    pub fn begin_message(
        &mut self,
        flags: SystemFlags,
        keywords: &[Keyword],
        internal_date: Option<UnixTime>,
    ) -> Result<(), Error> {
        self.current = None;
        if self.finished.len() >= Self::MAX_MESSAGES {
            return Err(Error::Limit("messages of one command"));
        }
        let (temporary, file) = self.mailbox.create_temporary()?;
        self.current = Some(Current {
            incoming: Incoming {
                mailbox: Arc::clone(&self.mailbox),
                origin: Origin::Temporary(temporary),
                name: Vec::new(),
                guid: None,
                flags,
                keywords: keywords.to_vec(),
                stored: None,
                size: None,
                moved: false,
            },
            file: BufWriter::with_capacity(64 * 1024, file),
            lines: LineEnds::default(),
            internal_date,
            received: 0,
        });
        Ok(())
    }

    /// Adds octets to the message begun last.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let limit = self.max_size;
        let Some(current) = &mut self.current else {
            return Err(self.not_begun());
        };
        current.received = current.received.saturating_add(bytes.len() as u64);
        let written = if current.received > limit {
            Err(Error::TooLarge { limit })
        } else {
            let path = self.mailbox.tmp.path();
            let written = current.lines.write(&mut current.file, bytes);
            written.map_err(|e| Error::io(path, e))
        };
        if written.is_err() {
            self.current = None;
        }
        written
    }

    /// Ends the message; its file is invisible until all of them are on disk.
    pub fn finish_message(&mut self) -> Result<(), Error> {
        let Some(current) = self.current.take() else {
            return Err(self.not_begun());
        };
        let path = self.mailbox.tmp.path();
        let (mut incoming, file) = current.finish().map_err(|e| Error::io(path, e))?;
        if let Origin::Temporary(temporary) = &incoming.origin {
            let media = self.media_of(temporary, &incoming.keywords);
            incoming.keywords.extend(media);
        }
        self.finished.push(incoming);
        if self.mailbox.waits_for_sync() {
            self.unsynced.push(file);
        }
        if self.unsynced.len() >= UNSYNCED {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        let files = std::mem::take(&mut self.unsynced);
        let all: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        file::sync_together(&all).map_err(|e| Error::io(self.mailbox.tmp.path(), e))
    }

    /// `Error::OverQuota` if a message of `announced` octets with CRLF, which
    /// is stored with less, will surely find no room beside those before it.
    /// `freed` octets go with a message that it replaces.
    pub fn announce(&self, announced: u64, freed: Option<u64>) -> Result<(), Error> {
        // Lines of text are seldom so short that more than this is left out,
        // and small messages are soon here.
        let left_out = match announced <= SMALL {
            true => announced / 2,
            false => announced / 8,
        };
        let least = Sum::of(announced - left_out);
        let freed = freed.map_or(Sum::ZERO, Sum::of);
        self.mailbox.check_room(&self.finished, freed.minus(least))
    }

    /// As [`Append::commit`], for what comes in the place of a message of
    /// `freed` octets.
    pub(super) fn commit_for(self, freed: u64) -> Result<AppendOutcome, Error> {
        self.commit_with(Sum::of(freed))
    }

    /// Makes all messages visible, or none; `Error::OverQuota` where there is
    /// no room for them.
    pub fn commit(self) -> Result<AppendOutcome, Error> {
        self.commit_with(Sum::ZERO)
    }

    fn commit_with(mut self, freed: Sum) -> Result<AppendOutcome, Error> {
        self.close(freed)?;
        let finished = std::mem::take(&mut self.finished);
        self.show(finished)
    }

    /// How many messages are finished and not visible yet.
    pub fn waiting(&self) -> usize {
        self.finished.len()
    }

    /// Before [`commit_some`](Self::commit_some): all are on disk, and there is
    /// room for them. `Error::OverQuota` where there is none.
    pub fn prepare(&mut self) -> Result<(), Error> {
        self.close(Sum::ZERO)
    }

    /// Makes up to `most` more of them visible, or none; who wants all or none
    /// removes what came before an error.
    pub fn commit_some(&mut self, most: usize) -> Result<AppendOutcome, Error> {
        let most = most.min(self.finished.len());
        let some = self.finished.drain(..most).collect();
        self.show(some)
    }

    fn close(&mut self, freed: Sum) -> Result<(), Error> {
        self.current = None;
        self.mailbox.check_room(&self.finished, freed)?;
        self.sync()
    }

    fn show(&self, finished: Vec<Incoming>) -> Result<AppendOutcome, Error> {
        let (uid_validity, uids) = self.mailbox.commit(finished)?;
        // Others' messages may have been met beside it.
        self.mailbox.mark_some();
        Ok(AppendOutcome {
            uid_validity,
            uids: uids.into_iter().collect(),
        })
    }

    fn not_begun(&self) -> Error {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "no message begun");
        Error::io(self.mailbox.tmp.path(), source)
    }
}

impl Current {
    fn finish(self) -> io::Result<(Incoming, File)> {
        let Self {
            mut incoming,
            mut file,
            mut lines,
            internal_date,
            ..
        } = self;
        lines.finish(&mut file)?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Some(UnixTime(seconds)) = internal_date {
            file::set_mtime(&file, seconds, 0)?;
        }
        // A name is made only now: UIDs follow the order of names.
        incoming.name = with_sizes(&unique(), lines.stored, lines.size).into_bytes();
        Ok((incoming, file))
    }
}

/// Turns CRLF into LF and counts: what is stored, and what it is worth with
/// CRLF line ends (`,W=`).
#[derive(Default)]
struct LineEnds {
    /// The octet before the next one.
    before: Option<u8>,
    /// A CR that may have to be left out.
    pending: bool,
    stored: u64,
    size: u64,
}

impl LineEnds {
    fn write(&mut self, out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(at) = memchr::memchr2(b'\r', b'\n', bytes) {
            let (text, rest) = bytes.split_at(at);
            self.text(out, text)?;
            let Some((&end, rest)) = rest.split_first() else {
                break;
            };
            bytes = rest;
            if end == b'\n' {
                self.line_end(out)?;
            } else if self.pending || self.before == Some(b'\r') {
                self.flush(out)?;
                self.put(out, b"\r")?;
            } else {
                self.pending = true;
            }
        }
        self.text(out, bytes)
    }

    fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.flush(out)
    }

    fn text(&mut self, out: &mut impl Write, text: &[u8]) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.flush(out)?;
        self.put(out, text)
    }

    fn line_end(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.pending = false;
        if self.before != Some(b'\r') {
            self.size += 1;
        }
        self.put(out, b"\n")
    }

    fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        if std::mem::take(&mut self.pending) {
            self.put(out, b"\r")?;
        }
        Ok(())
    }

    fn put(&mut self, out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        out.write_all(bytes)?;
        self.before = bytes.last().copied();
        self.stored += bytes.len() as u64;
        self.size += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn store(pieces: &[&[u8]]) -> (Vec<u8>, LineEnds) {
        let mut out = Vec::new();
        let mut lines = LineEnds::default();
        for piece in pieces {
            lines.write(&mut out, piece).unwrap();
        }
        lines.finish(&mut out).unwrap();
        (out, lines)
    }

    /// What a reader gets: LF as CRLF unless a CR stands before it.
    fn serve(stored: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for &b in stored {
            if b == b'\n' && out.last() != Some(&b'\r') {
                out.push(b'\r');
            }
            out.push(b);
        }
        out
    }

    #[test]
    fn line_ends_become_lf_also_across_pieces() {
        let (out, lines) = store(&[b"a\r", b"\nb\r\n", b"\r", b"\n\rc\r"]);
        assert_eq!(out, b"a\nb\n\n\rc\r");
        assert_eq!((lines.stored, lines.size), (8, 11));
    }

    #[test]
    fn a_cr_before_crlf_is_not_lost() {
        let (out, lines) = store(&[b"a\r\r\nb"]);
        assert_eq!(out, b"a\r\r\nb");
        assert_eq!((lines.stored, lines.size), (5, 5));
    }

    proptest! {
        #[test]
        fn what_is_served_is_what_came(
            text in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..40),
            cut in 0usize..40,
        ) {
            let cut = cut.min(text.len());
            let (a, b) = text.split_at(cut);
            let (out, lines) = store(&[a, b]);
            prop_assert_eq!(lines.stored, out.len() as u64);
            let served = serve(&out);
            prop_assert_eq!(lines.size, served.len() as u64);
            // With a CR before every LF, octet for octet.
            prop_assert_eq!(served, serve(&text));
        }
    }
}
