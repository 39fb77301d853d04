//! What the watching thread tells a mailbox, and what it needs for that: it
//! outlives the mailbox's last use, so that what is heard while the mailbox is
//! being closed counts as well.

use super::own::{OwnEvents, Sub};
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct Marks {
    pub own: OwnEvents,
    /// Somebody other than ourselves has changed `new`, `cur`.
    dirty: [AtomicBool; 2],
    /// inotify reports every change of this mailbox.
    watched: AtomicBool,
    /// Network file systems tell inotify nothing.
    local: bool,
}

impl Marks {
    pub fn new(local: bool) -> Self {
        Self {
            own: OwnEvents::default(),
            dirty: Default::default(),
            watched: AtomicBool::new(false),
            local,
        }
    }

    /// Somebody else was at work in one directory, or may have been in both.
    pub fn set_dirty(&self, sub: Option<Sub>) {
        for (flag, this) in self.dirty.iter().zip([Sub::New, Sub::Cur]) {
            if sub.is_none_or(|sub| sub == this) {
                flag.store(true, Ordering::Release);
            }
        }
    }

    pub fn is_dirty(&self) -> bool {
        self.dirty.iter().any(|d| d.load(Ordering::Acquire))
    }

    /// What is dirty, and to be looked at now.
    pub fn take_dirty(&self) -> [bool; 2] {
        self.dirty
            .each_ref()
            .map(|d| d.swap(false, Ordering::AcqRel))
    }

    pub fn set_watched(&self, watched: bool) {
        let watched = watched && self.local;
        self.watched.store(watched, Ordering::Release);
        self.own.enable(watched);
    }

    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Acquire)
    }
}
