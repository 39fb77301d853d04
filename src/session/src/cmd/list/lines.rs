//! The lines of LIST and LSUB.

use super::tree::Node;
use crate::names::FOREIGN;
use crate::session::Session;
use roost_imap::command::{ListReturn, ListSelect};
use roost_imap::write::{self, ListLine, ListTold, MailboxAttribute};

pub(super) fn node_attributes(
    node: &Node,
    select: ListSelect,
    returns: ListReturn,
    extended: bool,
) -> Vec<MailboxAttribute> {
    let mut attributes = Vec::with_capacity(4);
    if node.is_remote() {
        return vec![MailboxAttribute::Subscribed];
    }
    match &node.folder {
        None if extended => attributes.push(MailboxAttribute::NonExistent),
        None => attributes.push(MailboxAttribute::NoSelect),
        Some(folder) if !folder.selectable && folder.alias.is_none() => {
            attributes.push(MailboxAttribute::NoSelect);
        }
        Some(_) => {}
    }
    if node.below.exists {
        attributes.push(MailboxAttribute::HasChildren);
    } else if node.folder.is_some() || returns.children {
        attributes.push(MailboxAttribute::HasNoChildren);
    }
    if node.subscribed && (select.subscribed || returns.subscribed) {
        attributes.push(MailboxAttribute::Subscribed);
    }
    attributes.extend(node.special_use().map(MailboxAttribute::Special));
    attributes
}

/// RFC 8440.
pub(super) fn tell_rights(session: &Session, node: &Node, out: &mut Vec<u8>) {
    let Some(folder) = &node.folder else {
        return;
    };
    if let Ok(rights) = session.permit_question(&folder.name) {
        write::my_rights(out, &node.text, rights, session.dialect());
    }
}

pub(super) fn line_of<'a>(
    session: &Session,
    node: &'a Node,
    attributes: &'a [MailboxAttribute],
) -> ListLine<'a> {
    ListLine {
        lsub: false,
        attributes,
        separator: Some(session.names.separator()),
        name: &node.text,
        child_info: &[],
        told: ListTold::default(),
        old_name: None,
    }
}

/// `LIST reference ""`: the separator, and the namespace that the reference is
/// in.
pub(super) fn tell_root(session: &Session, reference: &str, out: &mut Vec<u8>) {
    let prefix = session.names.prefix();
    let others = FOREIGN.to_string();
    let name = match !prefix.is_empty() && reference.starts_with(prefix) {
        true => prefix,
        false if reference.starts_with(FOREIGN) => &others,
        false => "",
    };
    let line = ListLine {
        lsub: false,
        attributes: &[MailboxAttribute::NoSelect],
        separator: Some(session.names.separator()),
        name,
        child_info: &[],
        told: ListTold::default(),
        old_name: None,
    };
    write::list(out, &line, session.dialect());
}
