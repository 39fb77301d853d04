//! Which events of which mailboxes somebody wants.

use roost_types::MailboxName;

/// A choice of mailboxes; it means those that there are at any time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    All,
    Subscribed,
    /// These and everything below them, sorted.
    Subtree(Vec<MailboxName>),
    /// These, sorted.
    Names(Vec<MailboxName>),
}

/// Kinds of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wants {
    /// Messages that come and go.
    pub messages: bool,
    pub flags: bool,
    /// Mailboxes created, deleted and renamed.
    pub names: bool,
    pub subscriptions: bool,
}

/// All that one listener wants.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Interest {
    groups: Vec<(Scope, Wants)>,
}

impl Scope {
    pub fn subtree(mut names: Vec<MailboxName>) -> Self {
        names.sort_unstable();
        Self::Subtree(names)
    }

    pub fn names(mut names: Vec<MailboxName>) -> Self {
        names.sort_unstable();
        Self::Names(names)
    }

    fn has(&self, name: &MailboxName, subscribed: bool) -> bool {
        let listed = |names: &[MailboxName], name: &MailboxName| names.binary_search(name).is_ok();
        match self {
            Self::All => true,
            Self::Subscribed => subscribed,
            Self::Names(names) => listed(names, name),
            Self::Subtree(tops) => {
                let mut above = Some(name.clone());
                while let Some(name) = above {
                    if listed(tops, &name) {
                        return true;
                    }
                    above = name.parent();
                }
                false
            }
        }
    }
}

impl Wants {
    pub(super) fn add(&mut self, other: Self) {
        self.messages |= other.messages;
        self.flags |= other.flags;
        self.names |= other.names;
        self.subscriptions |= other.subscriptions;
    }

    /// Something of the messages in a mailbox.
    pub fn of_messages(self) -> bool {
        self.messages || self.flags
    }
}

impl Interest {
    pub fn add(&mut self, scope: Scope, wants: Wants) {
        if wants != Wants::default() {
            self.groups.push((scope, wants));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// What is wanted of a mailbox, by all groups together.
    pub fn wants(&self, name: &MailboxName, subscribed: bool) -> Wants {
        let mut wants = Wants::default();
        for (scope, group) in &self.groups {
            if scope.has(name, subscribed) {
                wants.add(*group);
            }
        }
        wants
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::parse(text, '/').unwrap()
    }

    #[test]
    fn scopes() {
        let tree = Scope::subtree(vec![name("b"), name("a/b")]);
        for (text, within) in [
            ("b", true),
            ("b/c/d", true),
            ("bb", false),
            ("a", false),
            ("a/b", true),
            ("a/b/c", true),
            ("a/c", false),
        ] {
            assert_eq!(tree.has(&name(text), false), within, "{text}");
        }
        let names = Scope::names(vec![name("x"), name("inbox")]);
        assert!(names.has(&name("INBOX"), false) && names.has(&name("x"), false));
        assert!(!names.has(&name("x/y"), true));
        assert!(
            Scope::Subscribed.has(&name("x"), true) && !Scope::Subscribed.has(&name("x"), false)
        );
    }

    #[test]
    fn groups_add_up() {
        let mut interest = Interest::default();
        let messages = Wants {
            messages: true,
            ..Wants::default()
        };
        let names = Wants {
            names: true,
            ..Wants::default()
        };
        interest.add(Scope::names(vec![name("a")]), messages);
        interest.add(Scope::All, names);
        interest.add(Scope::All, Wants::default());
        assert_eq!(interest.groups.len(), 2);
        let both = interest.wants(&name("a"), false);
        assert!(both.messages && both.names && both.of_messages());
        let other = interest.wants(&name("b"), false);
        assert!(!other.messages && other.names);
    }
}
