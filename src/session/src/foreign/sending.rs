//! What COPY and MOVE into a mailbox of another account have in common: the
//! messages go there in an APPEND, which takes all or none.

use super::append::write_name;
use super::{Turn, announce};
use crate::cmd;
use crate::error::Error;
use crate::job::Reply;
use crate::link::LinkId;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::command::Encrypted;
use roost_imap::parse::appended;
use roost_imap::write::{self, Status};
use roost_store::CopyMode;
use roost_types::{Keyword, SystemFlags, Uid, UnixTime};

/// Messages of one COPY, which is one APPEND.
const MOST_COPIED: u64 = if cfg!(test) { 5 } else { 10_000 };

/// So many messages can be copied with one command, or moved.
pub(super) fn check(mode: CopyMode, count: u64) -> Result<(), Error> {
    match mode == CopyMode::Copy && count > MOST_COPIED {
        true => Err(Error::refused(
            ResponseCode::Limit,
            "Too many messages to be copied at once to another account",
        )),
        false => Ok(()),
    }
}

/// What an APPEND to a mailbox says before its messages: the name as the client
/// wrote it, and whom they are to be encrypted for.
pub(super) fn destination(
    session: &Session,
    mailbox: &[u8],
    encrypted: Option<&Encrypted>,
) -> Result<Vec<u8>, Error> {
    let mut destination = Vec::new();
    write_name(&mut destination, mailbox);
    if let Some(data) = encrypted {
        let argument = cmd::encrypted::argument(session, data)?;
        destination.extend_from_slice(argument.as_bytes());
    }
    Ok(destination)
}

/// Sends the beginning of an APPEND.
pub(super) fn begin(turn: &mut Turn<'_>, to: LinkId, destination: &[u8]) -> Result<(), Error> {
    let mut head = format!("{} APPEND ", turn.tag).into_bytes();
    head.extend_from_slice(destination);
    turn.begin(to, &head)
}

/// Appends what stands before a message, with its flags as [`announce`] takes
/// them. For the `first` one of an APPEND the
/// session there is asked whether it takes it.
pub(super) fn message(
    output: &mut Vec<u8>,
    (flags, keywords, short_mdn): (SystemFlags, &[Keyword], bool),
    date: Option<UnixTime>,
    size: u64,
    first: bool,
) {
    announce(output, flags, keywords, short_mdn, date);
    output.push(b'{');
    write::number64(output, size);
    output.extend_from_slice(if first { b"}\r\n" } else { b"+}\r\n" });
}

/// The answer to the APPEND tells what has become of `sent`: that is the answer
/// to a COPY. The client of a MOVE needs it before the messages go.
pub(super) fn done(
    turn: &mut Turn<'_>,
    mode: CopyMode,
    sent: &[Uid],
    line: &[u8],
) -> Option<Reply> {
    let code = appended(line).and_then(|(validity, uids)| {
        let pairs: Vec<(Uid, Uid)> = sent.iter().copied().zip(uids.iter()).collect();
        (uids.len() == sent.len() as u64).then_some(ResponseCode::CopyUid { validity, pairs })
    });
    if mode == CopyMode::Copy {
        let mut reply = Reply::ok("Copy completed");
        reply.code = code;
        return Some(reply);
    }
    if code.is_some() {
        write::untagged(turn.out, Status::Ok, code.as_ref(), "Moved");
    }
    None
}
