//! REPLACE and UID REPLACE (RFC 8508). The message streams in as that of an
//! APPEND does, see [`super::append`].

use super::store::READ_ONLY;
use crate::error::Error;
use crate::job::Reply;
use crate::selected::deleted;
use crate::session::{Named, Session};
use roost_imap::ResponseCode;
use roost_imap::command::Replaced;
use roost_imap::write::{self, Status};
use roost_store::{Append, Error as StoreError};
use roost_types::{SequenceSet, Uid};
use std::sync::Arc;

/// The message to be replaced, before its successor is asked for.
pub(crate) fn target(session: &Session, replaced: &Replaced) -> Result<Uid, Error> {
    if session.enabled().uid_only && !replaced.uid {
        return Err(Error::UidRequired);
    }
    let selected = session.selected()?;
    let set = SequenceSet::Ranges(vec![(replaced.message, replaced.message)]);
    let seqs = selected.resolve(&set, replaced.uid)?;
    if selected.read_only() {
        return Err(Error::refused(ResponseCode::ReadOnly, READ_ONLY));
    }
    let view = selected.view();
    let Some(message) = seqs.min().and_then(|seq| view.at(seq)) else {
        return Err(Error::refused(
            ResponseCode::NonExistent,
            "No message has this UID",
        ));
    };
    match message.ghost {
        true => Err(StoreError::Expunged.into()),
        false => Ok(message.row.uid),
    }
}

/// The client learns the new UID before the old message goes (RFC 8508 §4.3).
pub(super) fn commit(
    session: &mut Session,
    append: Append,
    old: Uid,
    named: &Named,
    out: &mut Vec<u8>,
) -> Result<Reply, Error> {
    let from = Arc::clone(session.selected()?.mailbox());
    from.refresh().map_err(deleted)?;
    let mailbox = Arc::clone(append.mailbox());
    let before = session.before_adding(&mailbox);
    let outcome = append.replace(&from, old).map_err(Error::Destination)?;
    session.after_adding(&mailbox, &before, &outcome.uids);
    session.counters.appended += outcome.uids.len();
    session.counters.expunged += 1;
    session.tell_normalized(named, false, out);
    let code = ResponseCode::AppendUid {
        validity: outcome.uid_validity,
        uids: outcome.uids,
    };
    write::untagged(out, Status::Ok, Some(&code), "Replacement message ready");
    Ok(Reply::ok("Replace completed"))
}
