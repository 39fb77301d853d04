//! CREATE (RFC 9051 §6.3.4) with the special uses of RFC 6154 §3.

use crate::error::Error;
use crate::job::Reply;
use crate::object_id;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::command::{CreateArgs, UseAttribute};
use roost_store::format::folders::is_class;
use roost_store::{Details, Error as StoreError, Purpose};
use roost_types::SpecialUse;

/// A separator behind the name asks for a directory without storage.
pub(super) fn run(
    session: &mut Session,
    args: &CreateArgs,
    out: &mut Vec<u8>,
) -> Result<Reply, Error> {
    let special_use = special_use(&args.uses)?;
    if session.is_foreign() && special_use.is_some() {
        // It is by its owner's clients that the use would be made.
        return Err(Error::refused(
            ResponseCode::UseAttr,
            "Another's mailbox has no special use",
        ));
    }
    let class = args.class.as_deref().map(class).transpose()?.flatten();
    let named = session.new_name(&args.mailbox)?;
    let given = &named.given;
    if given.name.is_inbox() {
        return Err(StoreError::AlreadyExists.into());
    }
    if given.directory && special_use.is_some() {
        return Err(Error::refused(
            ResponseCode::UseAttr,
            "A directory without messages has no special use",
        ));
    }
    session.own_change(&given.name, |session| {
        let purpose = Purpose {
            class: class.map(Some),
            special_use: special_use.map(Some),
        };
        let account = &session.account;
        Ok(account.create_for(&given.name, given.directory, purpose)?)
    })?;
    session.tell_normalized(&named, false, out);
    if given.directory {
        return Ok(Reply::ok("Create completed"));
    }
    let status = session.account.status(&given.name, Details::Counts)?;
    let id = object_id::mailbox(status.mailbox_id, &given.name, status.uid_validity);
    Ok(Reply::ok_code(
        ResponseCode::MailboxId(id),
        "Create completed",
    ))
}

/// An empty one says that the mailbox is for mail.
fn class(text: &[u8]) -> Result<Option<&str>, Error> {
    match std::str::from_utf8(text) {
        Ok("") => Ok(None),
        Ok(class) if is_class(class) => Ok(Some(class)),
        Ok(_) | Err(_) => Err(Error::refused(ResponseCode::Cannot, "Not a possible class")),
    }
}

/// One use at most is kept for a mailbox; ALL and FLAGGED are views of other
/// mailboxes, which no stored mailbox can be (RFC 6154 §2).
fn special_use(uses: &[UseAttribute]) -> Result<Option<SpecialUse>, Error> {
    let refused = |text| Err(Error::refused(ResponseCode::UseAttr, text));
    match uses {
        [] => Ok(None),
        [UseAttribute::Known(SpecialUse::All | SpecialUse::Flagged)] => {
            refused("No mailbox can be created for this use")
        }
        [UseAttribute::Known(special)] => Ok(Some(*special)),
        [UseAttribute::Unknown(_)] => refused("Special use is not known"),
        _ => refused("A mailbox can have one special use only"),
    }
}
