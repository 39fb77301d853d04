//! What others than the owner have seen of the mailbox.

use super::{Mailbox, lock};
use crate::error::Error;
use crate::index::{next_modseq_of_reader, note_modseq_of_reader};
use crate::seen::Reader;
use crate::seen::file::{Entry, SeenFile};
use roost_types::UidSet;
use std::sync::{Arc, Weak};

/// More ranges than this are looked at again when they have doubled.
const FEW_RANGES: usize = 64;

/// The file, and the readers of whom there are sessions.
#[derive(Default)]
pub(super) struct Readers {
    file: Option<SeenFile>,
    live: Vec<Weak<Reader>>,
    /// Ranges that the largest set had when it was made simpler last.
    simple: usize,
}

impl Mailbox {
    /// What an account that is not the owner's has seen. The same for all of
    /// its sessions.
    pub fn reader(&self, account: &str) -> Result<Arc<Reader>, Error> {
        let mut readers = lock(&self.readers);
        self.read_readers(&mut readers)?;
        let mut live = readers.live.iter().filter_map(Weak::upgrade);
        if let Some(reader) = live.find(|r| r.name == account) {
            return Ok(reader);
        }
        readers.live.retain(|reader| reader.strong_count() > 0);
        let entry = (readers.file.as_ref()).and_then(|file| file.readers.get(account));
        let validity = self.snapshot().uid_validity();
        let none = Entry::default();
        let reader = Arc::new(Reader::new(account, entry.unwrap_or(&none), validity));
        readers.live.push(Arc::downgrade(&reader));
        Ok(reader)
    }

    /// Marks messages as seen by a reader, or as not seen by it. Its sessions
    /// are woken.
    pub fn mark_seen(&self, reader: &Reader, uids: &UidSet, seen: bool) -> Result<(), Error> {
        let mut readers = lock(&self.readers);
        self.read_readers(&mut readers)?;
        let uids = reader.those(uids, !seen);
        if uids.is_empty() {
            return Ok(());
        }
        {
            // No other change may get a number meanwhile.
            let core = self.core();
            let Readers { file, simple, .. } = &mut *readers;
            let Some(file) = file else {
                return Ok(());
            };
            if reader.ranges() > FEW_RANGES.max(*simple * 2) {
                file.restate(&reader.name, reader.restate(&core.snapshot));
                *simple = reader.ranges();
            }
            let before = core.snapshot.highest_modseq().0.max(reader.highest());
            let modseq = next_modseq_of_reader(before);
            file.mark(&reader.name, (&uids, seen, modseq), self.options.fsync)?;
            reader.change(&uids, seen, modseq);
        }
        drop(readers);
        self.wake();
        Ok(())
    }

    /// Forgets what those have seen who are not to be kept.
    pub(crate) fn retain_readers(&self, keep: impl Fn(&str) -> bool) -> Result<(), Error> {
        let mut readers = lock(&self.readers);
        self.read_readers(&mut readers)?;
        let core = self.core();
        let Readers { file, live, .. } = &mut *readers;
        let Some(file) = file else {
            return Ok(());
        };
        file.retain(&keep, self.options.fsync)?;
        for reader in live.iter().filter_map(Weak::upgrade) {
            if !keep(&reader.name) {
                let before = core.snapshot.highest_modseq().0.max(reader.highest());
                reader.reset(&Entry::default(), next_modseq_of_reader(before));
            }
        }
        Ok(())
    }

    fn read_readers(&self, readers: &mut Readers) -> Result<(), Error> {
        let Readers { file, live, .. } = readers;
        let changed = match file {
            Some(file) => file.refresh()?,
            None => {
                let validity = self.snapshot().uid_validity();
                let loaded = SeenFile::load(&self.dir, Some(validity))?;
                note_modseq_of_reader(loaded.highest());
                *file = Some(loaded);
                false
            }
        };
        let Some(file) = file.as_ref().filter(|_| changed) else {
            return Ok(());
        };
        // Somebody has put it back from elsewhere, or taken it away.
        let core = self.core();
        for reader in live.iter().filter_map(Weak::upgrade) {
            let entry = file.readers.get(&reader.name);
            let before = core.snapshot.highest_modseq().0.max(reader.highest());
            let modseq = next_modseq_of_reader(before);
            reader.reset(entry.unwrap_or(&Entry::default()), modseq);
        }
        Ok(())
    }
}
