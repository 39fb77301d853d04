//! The tables of RFC 4314 §4: which rights a command needs, and which flags
//! somebody may change.

use roost_imap::CommandKind;
use roost_store::Within;
use roost_types::{Rights, SystemFlags};

/// What a command needs; flags, which are left out where a right is missing,
/// are not among this ([`flags`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Needs {
    /// Of the selected mailbox.
    pub selected: Rights,
    /// Of the mailbox that it names: the source of RENAME, the destination of
    /// APPEND, COPY and MOVE.
    pub named: Rights,
    /// Of the nearest mailbox above the one that it makes.
    pub above: Rights,
}

/// The table. Commands of the selected state need no `r`: who loses that is
/// put out of the mailbox ([`crate::Session::renew_rights`]). MYRIGHTS needs any of
/// `rights::ANY`; LIST and LSUB leave out what is without `l`.
pub(crate) fn needs(kind: CommandKind) -> Needs {
    use CommandKind as K;
    let none = Needs::default();
    let named = |named| Needs { named, ..none };
    match kind {
        K::Select | K::Examine | K::Status => named(Rights::READ),
        K::Delete => named(Rights::DELETE),
        K::GetAcl | K::SetAcl | K::DeleteAcl | K::ListRights => named(Rights::ADMIN),
        K::Append | K::Copy | K::UidCopy => named(Rights::INSERT),
        K::Move | K::UidMove | K::Replace | K::UidReplace => Needs {
            selected: Rights::MARK_DELETED | Rights::EXPUNGE,
            ..named(Rights::INSERT)
        },
        K::Expunge | K::UidExpunge => Needs {
            selected: Rights::EXPUNGE,
            ..none
        },
        K::Create => Needs {
            above: Rights::CREATE,
            ..none
        },
        K::Rename => Needs {
            named: Rights::DELETE,
            above: Rights::CREATE,
            ..none
        },
        _ => none,
    }
}

/// The flags that somebody with `rights` may change.
pub(crate) fn flags(rights: Rights) -> Within {
    let mut system = SystemFlags::NONE;
    if rights.contains(Rights::SEEN) {
        system.insert(SystemFlags::SEEN);
    }
    if rights.contains(Rights::MARK_DELETED) {
        system.insert(SystemFlags::DELETED);
    }
    let write = rights.contains(Rights::WRITE);
    if write {
        system.insert(SystemFlags::ANSWERED | SystemFlags::FLAGGED | SystemFlags::DRAFT);
    }
    Within {
        system,
        keywords: write,
    }
}

/// Whether a mailbox is READ-WRITE for somebody (RFC 4314 §5.2).
pub(crate) fn can_change(rights: Rights) -> bool {
    let flags = Rights::SEEN | Rights::WRITE | Rights::MARK_DELETED;
    rights.intersects(Rights::INSERT | Rights::EXPUNGE | flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_rfc() {
        let told = |kind| {
            let Needs {
                selected,
                named,
                above,
            } = needs(kind);
            format!("{selected} {named} {above}")
        };
        use CommandKind as K;
        for (kind, expected) in [
            (K::Select, " r "),
            (K::Examine, " r "),
            (K::Status, " r "),
            (K::Create, "  k"),
            (K::Delete, " x "),
            (K::Rename, " x k"),
            (K::SetAcl, " a "),
            (K::DeleteAcl, " a "),
            (K::GetAcl, " a "),
            (K::ListRights, " a "),
            (K::MyRights, "  "),
            (K::Append, " i "),
            (K::Copy, " i "),
            (K::Move, "te i "),
            (K::Expunge, "e  "),
            (K::Close, "  "),
            (K::Fetch, "  "),
            (K::Unsubscribe, "  "),
        ] {
            assert_eq!(told(kind), expected, "{}", kind.name());
        }
        // The UID forms need what the others do.
        for &kind in CommandKind::ALL {
            if let Some(plain) = kind.name().strip_prefix("UID ") {
                let plain = CommandKind::by_name(plain.as_bytes()).unwrap();
                assert_eq!(needs(kind), needs(plain), "{}", kind.name());
            }
        }
    }

    #[test]
    fn flags_by_right() {
        let told = |letters| {
            let within = flags(Rights::parse(letters).unwrap());
            format!("{:?} {}", within.system, within.keywords)
        };
        assert_eq!(told("lr"), "{} false");
        assert_eq!(told("st"), "{\"\\\\Deleted\", \"\\\\Seen\"} false");
        assert_eq!(flags(Rights::ALL), Within::ALL);
        assert!(!can_change(Rights::parse("lrpkxa").unwrap()));
        for letter in ["i", "e", "s", "w", "t"] {
            assert!(can_change(Rights::parse(letter).unwrap()), "{letter}");
        }
    }
}
