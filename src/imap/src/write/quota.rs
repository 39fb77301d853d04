//! QUOTA and QUOTAROOT responses (RFC 9208 §4.2).

use super::crlf;
use super::number::number64;
use super::string::{Dialect, mailbox};

/// One limited resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaResource {
    pub name: &'static str,
    pub usage: u64,
    pub limit: u64,
}

/// Appends `* QUOTA root (…)`.
pub fn quota(out: &mut Vec<u8>, root: &str, resources: &[QuotaResource], dialect: Dialect) {
    out.extend_from_slice(b"* QUOTA ");
    mailbox(out, root, dialect);
    out.extend_from_slice(b" (");
    for (i, resource) in resources.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(resource.name.as_bytes());
        for n in [resource.usage, resource.limit] {
            out.push(b' ');
            number64(out, n);
        }
    }
    out.push(b')');
    crlf(out);
}

/// Appends `* QUOTAROOT name root`.
pub fn quota_root(out: &mut Vec<u8>, name: &str, root: &str, dialect: Dialect) {
    out.extend_from_slice(b"* QUOTAROOT ");
    mailbox(out, name, dialect);
    out.push(b' ');
    mailbox(out, root, dialect);
    crlf(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_strings() {
        let mut out = Vec::new();
        let storage = QuotaResource {
            name: "STORAGE",
            usage: 10,
            limit: 512,
        };
        let message = QuotaResource {
            name: "MESSAGE",
            usage: 1,
            limit: u64::MAX >> 1,
        };
        quota_root(&mut out, "Entwürfe", "", Dialect::Ascii);
        quota(&mut out, "", &[], Dialect::Ascii);
        quota(&mut out, "~bob", &[storage, message], Dialect::Ascii);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "* QUOTAROOT Entw&APw-rfe \"\"\r\n* QUOTA \"\" ()\r\n\
             * QUOTA ~bob (STORAGE 10 512 MESSAGE 1 9223372036854775807)\r\n"
        );
    }
}
