//! The header fields that are kept of every message: those that clients are
//! known to ask for when they list a mailbox, and those that SORT, THREAD and
//! SEARCH look at. By length, so that a name is found in a glance.

/// A kept field by its place in [`NAMES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldId(u8);

/// At most 64: sets of them are bits of a number.
const NAMES: [&[u8]; 56] = [
    b"Cc",
    b"To",
    b"Bcc",
    b"Date",
    b"From",
    b"Lines",
    b"Sender",
    b"X-TUID",
    b"List-Id",
    b"Subject",
    b"X-Label",
    b"Keywords",
    b"Priority",
    b"Reply-To",
    b"X-Mailer",
    b"List-Help",
    b"List-Post",
    b"Content-ID",
    b"Importance",
    b"Message-ID",
    b"Newsgroups",
    b"References",
    b"User-Agent",
    b"X-Priority",
    b"Content-MD5",
    b"Envelope-To",
    b"Followup-To",
    b"In-Reply-To",
    b"Return-Path",
    b"X-Spam-Flag",
    b"Chat-Version",
    b"Content-Type",
    b"Delivered-To",
    b"List-Archive",
    b"MIME-Version",
    b"X-Draft-Info",
    b"Mail-Reply-To",
    b"X-Original-To",
    b"X-Spam-Status",
    b"Auto-Submitted",
    b"List-Subscribe",
    b"Content-Language",
    b"Content-Location",
    b"List-Unsubscribe",
    b"Mail-Followup-To",
    b"Return-Receipt-To",
    b"X-K9mail-Identity",
    b"X-MSMail-Priority",
    b"Content-Description",
    b"Content-Disposition",
    b"List-Unsubscribe-Post",
    b"X-Forwarded-Message-Id",
    b"Content-Transfer-Encoding",
    b"X-Uniform-Type-Identifier",
    b"Disposition-Notification-To",
    b"X-Universally-Unique-Identifier",
];

impl FieldId {
    /// The field called `name`, in whatever case, if it is one that is kept.
    pub fn of(name: &[u8]) -> Option<Self> {
        let first = NAMES.partition_point(|known| known.len() < name.len());
        let candidates = NAMES.get(first..)?.iter();
        let at = candidates
            .take_while(|known| known.len() == name.len())
            .position(|known| known.eq_ignore_ascii_case(name))?;
        u8::try_from(first + at).ok().map(Self)
    }

    pub(super) fn octet(self) -> u8 {
        self.0
    }

    /// The field in a set of them.
    pub(super) fn bit(self) -> u64 {
        1 << (self.0 & 63)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found() {
        assert!(NAMES.is_sorted_by_key(|n| n.len()));
        for (at, name) in NAMES.iter().enumerate() {
            let id = FieldId::of(&name.to_ascii_uppercase()).unwrap();
            assert_eq!(usize::from(id.octet()), at);
            assert!(id.octet() < 64);
        }
        for other in [&b""[..], b"X", b"Received", &[b'x'; 100]] {
            assert_eq!(FieldId::of(other), None);
        }
    }
}
