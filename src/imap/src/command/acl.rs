//! Arguments of the commands about rights (RFC 4314 §3).

use roost_types::Rights;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AclCommand {
    /// GETACL
    Get { mailbox: Vec<u8> },
    /// SETACL
    Set {
        mailbox: Vec<u8>,
        /// With its `-`, if it is a negative one.
        identifier: Vec<u8>,
        mode: RightsMode,
        rights: Rights,
    },
    /// DELETEACL
    Delete {
        mailbox: Vec<u8>,
        identifier: Vec<u8>,
    },
    /// LISTRIGHTS
    List {
        mailbox: Vec<u8>,
        identifier: Vec<u8>,
    },
    /// MYRIGHTS
    My { mailbox: Vec<u8> },
}

/// What SETACL does with the rights that there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RightsMode {
    Replace,
    Add,
    Remove,
}

impl AclCommand {
    pub fn mailbox(&self) -> &[u8] {
        match self {
            Self::Get { mailbox }
            | Self::Set { mailbox, .. }
            | Self::Delete { mailbox, .. }
            | Self::List { mailbox, .. }
            | Self::My { mailbox } => mailbox,
        }
    }
}
