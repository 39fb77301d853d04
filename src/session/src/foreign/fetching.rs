//! What COPY and MOVE out of a mailbox of another account have in common: the
//! messages are fetched, and for MOVE expunged there when they are safe.

use super::{Next, STEP, Turn};
use crate::error::Error;
use crate::job::{Reply, UidPieces};
use crate::link::LinkId;
use crate::session::State;
use roost_imap::ResponseCode;
use roost_imap::write::Status;
use roost_types::UidSet;

/// The FETCH that brings the messages of a set. By number it is answered in
/// the view that the client knows, since it tells no expunges.
pub(super) fn command(turn: &Turn<'_>, uid: bool, set: &[u8]) -> Vec<u8> {
    let uid = if uid { "UID " } else { "" };
    let mut command = format!("{} {uid}FETCH ", turn.tag).into_bytes();
    command.extend_from_slice(set);
    command.extend_from_slice(b" (UID FLAGS INTERNALDATE BODY.PEEK[])");
    command
}

/// Whether anything may be moved out of the selected mailbox; which rights
/// there are is asked for ([`Moving`](super::moving::Moving)).
pub(super) fn may_move(state: &State) -> Result<(), Error> {
    match state {
        State::Foreign(remote) if remote.read_only => Err(Error::refused(
            ResponseCode::ReadOnly,
            "Mailbox is selected read-only",
        )),
        _ => Ok(()),
    }
}

/// Expunges messages that have been copied.
pub(super) struct Removing {
    pieces: UidPieces,
    piece: UidSet,
    /// Those that others had marked as deleted before.
    marked: UidSet,
    stage: Stage,
    /// Some are gone already.
    some: bool,
    /// Some may be marked as deleted for this: whoever expunges next, a client
    /// that knows nothing of it perhaps, takes them away.
    stands: bool,
    /// Why they may not be expunged.
    refusal: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Marks,
    Expunges,
    /// They may not be expunged: the mark is taken away again.
    Unmarks,
}

/// Whether a line tells that messages are gone.
fn tells_expunges(line: &[u8]) -> bool {
    line.starts_with(b"* VANISHED ") || line.trim_ascii_end().ends_with(b" EXPUNGE")
}

/// What an answer led to.
pub(super) enum Removed {
    Go(Next),
    All,
    /// The answer says why not.
    Refused(Vec<u8>),
}

impl Removed {
    /// What the command wants, if this is its end.
    pub fn ends(self, turn: &mut Turn<'_>) -> Next {
        match self {
            Self::Go(next) => next,
            Self::All => Next::Done(Reply::ok("Move completed")),
            Self::Refused(line) => {
                turn.out.extend_from_slice(&line);
                Next::Passed
            }
        }
    }
}

impl Removing {
    pub fn new(uids: &UidSet, marked: UidSet) -> Self {
        Self {
            pieces: UidPieces::new(uids),
            piece: UidSet::new(),
            marked,
            stage: Stage::Marks,
            some: false,
            stands: false,
            refusal: None,
        }
    }

    /// From here on it is not sure that they are still there.
    pub fn is_expunging(&self) -> bool {
        self.stage == Stage::Expunges
    }

    /// Whether the copies may be all that there is of some, soon at least.
    pub fn needs_copies(&self) -> bool {
        self.some || self.stands
    }

    /// Whether `line` may tell of these as gone.
    pub fn may_be_told(&self, line: &[u8]) -> bool {
        self.is_expunging() && tells_expunges(line)
    }

    /// Begins with the next ones.
    pub fn go(&mut self, turn: &mut Turn<'_>, id: LinkId) -> Result<Removed, Error> {
        let Some(piece) = self.pieces.next(STEP as u64) else {
            return Ok(Removed::All);
        };
        self.piece = piece;
        self.send(turn, id, Stage::Marks)
    }

    fn send(&mut self, turn: &mut Turn<'_>, id: LinkId, stage: Stage) -> Result<Removed, Error> {
        self.stage = stage;
        self.stands = true;
        let (tag, set) = (turn.tag, &self.piece);
        let command = match stage {
            Stage::Marks => format!("{tag} UID STORE {set} +FLAGS.SILENT (\\Deleted)"),
            Stage::Expunges => format!("{tag} UID EXPUNGE {set}"),
            Stage::Unmarks => format!("{tag} UID STORE {set} -FLAGS.SILENT (\\Deleted)"),
        };
        Ok(Removed::Go(turn.send(id, command.as_bytes())?))
    }

    /// The session there has answered.
    pub fn answered(
        &mut self,
        turn: &mut Turn<'_>,
        id: LinkId,
        status: Status,
        line: &[u8],
    ) -> Result<Removed, Error> {
        match (self.stage, status) {
            (Stage::Marks, Status::Ok) => self.send(turn, id, Stage::Expunges),
            (Stage::Expunges, Status::Ok) => {
                self.some = true;
                self.go(turn, id)
            }
            (Stage::Expunges, _) => {
                self.refusal = Some(line.to_vec());
                self.piece = self.piece.difference(&self.marked);
                match self.piece.is_empty() {
                    true => {
                        self.stands = false;
                        Ok(self.refused(line))
                    }
                    false => self.send(turn, id, Stage::Unmarks),
                }
            }
            (Stage::Marks, _) | (Stage::Unmarks, Status::Ok) => {
                self.stands = false;
                Ok(self.refused(line))
            }
            (Stage::Unmarks, _) => Ok(self.refused(line)),
        }
    }

    fn refused(&mut self, line: &[u8]) -> Removed {
        Removed::Refused(self.refusal.take().unwrap_or_else(|| line.to_vec()))
    }
}
