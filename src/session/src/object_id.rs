//! MAILBOXID and EMAILID (RFC 8474).
//!
//! A mailbox has its GUID in the header of `dovecot-uidlist`, which RENAME
//! takes along. A message's GUID goes with it wherever COPY and MOVE take it;
//! it is any text: the name of a Maildir file, or what `dovecot-uidlist` says.
//! As Dovecot does where it wants 128 bits: 32 hexadecimal digits are taken as
//! they are, of anything else the last 16 octets of its SHA-1.

use crate::error::Error;
use roost_store::{Guid, Mailbox};
use roost_types::{MailboxName, ObjectId, Uid, UidValidity};
use sha1::{Digest, Sha1};

/// The MAILBOXID of a mailbox. Only one in a Maildir that is read-only and was
/// never written by a server has no GUID; it cannot be renamed either.
pub(crate) fn mailbox(guid: Option<Guid>, name: &MailboxName, validity: UidValidity) -> ObjectId {
    match guid {
        Some(guid) => ObjectId(guid.0),
        None => from_guid(format!("{validity} {name}").as_bytes()),
    }
}

/// The EMAILID of a message.
pub(crate) fn email(mailbox: &Mailbox, uid: Uid) -> Result<ObjectId, Error> {
    Ok(from_guid(&mailbox.message_guid(uid)?))
}

/// The identifier that follows from a GUID.
fn from_guid(guid: &[u8]) -> ObjectId {
    ObjectId::from_hex(guid).unwrap_or_else(|| {
        let hash: [u8; 20] = Sha1::digest(guid).into();
        let [_, _, _, _, id @ ..] = hash;
        ObjectId(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_dovecot_has_them() {
        let id = from_guid(b"29E1501e9c78026bb57b000083ecc375");
        assert_eq!(id.to_string(), "29e1501e9c78026bb57b000083ecc375");
        // printf %s abc | sha1sum | cut -c9-40
        let id = from_guid(b"abc");
        assert_eq!(id.to_string(), "4706816aba3e25717850c26c9cd0d89d");
    }
}
