//! What happened to names between two looks at the tree.

use crate::account::folders::{Folder, Folders};
use roost_types::MailboxName;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Something that happened to a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TreeEvent {
    Created(MailboxName),
    /// The name may still be there, without messages, above others.
    Deleted(MailboxName),
    /// Everything below it went along.
    Renamed {
        from: MailboxName,
        to: MailboxName,
    },
    /// Something right below it was created or deleted.
    ChildrenOf(MailboxName),
    Subscribed(MailboxName),
    Unsubscribed(MailboxName),
}

impl TreeEvent {
    /// The name that it happened to.
    pub fn name(&self) -> &MailboxName {
        match self {
            Self::Created(name)
            | Self::Deleted(name)
            | Self::Renamed { to: name, .. }
            | Self::ChildrenOf(name)
            | Self::Subscribed(name)
            | Self::Unsubscribed(name) => name,
        }
    }

    /// It is about subscriptions, not about mailboxes.
    pub fn is_subscription(&self) -> bool {
        matches!(self, Self::Subscribed(_) | Self::Unsubscribed(_))
    }

    /// Whether a change of `name` brings it about.
    pub(super) fn comes_of(&self, name: &MailboxName) -> bool {
        match self {
            Self::ChildrenOf(parent) => name.parent().as_ref() == Some(parent),
            other => other.name() == name,
        }
    }
}

/// Mailboxes that came and went, sorted.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Diff {
    pub created: Vec<MailboxName>,
    pub deleted: Vec<MailboxName>,
}

/// A name that somebody made: a mailbox, or a directory that stays without
/// children. What is only implied by its children is none.
fn is_made(folder: &Folder) -> bool {
    folder.selectable || !folder.has_children
}

pub(super) fn diff(old: &Folders, new: &Folders) -> Diff {
    let mut diff = Diff::default();
    let (mut before, mut after) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return diff,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.name.cmp(&b.name),
        };
        let gone = (order != Ordering::Greater)
            .then(|| before.next())
            .flatten();
        let come = (order != Ordering::Less).then(|| after.next()).flatten();
        match (gone, come) {
            (Some(a), None) if is_made(a) => diff.deleted.push(a.name.clone()),
            (None, Some(b)) if is_made(b) => diff.created.push(b.name.clone()),
            (Some(a), Some(b)) if a.selectable && !b.selectable => {
                diff.deleted.push(b.name.clone());
            }
            (Some(a), Some(b)) if !a.selectable && b.selectable => {
                diff.created.push(b.name.clone());
            }
            _ => {}
        }
    }
}

impl Diff {
    /// The pairs that a rename of `from` to `to` explains, top and below. INBOX
    /// stays when it is renamed, and what is below it too.
    pub fn explained(
        &self,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Vec<(MailboxName, MailboxName)> {
        let is_new = |name: &MailboxName| self.created.binary_search(name).is_ok();
        if from.is_inbox() {
            return match is_new(to) {
                true => vec![(from.clone(), to.clone())],
                false => Vec::new(),
            };
        }
        let mut pairs = Vec::new();
        for name in &self.deleted {
            if let Some(Ok(moved)) = name.moved(from, to)
                && is_new(&moved)
            {
                pairs.push((name.clone(), moved));
            }
        }
        pairs
    }

    /// The events, `renamed` being told as such.
    pub fn events(&self, renamed: &[(MailboxName, MailboxName)]) -> Vec<TreeEvent> {
        let from: BTreeSet<&MailboxName> = renamed.iter().map(|(from, _)| from).collect();
        let to: BTreeSet<&MailboxName> = renamed.iter().map(|(_, to)| to).collect();
        let went_along = |name: &MailboxName, moved: &MailboxName| {
            renamed.iter().any(|(from, to)| {
                from.is_ancestor_of(name)
                    && name.moved(from, to).and_then(Result::ok).as_ref() == Some(moved)
            })
        };
        let mut events = Vec::new();
        let mut parents = BTreeSet::new();
        for (from, to) in renamed {
            if !went_along(from, to) {
                events.push(TreeEvent::Renamed {
                    from: from.clone(),
                    to: to.clone(),
                });
            }
        }
        for name in self.deleted.iter().filter(|n| !from.contains(n)) {
            parents.extend(name.parent());
            events.push(TreeEvent::Deleted(name.clone()));
        }
        for name in self.created.iter().filter(|n| !to.contains(n)) {
            parents.extend(name.parent());
            events.push(TreeEvent::Created(name.clone()));
        }
        let told: BTreeSet<MailboxName> = events.iter().map(|e| e.name().clone()).collect();
        let untold = parents.into_iter().filter(|p| !told.contains(p));
        events.extend(untold.map(TreeEvent::ChildrenOf));
        events
    }
}

/// What changed between two sorted lists of subscriptions.
pub(super) fn subscriptions(old: &[MailboxName], new: &[MailboxName]) -> Vec<TreeEvent> {
    let within = |list: &[MailboxName], name| list.binary_search(name).is_ok();
    let gone = old.iter().filter(|n| !within(new, n));
    let come = new.iter().filter(|n| !within(old, n));
    gone.map(|n| TreeEvent::Unsubscribed(n.clone()))
        .chain(come.map(|n| TreeEvent::Subscribed(n.clone())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::parse(text, '/').unwrap()
    }

    /// Mailboxes with their implied parents; `a/` is a directory.
    fn folders(names: &[&str]) -> Folders {
        let mut list: Vec<Folder> = Vec::new();
        let mut add =
            |name: MailboxName, selectable: bool| match list.iter_mut().find(|f| f.name == name) {
                Some(folder) => folder.selectable |= selectable,
                None => list.push(Folder {
                    name,
                    selectable,
                    has_children: false,
                    special_use: None,
                    class: None,
                    locked: false,
                    alias: None,
                }),
            };
        for text in names {
            let made = name(text.trim_end_matches('/'));
            let mut above = made.parent();
            add(made, !text.ends_with('/'));
            while let Some(parent) = above {
                above = parent.parent();
                add(parent, false);
            }
        }
        list.sort_by(|a, b| a.name.cmp(&b.name));
        let all: Vec<MailboxName> = list.iter().map(|f| f.name.clone()).collect();
        for folder in &mut list {
            folder.has_children = all.iter().any(|n| folder.name.is_ancestor_of(n));
        }
        Folders { list }
    }

    fn told(old: &[&str], new: &[&str], renamed: &[(&str, &str)]) -> Vec<String> {
        let diff = diff(&folders(old), &folders(new));
        let mut pairs = Vec::new();
        for (from, to) in renamed {
            pairs.extend(diff.explained(&name(from), &name(to)));
        }
        let events = diff.events(&pairs);
        events
            .iter()
            .map(|event| match event {
                TreeEvent::Created(n) => format!("+{n}"),
                TreeEvent::Deleted(n) => format!("-{n}"),
                TreeEvent::Renamed { from, to } => format!("{from}>{to}"),
                TreeEvent::ChildrenOf(n) => format!("^{n}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn names_that_come_and_go() {
        assert_eq!(told(&["a", "b"], &["b", "c"], &[]), ["-a", "+c"]);
        assert_eq!(told(&["a"], &["a", "a/b"], &[]), ["+a/b", "^a"]);
        assert_eq!(told(&[], &["x/y/z"], &[]), ["+x/y/z", "^x/y"]);
        assert_eq!(told(&["x/y"], &[], &[]), ["-x/y", "^x"]);
        // Its storage goes, the name stays above its children; and back.
        assert_eq!(told(&["a", "a/b"], &["a/b"], &[]), ["-a"]);
        assert_eq!(told(&["a/b"], &["a", "a/b"], &[]), ["+a"]);
        assert_eq!(told(&[], &["d/"], &[]), ["+d"]);
        assert_eq!(told(&["a", "b"], &["a", "b"], &[]), [""; 0]);
    }

    #[test]
    fn renames_take_children_along_unsaid() {
        let old = ["a", "a/b", "a/b/c", "k"];
        let new = ["k", "z", "z/b", "z/b/c"];
        assert_eq!(told(&old, &new, &[("a", "z")]), ["a>z"]);
        assert_eq!(
            told(
                &["INBOX", "INBOX/x"],
                &["INBOX", "INBOX/x", "y"],
                &[("INBOX", "y")]
            ),
            ["INBOX>y"]
        );
        // An announced rename that did not come about explains nothing.
        assert_eq!(told(&["a"], &["a", "b"], &[("a", "b")]), ["+b"]);
    }

    #[test]
    fn a_change_brings_about_its_name_and_its_parent() {
        let events = diff(&folders(&[]), &folders(&["a/b", "c"])).events(&[]);
        let of = |text: &str| events.iter().filter(|e| e.comes_of(&name(text))).count();
        assert_eq!(of("a/b"), 2);
        assert_eq!(of("c"), 1);
        assert_eq!(of("a"), 0);
    }

    #[test]
    fn subscriptions_that_come_and_go() {
        let events = subscriptions(&[name("a"), name("b")], &[name("b"), name("c")]);
        let expected = [
            TreeEvent::Unsubscribed(name("a")),
            TreeEvent::Subscribed(name("c")),
        ];
        assert_eq!(events, expected);
    }
}
