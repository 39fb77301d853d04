//! Telling our own changes from those of others.
//!
//! Every rename, link and unlink we do comes back through inotify. What we
//! are about to do is noted here first; an event that was noted is ours and
//! needs no listing, any other means that somebody else was at work. A note
//! that no event ever takes away expires.

use super::lock;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Four times what the kernel queues by default.
const MAX_NOTES: usize = 65_536;
/// How long an event may be under way.
const LIFE: Duration = Duration::from_secs(10);

/// Which directory of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Sub {
    New,
    Cur,
}

#[derive(Default)]
pub(crate) struct OwnEvents {
    notes: Mutex<Notes>,
    hasher: RandomState,
    /// Without events to come there is nothing to note.
    enabled: AtomicBool,
}

#[derive(Default)]
struct Notes {
    all: HashMap<u64, Note>,
    /// When expired notes were last looked for.
    tidied: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Note {
    count: u32,
    made: Instant,
}

impl OwnEvents {
    pub fn enable(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Release);
        if !enabled {
            self.clear();
        }
    }

    /// Notes one event to come. With too many notes it is left out: then the
    /// event will be taken for somebody else's.
    pub fn expect(&self, sub: Sub, name: &[u8]) {
        if !self.enabled.load(Ordering::Acquire) {
            return;
        }
        let mut notes = lock(&self.notes);
        let made = Instant::now();
        if notes.all.len() >= MAX_NOTES {
            // Seldom, for it looks at every note.
            if notes.tidied.is_some_and(|t| made.duration_since(t) < LIFE) {
                return;
            }
            notes.tidied = Some(made);
            notes.all.retain(|_, n| made.duration_since(n.made) < LIFE);
        }
        let note = notes
            .all
            .entry(self.hasher.hash_one((sub, name)))
            .or_insert(Note { count: 0, made });
        note.count += 1;
        note.made = made;
    }

    /// Takes a note away; true if there was one.
    pub fn take(&self, sub: Sub, name: &[u8]) -> bool {
        let mut notes = lock(&self.notes);
        let key = self.hasher.hash_one((sub, name));
        let Some(note) = notes.all.get_mut(&key) else {
            return false;
        };
        let fresh = note.made.elapsed() < LIFE;
        note.count -= 1;
        if note.count == 0 {
            notes.all.remove(&key);
        }
        fresh
    }

    pub fn clear(&self) {
        lock(&self.notes).all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_note_explains_one_event() {
        let own = OwnEvents::default();
        own.enable(true);
        own.expect(Sub::Cur, b"a:2,S");
        own.expect(Sub::Cur, b"a:2,S");
        assert!(!own.take(Sub::New, b"a:2,S"));
        assert!(own.take(Sub::Cur, b"a:2,S"));
        assert!(own.take(Sub::Cur, b"a:2,S"));
        assert!(!own.take(Sub::Cur, b"a:2,S"));
    }

    #[test]
    fn notes_are_limited() {
        let own = OwnEvents::default();
        own.enable(true);
        for i in 0..MAX_NOTES + 5 {
            own.expect(Sub::Cur, i.to_string().as_bytes());
        }
        assert!(lock(&own.notes).all.len() <= MAX_NOTES + 1);
        assert!(own.take(Sub::Cur, b"5"));
        own.clear();
        assert!(!own.take(Sub::Cur, b"0"));
    }
}
