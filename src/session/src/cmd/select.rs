//! SELECT and EXAMINE (RFC 9051 §6.3.2 and §6.3.3, RFC 3501 §6.3.1).

use crate::error::Error;
use crate::job::Reply;
use crate::object_id;
use crate::selected::Selected;
use crate::session::{Named, Session, State};
use roost_imap::ResponseCode;
use roost_imap::command::{SelectArgs, SelectParam};
use roost_imap::write::{self, Status};
use roost_types::SeqNum;

pub(super) fn run(
    session: &mut Session,
    args: &SelectArgs,
    out: &mut Vec<u8>,
) -> Result<Reply, Error> {
    if let Some(SelectParam::Unknown(_)) = args.params.first() {
        return Err(Error::Bad("Unknown parameter"));
    }
    // The mailbox before is closed even if the new one cannot be opened.
    if let State::Selected(_) = session.state {
        session.state = State::Authenticated;
        let text = "Previous mailbox is closed";
        write::untagged(out, Status::Ok, Some(&ResponseCode::Closed), text);
    }
    let named = session.name(&args.mailbox)?;
    let selected = Selected::open(&session.account, &named.given.name, args.examine)?;
    describe(session, &selected, out);
    list(session, &named, out)?;
    let read_only = selected.read_only();
    session.state = State::Selected(Box::new(selected));
    let (code, text) = match (read_only, args.examine) {
        (_, true) => (ResponseCode::ReadOnly, "Examine completed"),
        (true, false) => (ResponseCode::ReadOnly, "Select completed"),
        (false, false) => (ResponseCode::ReadWrite, "Select completed"),
    };
    Ok(Reply::ok_code(code, text))
}

fn describe(session: &Session, selected: &Selected, out: &mut Vec<u8>) {
    selected.write_flags_responses(out);
    let snapshot = selected.view().snapshot();
    write::exists(out, selected.view().len());
    if !session.rev2 {
        write::recent(out, selected.recent_count());
        if let Some(first) = snapshot.first_unseen() {
            unseen(out, first);
        }
    }
    let validity = ResponseCode::UidValidity(snapshot.uid_validity());
    write::untagged(out, Status::Ok, Some(&validity), "UIDs valid");
    let next = ResponseCode::UidNext(snapshot.uid_next());
    write::untagged(out, Status::Ok, Some(&next), "Predicted next UID");
    let mailbox = selected.mailbox();
    let id = object_id::mailbox(mailbox.guid(), &mailbox.name(), snapshot.uid_validity());
    let id = ResponseCode::MailboxId(id);
    write::untagged(out, Status::Ok, Some(&id), "Identity");
}

fn unseen(out: &mut Vec<u8>, first: SeqNum) {
    let code = ResponseCode::Unseen(first);
    write::untagged(out, Status::Ok, Some(&code), "First unseen");
}

/// IMAP4rev2 wants a LIST response, with accurate attributes.
fn list(session: &Session, named: &Named, out: &mut Vec<u8>) -> Result<(), Error> {
    if !session.rev2 {
        return Ok(());
    }
    let name = session.show(&named.given.name)?;
    let attributes = super::list::attributes_of(session, &named.given.name)?;
    let line = write::ListLine {
        lsub: false,
        attributes: &attributes,
        separator: Some(session.names.separator()),
        name: &name,
        child_info: &[],
        old_name: named.old.as_deref(),
    };
    write::list(out, &line, session.dialect());
    Ok(())
}
