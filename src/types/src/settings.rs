//! Choices that the configuration names and several layers act on.

/// An enum whose values have names in the configuration.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)*
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in the configuration.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            pub fn by_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.name() == name)
            }
        }
    };
}

choice! {
    /// How much is logged; each level includes those before it.
    LogLevel {
        /// What keeps Roost from doing its work, and failed logins.
        Failures = "failures",
        /// Starts, stops, reloads, logins and their ends.
        Major = "major",
        /// What went wrong for one client or one mailbox.
        Problems = "problems",
        /// Each command and its outcome.
        LowLevel = "low-level",
        /// The protocol, without passwords and message texts.
        AllInfo = "all-info",
    }
}

impl LogLevel {
    /// The severity of RFC 5424 §6.2.1: error, notice, warning, informational,
    /// debug. A login (major) is no trouble, a problem is.
    pub const fn syslog_severity(self) -> u8 {
        match self {
            Self::Failures => 3,
            Self::Major => 5,
            Self::Problems => 4,
            Self::LowLevel => 6,
            Self::AllInfo => 7,
        }
    }
}

choice! {
    /// In which shape the lines about logins are written.
    LogStyle {
        Roost = "roost",
        /// As Dovecot 2.3 has them.
        Dovecot = "dovecot",
        /// As Courier-IMAP 5 has them.
        Courier = "courier",
    }
}

impl LogStyle {
    /// The program's name in such a log.
    pub const fn ident(self) -> &'static str {
        match self {
            Self::Roost => "roost",
            Self::Dovecot => "dovecot",
            Self::Courier => "imapd",
        }
    }
}

choice! {
    /// When a change is waited for until it is on the disk.
    Fsync {
        Always = "always",
        /// All but renames for flags.
        Optimized = "optimized",
        Never = "never",
    }
}

choice! {
    /// How mailbox names are spelled in directory names.
    DirectoryEncoding {
        /// Modified UTF-7, as Dovecot has it.
        Mutf7 = "mutf7",
        /// As newer Couriers have it.
        Utf8 = "utf8",
        /// By what is there already; modified UTF-7 in a new Maildir.
        Detect = "detect",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_values() {
        for &level in LogLevel::ALL {
            assert_eq!(LogLevel::by_name(level.name()), Some(level));
        }
        assert_eq!(Fsync::by_name("optimized"), Some(Fsync::Optimized));
        assert_eq!(DirectoryEncoding::by_name("UTF8"), None);
        assert!(LogLevel::Failures < LogLevel::AllInfo);
    }
}
