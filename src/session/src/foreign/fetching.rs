//! What COPY and MOVE out of a mailbox of another account have in common: the
//! messages are fetched, and for MOVE expunged there when they are safe.

use super::{Next, Turn};
use crate::error::Error;
use crate::job::UidPieces;
use crate::link::LinkId;
use crate::session::State;
use roost_imap::ResponseCode;
use roost_imap::command::CopyArgs;
use roost_imap::parse::write_set;
use roost_imap::write::Status;
use roost_types::UidSet;

/// Messages that are expunged with one command.
const STEP: u64 = 1000;

/// The FETCH that brings the messages. By number it is answered in the view
/// that the client knows, since it tells no expunges.
pub(super) fn command(turn: &Turn<'_>, args: &CopyArgs) -> Vec<u8> {
    let uid = if args.uid { "UID " } else { "" };
    let mut command = format!("{} {uid}FETCH ", turn.tag).into_bytes();
    write_set(&mut command, &args.set);
    command.extend_from_slice(b" (UID FLAGS INTERNALDATE BODY.PEEK[])");
    command
}

/// Whether messages may be moved out of the selected mailbox.
pub(super) fn may_move(state: &State) -> Result<(), Error> {
    match state {
        State::Foreign(remote) if remote.read_only => Err(Error::refused(
            ResponseCode::ReadOnly,
            "Mailbox is selected read-only",
        )),
        State::Foreign(remote) if !remote.may_delete => {
            Err(Error::refused(ResponseCode::NoPerm, "Permission denied"))
        }
        _ => Ok(()),
    }
}

/// Expunges messages that have been copied.
pub(super) struct Removing {
    pieces: UidPieces,
    piece: UidSet,
    stage: Stage,
    /// Some are gone already.
    pub some: bool,
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
    Refused,
}

impl Removing {
    pub fn new(uids: &UidSet) -> Self {
        Self {
            pieces: UidPieces::new(uids),
            piece: UidSet::new(),
            stage: Stage::Marks,
            some: false,
        }
    }

    /// From here on it is not sure that they are still there.
    pub fn is_expunging(&self) -> bool {
        self.stage == Stage::Expunges
    }

    /// Whether `line` may tell of these as gone.
    pub fn may_be_told(&self, line: &[u8]) -> bool {
        self.is_expunging() && tells_expunges(line)
    }

    /// Begins with the next ones.
    pub fn go(&mut self, turn: &mut Turn<'_>, id: LinkId) -> Result<Removed, Error> {
        let Some(piece) = self.pieces.next(STEP) else {
            return Ok(Removed::All);
        };
        self.piece = piece;
        self.send(turn, id, Stage::Marks)
    }

    fn send(&mut self, turn: &mut Turn<'_>, id: LinkId, stage: Stage) -> Result<Removed, Error> {
        self.stage = stage;
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
    ) -> Result<Removed, Error> {
        match (self.stage, status) {
            (Stage::Marks, Status::Ok) => self.send(turn, id, Stage::Expunges),
            (Stage::Expunges, Status::Ok) => {
                self.some = true;
                self.go(turn, id)
            }
            (Stage::Expunges, _) => self.send(turn, id, Stage::Unmarks),
            (Stage::Marks | Stage::Unmarks, _) => Ok(Removed::Refused),
        }
    }
}
