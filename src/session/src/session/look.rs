//! Finding out what has changed in the selected mailbox, and telling it.

use super::{Session, State};
use crate::changes::{Changes, Told};
use crate::error::{Error, Fatal};
use crate::selected::Selected;

impl Session {
    /// Changes of the selected mailbox, as the disk has them now.
    pub(crate) fn look(&mut self, expunges: bool) -> Result<Changes, Fatal> {
        let changes = match &mut self.state {
            State::Selected(selected) => selected.refresh(expunges),
            _ => Ok(Changes::default()),
        };
        self.or_nothing(changes)
    }

    /// Has the worker see changes without telling them yet.
    pub(super) fn look_only(&mut self) -> Result<Changes, Fatal> {
        let looked = self.selected().and_then(Selected::look);
        self.or_nothing(looked.map(|()| Changes::default()))
    }

    /// Changes of the selected mailbox, as the worker knows of them.
    pub(super) fn news(&mut self, expunges: bool) -> Result<Changes, Fatal> {
        let changes = match &mut self.state {
            State::Selected(selected) => {
                let snapshot = selected.mailbox().snapshot();
                selected.advance(&snapshot, expunges, Told::Nothing)
            }
            _ => Ok(Changes::default()),
        };
        self.or_nothing(changes)
    }

    /// A mailbox that cannot be looked at just now has no news.
    fn or_nothing(&self, changes: Result<Changes, Error>) -> Result<Changes, Fatal> {
        changes.or_else(|error| match error {
            Error::Fatal(fatal) => Err(fatal),
            other => {
                self.log_problem(&other);
                Ok(Changes::default())
            }
        })
    }

    /// Writes changes; true when all are written.
    pub(crate) fn tell(&self, changes: &mut Changes, uid: bool, out: &mut Vec<u8>) -> bool {
        match &self.state {
            State::Selected(selected) => changes.write(out, selected, self.style(uid)),
            _ => true,
        }
    }
}
