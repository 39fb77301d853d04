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

/// A change is written down so often while the mailbox goes on changing.
const TRIES: u32 = 3;

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
        let entry = readers.file.as_ref().map(|file| file.entry(account));
        let validity = self.snapshot().uid_validity();
        let reader = Arc::new(Reader::new(account, &entry.unwrap_or_default(), validity));
        readers.live.push(Arc::downgrade(&reader));
        Ok(reader)
    }

    /// Marks messages as seen by a reader, or as not seen by it. Its sessions
    /// are woken.
    pub fn mark_seen(&self, reader: &Reader, uids: &UidSet, seen: bool) -> Result<(), Error> {
        self.mark_those_seen(reader, seen, || Ok((uids.clone(), ())))
    }

    /// The same for the messages that `choose` finds, while nobody else marks
    /// any in this mailbox; what else it has found.
    pub fn mark_those_seen<T, E: From<Error>>(
        &self,
        reader: &Reader,
        seen: bool,
        choose: impl FnOnce() -> Result<(UidSet, T), E>,
    ) -> Result<T, E> {
        let mut readers = lock(&self.readers);
        self.read_readers(&mut readers)?;
        let (uids, found) = choose()?;
        let uids = reader.those(&uids, !seen);
        if uids.is_empty() {
            return Ok(found);
        }
        self.note_seen(&mut readers, reader, (&uids, seen))?;
        drop(readers);
        self.wake();
        Ok(found)
    }

    /// Writes a change down before anybody sees it. No other change may be seen
    /// before it that has a higher number: then it gets another one and is
    /// written down again, for nobody waits for the disk meanwhile.
    fn note_seen(
        &self,
        readers: &mut Readers,
        reader: &Reader,
        (uids, seen): (&UidSet, bool),
    ) -> Result<(), Error> {
        let Readers { file, simple, .. } = readers;
        let Some(file) = file else {
            return Ok(());
        };
        if reader.ranges() > FEW_RANGES.max(*simple * 2) {
            file.restate(&reader.name, reader.restate(&self.snapshot()));
            *simple = reader.ranges();
        }
        let mut core = self.core();
        for tries in 1..=TRIES {
            let before = core.snapshot.highest_modseq().0.max(reader.highest());
            let modseq = next_modseq_of_reader(before);
            let held = match tries == TRIES {
                true => Some(core),
                false => {
                    drop(core);
                    None
                }
            };
            file.mark(&reader.name, (uids, seen, modseq), self.options.fsync)?;
            core = held.unwrap_or_else(|| self.core());
            if core.snapshot.highest_modseq().0 < modseq {
                reader.change(uids, seen, modseq);
                break;
            }
        }
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
        let gone = live.iter().filter_map(Weak::upgrade);
        let gone: Vec<_> = gone.filter(|reader| !keep(&reader.name)).collect();
        let known = gone.iter().map(|reader| reader.highest());
        let before = known.fold(core.snapshot.highest_modseq().0, u64::max);
        let modseq = next_modseq_of_reader(before.max(file.highest()));
        file.retain(&keep, modseq, self.options.fsync)?;
        for reader in gone {
            reader.reset(&Entry::default(), modseq);
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
        note_modseq_of_reader(file.highest());
        let core = self.core();
        for reader in live.iter().filter_map(Weak::upgrade) {
            let before = core.snapshot.highest_modseq().0.max(reader.highest());
            let modseq = next_modseq_of_reader(before);
            reader.reset(&file.entry(&reader.name), modseq);
        }
        Ok(())
    }
}
