//! The command table: facts, so that conditions on commands are written once.

/// Where a connection stands (RFC 9051 §3). Logout is not among them: no
/// command is read any more then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    NotAuthenticated,
    Authenticated,
    Selected,
}

/// A set of [`State`]s.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct States(u8);

impl States {
    const fn bit(state: State) -> u8 {
        1 << state as u8
    }

    const ANY: Self = Self(0b111);
    const BEFORE_LOGIN: Self = Self(Self::bit(State::NotAuthenticated));
    const AFTER_LOGIN: Self = Self(Self::bit(State::Authenticated) | Self::bit(State::Selected));
    const SELECTED: Self = Self(Self::bit(State::Selected));

    pub const fn contains(self, state: State) -> bool {
        self.0 & Self::bit(state) != 0
    }
}

/// What is true of a command whatever its arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// In capitals; `UID FETCH` and the like with their blank.
    pub name: &'static str,
    /// Where it is allowed.
    pub states: States,
    /// No EXPUNGE may be sent while it is answered (RFC 9051 §7.5.1).
    pub holds_expunge: bool,
}

macro_rules! commands {
    ($($kind:ident $name:literal $states:ident $(+ $fact:ident)*;)*) => {
        /// A command without its arguments.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum CommandKind { $($kind),* }

        impl CommandKind {
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            pub const fn facts(self) -> Facts {
                match self {
                    $(Self::$kind => Facts {
                        $($fact: true,)*
                        ..plain($name, States::$states)
                    }),*
                }
            }
        }
    };
}

const fn plain(name: &'static str, states: States) -> Facts {
    Facts {
        name,
        states,
        holds_expunge: false,
    }
}

commands! {
    Capability   "CAPABILITY"   ANY;
    Noop         "NOOP"         ANY;
    Logout       "LOGOUT"       ANY;
    Id           "ID"           ANY;
    Starttls     "STARTTLS"     BEFORE_LOGIN;
    Authenticate "AUTHENTICATE" BEFORE_LOGIN;
    Login        "LOGIN"        BEFORE_LOGIN;
    Enable       "ENABLE"       AFTER_LOGIN;
    Compress     "COMPRESS"     AFTER_LOGIN;
    Select       "SELECT"       AFTER_LOGIN;
    Examine      "EXAMINE"      AFTER_LOGIN;
    Create       "CREATE"       AFTER_LOGIN;
    Delete       "DELETE"       AFTER_LOGIN;
    Rename       "RENAME"       AFTER_LOGIN;
    Subscribe    "SUBSCRIBE"    AFTER_LOGIN;
    Unsubscribe  "UNSUBSCRIBE"  AFTER_LOGIN;
    List         "LIST"         AFTER_LOGIN;
    Lsub         "LSUB"         AFTER_LOGIN;
    Namespace    "NAMESPACE"    AFTER_LOGIN;
    Status       "STATUS"       AFTER_LOGIN;
    GetQuota     "GETQUOTA"     AFTER_LOGIN;
    GetQuotaRoot "GETQUOTAROOT" AFTER_LOGIN;
    SetQuota     "SETQUOTA"     AFTER_LOGIN;
    GetMetadata  "GETMETADATA"  AFTER_LOGIN;
    SetMetadata  "SETMETADATA"  AFTER_LOGIN;
    Append       "APPEND"       AFTER_LOGIN;
    GetAcl       "GETACL"       AFTER_LOGIN;
    SetAcl       "SETACL"       AFTER_LOGIN;
    DeleteAcl    "DELETEACL"    AFTER_LOGIN;
    ListRights   "LISTRIGHTS"   AFTER_LOGIN;
    // A session that relays a MOVE by number asks for rights first.
    MyRights     "MYRIGHTS"     AFTER_LOGIN + holds_expunge;
    Idle         "IDLE"         AFTER_LOGIN;
    Notify       "NOTIFY"       AFTER_LOGIN;
    Check        "CHECK"        SELECTED;
    Close        "CLOSE"        SELECTED;
    Unselect     "UNSELECT"     SELECTED;
    Expunge      "EXPUNGE"      SELECTED;
    Search       "SEARCH"       SELECTED + holds_expunge;
    Sort         "SORT"         SELECTED + holds_expunge;
    Thread       "THREAD"       SELECTED + holds_expunge;
    Fetch        "FETCH"        SELECTED + holds_expunge;
    Store        "STORE"        SELECTED + holds_expunge;
    Copy         "COPY"         SELECTED;
    Move         "MOVE"         SELECTED;
    Replace      "REPLACE"      SELECTED;
    UidExpunge   "UID EXPUNGE"  SELECTED;
    UidSearch    "UID SEARCH"   SELECTED;
    UidSort      "UID SORT"     SELECTED;
    UidThread    "UID THREAD"   SELECTED;
    UidFetch     "UID FETCH"    SELECTED;
    UidStore     "UID STORE"    SELECTED;
    UidCopy      "UID COPY"     SELECTED;
    UidMove      "UID MOVE"     SELECTED;
    UidReplace   "UID REPLACE"  SELECTED;
}

impl CommandKind {
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    pub const fn allowed_in(self, state: State) -> bool {
        self.facts().states.contains(state)
    }

    /// What a session is doing while it carries the command out, for people
    /// who watch it.
    pub const fn doing(self) -> &'static str {
        match self {
            Self::Capability | Self::Noop | Self::Check => "looking for changes",
            Self::Logout => "logging out",
            Self::Id => "introducing itself",
            Self::Starttls | Self::Authenticate | Self::Login => "Authenticating",
            Self::Enable | Self::Compress | Self::Notify => "setting options",
            Self::Select | Self::Examine => "selecting a mailbox",
            Self::Create => "creating a mailbox",
            Self::Delete => "deleting a mailbox",
            Self::Rename => "renaming a mailbox",
            Self::Subscribe | Self::Unsubscribe => "changing subscriptions",
            Self::List | Self::Lsub | Self::Namespace => "listing mailboxes",
            Self::Status => "looking at a mailbox",
            Self::GetQuota | Self::GetQuotaRoot | Self::SetQuota => "looking at quota",
            Self::GetMetadata => "reading metadata",
            Self::SetMetadata => "changing metadata",
            Self::Append => "appending messages",
            Self::GetAcl | Self::ListRights | Self::MyRights => "reading rights",
            Self::SetAcl | Self::DeleteAcl => "changing rights",
            Self::Idle => "Idle",
            Self::Close | Self::Unselect => "closing a mailbox",
            Self::Expunge | Self::UidExpunge => "expunging messages",
            Self::Search | Self::UidSearch => "searching messages",
            Self::Sort | Self::UidSort => "sorting messages",
            Self::Thread | Self::UidThread => "threading messages",
            Self::Fetch | Self::UidFetch => "fetching messages",
            Self::Store | Self::UidStore => "changing flags",
            Self::Copy | Self::UidCopy => "copying messages",
            Self::Move | Self::UidMove => "moving messages",
            Self::Replace | Self::UidReplace => "replacing a message",
        }
    }

    /// The command called `name`, any case; `UID FETCH` with one blank.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|k| k.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_capitals_and_lead_back() {
        for &kind in CommandKind::ALL {
            let name = kind.name();
            assert_eq!(name, name.to_uppercase());
            assert_eq!(
                CommandKind::by_name(name.to_lowercase().as_bytes()),
                Some(kind)
            );
        }
        assert_eq!(CommandKind::by_name(b"FETC"), None);
    }

    #[test]
    fn states_as_the_rfc_has_them() {
        use State::*;
        let allowed =
            |k: CommandKind| [NotAuthenticated, Authenticated, Selected].map(|s| k.allowed_in(s));
        assert_eq!(allowed(CommandKind::Noop), [true; 3]);
        assert_eq!(allowed(CommandKind::Login), [true, false, false]);
        assert_eq!(allowed(CommandKind::Idle), [false, true, true]);
        assert_eq!(allowed(CommandKind::UidFetch), [false, false, true]);
    }

    #[test]
    fn fetch_store_searches_and_myrights_hold_expunge_back() {
        let held: Vec<_> = CommandKind::ALL
            .iter()
            .filter(|k| k.facts().holds_expunge)
            .map(|k| k.name())
            .collect();
        assert_eq!(
            held,
            ["MYRIGHTS", "SEARCH", "SORT", "THREAD", "FETCH", "STORE"]
        );
    }
}
