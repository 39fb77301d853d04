//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3 and §6.4.9, RFC 4315 §2.1).

use super::Started;
use super::store::READ_ONLY;
use crate::error::Error;
use crate::job::{Job, Reply, STEP_MESSAGES, Step, UidPieces};
use crate::selected::deleted;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_types::{SequenceSet, SystemFlags, UidSet};

pub(super) fn start(session: &mut Session, set: Option<&SequenceSet>) -> Result<Started, Error> {
    let selected = session.selected()?;
    if selected.read_only() {
        return Err(Error::refused(ResponseCode::ReadOnly, READ_ONLY));
    }
    let expunging = match set {
        None => Expunging::all(session)?,
        Some(set) => {
            let seqs = selected.resolve(set, true)?;
            Expunging::of(&selected.view().uids_of(&seqs).live)
        }
    };
    Ok(Started::Job(Box::new(Expunge(expunging))))
}

struct Expunge(Expunging);

impl Job for Expunge {
    fn step(&mut self, session: &mut Session, _: &mut Vec<u8>) -> Result<Step, Error> {
        Ok(match self.0.step(session)? {
            true => Step::Done(Reply::ok("Expunge completed")),
            false => Step::More,
        })
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        Some(self.0.0.progress())
    }
}

/// Removes messages that have `\Deleted`, in pieces. What is gone the session
/// tells at the end, from the picture.
pub(super) struct Expunging(UidPieces);

impl Expunging {
    /// Of all messages that are marked now: what is marked later by others
    /// must not vanish unseen.
    pub fn all(session: &Session) -> Result<Self, Error> {
        let snapshot = session.selected()?.view().snapshot();
        let mut marked = UidSet::new();
        if snapshot.deleted() > 0 {
            for (_, row) in snapshot.iter() {
                if row.flags.contains(SystemFlags::DELETED) {
                    marked.insert(row.uid);
                }
            }
        }
        Ok(Self::of(&marked))
    }

    fn of(uids: &UidSet) -> Self {
        Self(UidPieces::new(uids))
    }

    /// True when all is done.
    pub fn step(&mut self, session: &mut Session) -> Result<bool, Error> {
        let Some(piece) = self.0.next(STEP_MESSAGES) else {
            return Ok(true);
        };
        let mailbox = session.selected()?.mailbox();
        let gone = mailbox.expunge(Some(&piece)).map_err(deleted)?;
        session.counters.expunged += gone.len();
        Ok(false)
    }
}
