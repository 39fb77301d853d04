//! RENAME (RFC 9051 §6.3.6). A session that has the mailbox selected keeps it
//! under its new name.

use crate::error::Error;
use crate::job::Reply;
use crate::names::NameProblem;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::write::{self, ListLine};
use roost_types::MailboxName;

pub(super) fn run(
    session: &mut Session,
    from: &[u8],
    to: &[u8],
    out: &mut Vec<u8>,
) -> Result<Reply, Error> {
    let from = session.name(from)?;
    let to = session.new_name(to).map_err(|error| match error {
        Error::Name(NameProblem::Outside) => {
            Error::refused(ResponseCode::Cannot, "No mailboxes outside the namespace")
        }
        other => other,
    })?;
    let (old, new) = (&from.given.name, &to.given.name);
    session.own_change(new, |session| Ok(session.account.rename(old, new)?))?;
    if session.rev2() {
        let old = match from.old {
            Some(old) => old,
            None => session.show(&from.given.name)?,
        };
        tell(session, &to.given.name, &old, out)?;
    }
    Ok(Reply::ok("Rename completed"))
}

/// What the mailbox is called now, and what the client called it before
/// (RFC 9051 §6.3.9.7).
fn tell(session: &Session, name: &MailboxName, old: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    let attributes = super::list::attributes_of(session, name)?;
    let line = ListLine {
        lsub: false,
        attributes: &attributes,
        separator: Some(session.names.separator()),
        name: &session.show(name)?,
        child_info: &[],
        told: write::ListTold::default(),
        old_name: Some(old),
    };
    write::list(out, &line, session.dialect());
    Ok(())
}
