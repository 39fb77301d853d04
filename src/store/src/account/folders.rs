//! The tree of mailboxes as LIST shows it.

use roost_types::{MailboxName, SpecialUse};
use std::sync::Arc;

/// One name of the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    pub name: MailboxName,
    /// False for a directory without storage, and for a name that is only
    /// implied by its children.
    pub selectable: bool,
    pub has_children: bool,
    pub special_use: Option<SpecialUse>,
    /// What it is for, where that is not mail (`IPF.Contact`).
    pub class: Option<Arc<str>>,
    /// An administrator has locked it.
    pub locked: bool,
    /// The name stands for this mailbox and has no storage of its own:
    /// levels with `/` between them, `~account` before those of another.
    pub alias: Option<Arc<str>>,
}

/// All names of an account, sorted so that children stand behind their
/// parent; INBOX is always there; parents of every name are included.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Folders {
    pub(crate) list: Vec<Folder>,
}

impl Folders {
    pub fn iter(&self) -> impl Iterator<Item = &Folder> {
        self.list.iter()
    }

    pub fn get(&self, name: &MailboxName) -> Option<&Folder> {
        let at = self.list.binary_search_by(|f| f.name.cmp(name)).ok()?;
        self.list.get(at)
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
