//! What others than the owner have seen of the mailbox.

use super::{Mailbox, lock};
use crate::error::Error;
use crate::format::FormatError;
use crate::index::{next_modseq_of_reader, note_modseq_of_reader};
use crate::seen::Reader;
use crate::seen::file::{Entry, Held, SeenFile};
use roost_types::UidSet;
use std::sync::{Arc, MutexGuard, Weak};

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
    /// any for this reader; what else it has found.
    pub fn mark_those_seen<T, E: From<Error>>(
        &self,
        reader: &Reader,
        seen: bool,
        choose: impl FnOnce() -> Result<(UidSet, T), E>,
    ) -> Result<T, E> {
        let _alone = reader.alone();
        self.read_readers(&mut lock(&self.readers))?;
        let (uids, found) = choose()?;
        if !reader.those(&uids, !seen).is_empty() {
            self.note_seen(reader, (&uids, seen))?;
            self.wake();
        }
        Ok(found)
    }

    fn note_seen(&self, reader: &Reader, (uids, seen): (&UidSet, bool)) -> Result<(), Error> {
        let (_turn, mut held) = self.hold_seen()?;
        let mut readers = lock(&self.readers);
        self.read_readers(&mut readers)?;
        let uids = reader.those(uids, !seen);
        let Readers { file, simple, .. } = &mut *readers;
        let Some(file) = file.as_mut().filter(|_| !uids.is_empty()) else {
            return Ok(());
        };
        if reader.ranges() > FEW_RANGES.max(*simple * 2) {
            file.restate(&reader.name, reader.restate(&self.snapshot()));
            *simple = reader.ranges();
        }
        self.in_order(
            reader.highest(),
            |modseq| file.mark(&reader.name, (&uids, seen, modseq), &mut held),
            |modseq| reader.change(&uids, seen, modseq),
        )
    }

    /// Forgets what those have seen who are not to be kept.
    pub(crate) fn retain_readers(&self, keep: impl Fn(&str) -> bool) -> Result<(), Error> {
        let (_turn, mut held) = self.hold_seen()?;
        let mut readers = lock(&self.readers);
        self.read_readers(&mut readers)?;
        let Readers { file, live, .. } = &mut *readers;
        let Some(file) = file else {
            return Ok(());
        };
        let live = live.iter().filter_map(Weak::upgrade);
        let gone: Vec<_> = live.filter(|reader| !keep(&reader.name)).collect();
        let known = gone.iter().map(|reader| reader.highest());
        let known = known.fold(file.highest(), u64::max);
        let strangers = file.strangers(keep);
        self.in_order(
            known,
            |modseq| file.forget(&strangers, modseq, &mut held),
            |modseq| {
                for reader in &gone {
                    reader.reset(&Entry::default(), modseq);
                }
            },
        )
    }

    /// Waits for the file's lock. Who only reads does not wait for that.
    fn hold_seen(&self) -> Result<(MutexGuard<'_, ()>, Held), Error> {
        let turn = lock(&self.noting);
        let held = Held::acquire(&self.dir, self.options.fsync, self.options.lock_timeout)?;
        Ok((turn, held))
    }

    /// Writes a change down before it is shown, with a number above `known`. No
    /// other change may be seen before it that has a higher one: then it gets
    /// another one and is written down again, for nobody waits for the disk
    /// meanwhile.
    fn in_order(
        &self,
        known: u64,
        mut write: impl FnMut(u64) -> Result<(), FormatError>,
        show: impl FnOnce(u64),
    ) -> Result<(), Error> {
        let mut core = self.core();
        for tries in 1..=TRIES {
            let modseq = next_modseq_of_reader(core.snapshot.highest_modseq().0.max(known));
            let held = match tries == TRIES {
                true => Some(core),
                false => {
                    drop(core);
                    None
                }
            };
            write(modseq)?;
            core = held.unwrap_or_else(|| self.core());
            if core.snapshot.highest_modseq().0 < modseq {
                show(modseq);
                break;
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
