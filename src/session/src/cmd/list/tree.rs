//! The names that LIST and LSUB choose from: mailboxes, subscriptions, and the
//! levels above them, as a client sees them.

use crate::error::Error;
use crate::names::FOREIGN;
use crate::session::Session;
use roost_store::Folder;
use roost_types::{MailboxName, SpecialUse};

/// One name.
pub(super) struct Node {
    /// Its levels on the wire, prefix included.
    pub path: MailboxName,
    /// The same as text.
    pub text: String,
    /// `None` for what is only subscribed, or only above others.
    pub folder: Option<Folder>,
    pub subscribed: bool,
    pub matches: bool,
    pub below: Below,
}

/// What is below a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Below {
    /// A name that exists.
    pub exists: bool,
    /// One that is asked for.
    pub wanted: bool,
    /// One that is asked for and does not match the patterns itself.
    pub wanted_unmatched: bool,
}

impl Below {
    pub fn add(&mut self, other: Self) {
        self.exists |= other.exists;
        self.wanted |= other.wanted;
        self.wanted_unmatched |= other.wanted_unmatched;
    }
}

impl Node {
    pub fn selectable(&self) -> bool {
        self.folder.as_ref().is_some_and(|f| f.selectable)
    }

    /// A subscription to a mailbox of another account, which need not exist.
    pub fn is_remote(&self) -> bool {
        self.subscribed && self.folder.is_none() && self.text.starts_with(FOREIGN)
    }

    pub fn special_use(&self) -> Option<SpecialUse> {
        self.folder.as_ref().and_then(|f| f.special_use)
    }
}

/// All names, children behind their parents, every parent included.
#[derive(Default)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Of the session's account; with subscriptions only when asked for.
    pub fn read(session: &Session, subscribed: bool) -> Result<Self, Error> {
        let mut tree = Self::default();
        let folders = session.account().folders()?;
        for folder in folders.iter() {
            if !folder.selectable && session.is_foreign() || !session.may_see(&folder.name) {
                continue;
            }
            tree.add(session, &folder.name, Some(folder));
        }
        // Subscriptions are the asker's, who looks them up itself.
        if subscribed && !session.is_foreign() {
            for name in session.account().subscriptions()? {
                tree.add(session, &name, None);
            }
        }
        tree.add_parents(session);
        Ok(tree.sorted())
    }

    /// Adds a mailbox, or a subscription where `folder` is `None`.
    fn add(&mut self, session: &Session, name: &MailboxName, folder: Option<&Folder>) {
        let text = match folder {
            Some(_) => session.names.show(name),
            None => session.names.show_subscription(name),
        };
        let Some(text) = text else {
            return;
        };
        let Ok(path) = MailboxName::parse(&text, session.names.separator()) else {
            return;
        };
        self.nodes.push(Node {
            path,
            text,
            // Of another's mailboxes the uses are not the client's.
            folder: folder.cloned().map(|folder| Folder {
                special_use: folder.special_use.filter(|_| !session.is_foreign()),
                ..folder
            }),
            subscribed: folder.is_none(),
            matches: false,
            below: Below::default(),
        });
    }

    /// Levels that are above a name and no name of their own: those of the
    /// prefix, and those of subscriptions to what is gone.
    fn add_parents(&mut self, session: &Session) {
        self.sort();
        let known = |nodes: &[Node], path: &MailboxName| {
            nodes.binary_search_by(|n| n.path.cmp(path)).is_ok()
        };
        let mut parents: Vec<MailboxName> = Vec::new();
        for node in &self.nodes {
            let mut path = node.path.parent();
            while let Some(parent) = path {
                if known(&self.nodes, &parent) || parents.last() == Some(&parent) {
                    break;
                }
                path = parent.parent();
                parents.push(parent);
            }
        }
        parents.sort_unstable();
        parents.dedup();
        self.nodes.extend(parents.into_iter().map(|path| Node {
            text: path.join(session.names.separator()),
            path,
            folder: None,
            subscribed: false,
            matches: false,
            below: Below::default(),
        }));
    }

    fn sort(&mut self) {
        self.nodes.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// One node for each name.
    fn sorted(mut self) -> Self {
        self.sort();
        self.nodes.dedup_by(|later, first| {
            let same = later.path == first.path;
            if same {
                first.subscribed |= later.subscribed;
                first.folder = first.folder.take().or_else(|| later.folder.take());
            }
            same
        });
        self
    }
}
