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

/// Where the names of each length begin.
const BY_LENGTH: [u8; 33] = by_length();

const fn by_length() -> [u8; 33] {
    let mut starts = [NAMES.len() as u8; 33];
    let mut length = 32;
    let mut at = NAMES.len();
    loop {
        while at > 0 && NAMES[at - 1].len() >= length {
            at -= 1;
        }
        starts[length] = at as u8;
        if length == 0 {
            return starts;
        }
        length -= 1;
    }
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    a.len() == b.len() && at == a.len()
}

impl FieldId {
    pub const SUBJECT: Self = Self::named(b"Subject");

    const fn named(name: &[u8]) -> Self {
        let mut at = 0;
        while at < NAMES.len() {
            if equal(NAMES[at], name) {
                return Self(at as u8);
            }
            at += 1;
        }
        Self(u8::MAX)
    }

    /// The field called `name`, in whatever case, if it is one that is kept.
    pub fn of(name: &[u8]) -> Option<Self> {
        let first = *BY_LENGTH.get(name.len())?;
        let end = *BY_LENGTH
            .get(name.len() + 1)
            .unwrap_or(&(NAMES.len() as u8));
        (first..end)
            .find(|&id| {
                let known = NAMES.get(usize::from(id));
                known.is_some_and(|known| known.eq_ignore_ascii_case(name))
            })
            .map(Self)
    }

    pub(super) fn from_octet(octet: u8) -> Option<Self> {
        (usize::from(octet) < NAMES.len()).then_some(Self(octet))
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
            assert_eq!(FieldId::from_octet(id.octet()), Some(id));
        }
        for other in [&b""[..], b"X", b"Received", &[b'x'; 100]] {
            assert_eq!(FieldId::of(other), None);
        }
        assert_eq!(Some(FieldId::SUBJECT), FieldId::of(b"subject"));
    }
}
