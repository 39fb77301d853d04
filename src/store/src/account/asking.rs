//! STATUS of a mailbox, open or not. Sizes and dates that nobody knows yet are
//! in the files: those are looked at in steps, and what was learnt stays, so
//! that nothing is lost of a question that is given up.

use super::cache::StatusCache;
use super::status::{self, Details, Status};
use super::{Account, lock};
use crate::error::Error;
use crate::mailbox::Mailbox;
use crate::snapshot::Snapshot;
use crate::snapshot::sight::Sight;
use roost_types::{MailboxName, SeqNum};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Files looked at in one step.
const STEP_FILES: usize = 300;
/// A step ends soon after so long.
const STEP_TIME: Duration = Duration::from_millis(10);

/// What has become of a question.
pub enum Asked {
    Told(Status),
    Looking(Looking),
}

/// A question that cannot be answered yet.
pub struct Looking {
    account: Arc<Account>,
    mailbox: Arc<Mailbox>,
    picture: Arc<Snapshot>,
    sight: Sight,
    details: Details,
    /// Messages of which all is known.
    done: u32,
}

impl Account {
    /// Counts of a mailbox as most see it, however long that takes.
    pub fn status(self: &Arc<Self>, name: &MailboxName, details: Details) -> Result<Status, Error> {
        self.status_for(name, Sight::USUAL, details)
    }

    /// Counts of what is shown of a mailbox, however long that takes.
    pub fn status_for(
        self: &Arc<Self>,
        name: &MailboxName,
        sight: Sight,
        details: Details,
    ) -> Result<Status, Error> {
        let mut asked = self.ask_status(name, sight, details)?;
        loop {
            asked = match asked {
                Asked::Told(status) => return Ok(status),
                Asked::Looking(looking) => looking.step()?,
            }
        }
    }

    /// Begins to find out counts of what is shown of a mailbox.
    pub fn ask_status(
        self: &Arc<Self>,
        name: &MailboxName,
        sight: Sight,
        details: Details,
    ) -> Result<Asked, Error> {
        if !self.is_open(name) {
            let directory = self.directory_of(name)?;
            let known = match self.index.open() {
                Some(index) => status::told(&index, &directory, sight, details),
                // Without an index those that most ask for are remembered.
                None if sight == Sight::USUAL => {
                    lock(&self.statuses).get(name, &directory, details)
                }
                None => None,
            };
            if let Some(status) = known {
                return Ok(Asked::Told(status));
            }
        }
        let mailbox = self.open_unlisted(name)?;
        let looking = Looking {
            account: Arc::clone(self),
            picture: mailbox.snapshot(),
            mailbox,
            sight,
            details,
            done: 0,
        };
        match looking.is_known() {
            true => looking.tell(),
            false => Ok(Asked::Looking(looking)),
        }
    }
}

impl Looking {
    /// Does some milliseconds' work.
    pub fn step(mut self) -> Result<Asked, Error> {
        let start = Instant::now();
        let mut files = 0;
        let picture = Arc::clone(&self.picture);
        let first = SeqNum::new(self.done.saturating_add(1)).unwrap_or(SeqNum::MIN);
        for (_, row) in picture.rows_from(first) {
            self.done += 1;
            let mut looked = false;
            if picture.known_size(row.uid).is_none() {
                looked = true;
                passed_over(self.mailbox.size(row.uid))?;
            }
            if self.details == Details::All && picture.known_internal_date(row.uid).is_none() {
                looked = true;
                passed_over(self.mailbox.internal_date(row.uid))?;
            }
            files += usize::from(looked);
            if looked && (files >= STEP_FILES || start.elapsed() >= STEP_TIME) {
                return Ok(Asked::Looking(self));
            }
        }
        self.tell()
    }

    /// How many messages are known, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.done.into(), self.picture.len().into())
    }

    fn is_known(&self) -> bool {
        let Self {
            mailbox, picture, ..
        } = self;
        self.details == Details::Counts || mailbox.has_found(picture, self.sight, self.details)
    }

    fn tell(self) -> Result<Asked, Error> {
        let Self {
            account, mailbox, ..
        } = &self;
        let remembered = self.sight == Sight::USUAL && account.index.open().is_none();
        let before = remembered.then(|| StatusCache::stamp(mailbox)).flatten();
        let status = mailbox.status_for(self.sight, self.details)?;
        if remembered {
            lock(&account.statuses).put(mailbox, before, status);
        }
        Ok(Asked::Told(status))
    }
}

/// A message that is gone or damaged has nothing to be known.
fn passed_over<T>(looked: Result<T, Error>) -> Result<(), Error> {
    match looked {
        Ok(_) | Err(Error::Expunged | Error::Corrupt { .. }) => Ok(()),
        Err(e) => Err(e),
    }
}
