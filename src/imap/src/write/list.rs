//! LIST, LSUB and STATUS responses (RFC 9051 §7.3.1 and §7.3.4, RFC 5258).

use super::crlf;
use super::data::named_number;
use super::string::string;
use super::string::{Dialect, mailbox, quoted};
use crate::command::{StatusItem, StatusItems};
use roost_types::{ModSeq, ObjectId, SpecialUse, Uid, UidValidity};

/// A mailbox attribute other than the special uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailboxAttribute {
    NonExistent,
    /// RFC 5465 §3.1.
    NoAccess,
    NoSelect,
    NoInferiors,
    Marked,
    Unmarked,
    HasChildren,
    HasNoChildren,
    Subscribed,
    Remote,
    Special(SpecialUse),
}

impl MailboxAttribute {
    pub fn name(self) -> &'static str {
        match self {
            Self::NonExistent => "\\NonExistent",
            Self::NoAccess => "\\NoAccess",
            Self::NoSelect => "\\Noselect",
            Self::NoInferiors => "\\Noinferiors",
            Self::Marked => "\\Marked",
            Self::Unmarked => "\\Unmarked",
            Self::HasChildren => "\\HasChildren",
            Self::HasNoChildren => "\\HasNoChildren",
            Self::Subscribed => "\\Subscribed",
            Self::Remote => "\\Remote",
            Self::Special(special) => special.attribute(),
        }
    }
}

/// One LIST or LSUB response.
#[derive(Clone, Debug)]
pub struct ListLine<'a> {
    /// Answer to LSUB.
    pub lsub: bool,
    pub attributes: &'a [MailboxAttribute],
    pub separator: Option<char>,
    /// In Unicode, with prefix and separator in place.
    pub name: &'a str,
    /// RECURSIVEMATCH: something below matches the selection options, which
    /// are named here (`SUBSCRIBED`); empty for no CHILDINFO.
    pub child_info: &'a [&'a str],
    /// The name before a rename or before it was made canonical (`OLDNAME`).
    pub old_name: Option<&'a str>,
}

/// Appends a LIST or LSUB response.
pub fn list(out: &mut Vec<u8>, line: &ListLine<'_>, dialect: Dialect) {
    out.extend_from_slice(if line.lsub { b"* LSUB (" } else { b"* LIST (" });
    for (i, attribute) in line.attributes.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(attribute.name().as_bytes());
    }
    out.extend_from_slice(b") ");
    separator(out, line.separator);
    out.push(b' ');
    mailbox(out, line.name, dialect);
    extended_items(out, line, dialect);
    crlf(out);
}

/// `[SP mbox-list-extended]`
fn extended_items(out: &mut Vec<u8>, line: &ListLine<'_>, dialect: Dialect) {
    if line.child_info.is_empty() && line.old_name.is_none() {
        return;
    }
    out.extend_from_slice(b" (");
    for (i, option) in line.child_info.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"\"CHILDINFO\" (" } else { b" " });
        string(out, option.as_bytes(), dialect);
    }
    if !line.child_info.is_empty() {
        out.push(b')');
    }
    if let Some(old) = line.old_name {
        if !line.child_info.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(b"\"OLDNAME\" (");
        mailbox(out, old, dialect);
        out.push(b')');
    }
    out.push(b')');
}

/// `DQUOTE QUOTED-CHAR DQUOTE / nil`
pub(super) fn separator(out: &mut Vec<u8>, separator: Option<char>) {
    match separator {
        Some(c) => quoted(out, c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Values for a STATUS response; only those asked for are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatusValues {
    pub messages: u32,
    pub recent: u32,
    pub uid_next: Uid,
    pub uid_validity: UidValidity,
    pub unseen: u32,
    pub deleted: u32,
    /// What EXPUNGE would set free, in octets (RFC 9208 §4.1.4).
    pub deleted_storage: u64,
    /// The sum of RFC822.SIZE, in octets.
    pub size: u64,
    /// The largest message that APPEND takes, in octets.
    pub append_limit: Option<u64>,
    pub mailbox_id: ObjectId,
    /// 0 where MODSEQs are not kept.
    pub highest_modseq: ModSeq,
}

/// Appends `* STATUS name (…)`.
pub fn status(
    out: &mut Vec<u8>,
    name: &str,
    items: StatusItems,
    values: &StatusValues,
    dialect: Dialect,
) {
    out.extend_from_slice(b"* STATUS ");
    mailbox(out, name, dialect);
    out.extend_from_slice(b" (");
    let start = out.len();
    for item in items.iter() {
        let value = match item {
            StatusItem::Messages => u64::from(values.messages),
            StatusItem::Recent => u64::from(values.recent),
            StatusItem::UidNext => u64::from(values.uid_next.get()),
            StatusItem::UidValidity => u64::from(values.uid_validity.get()),
            StatusItem::Unseen => u64::from(values.unseen),
            StatusItem::Deleted => u64::from(values.deleted),
            StatusItem::DeletedStorage => values.deleted_storage,
            StatusItem::Size => values.size,
            StatusItem::AppendLimit => match values.append_limit {
                Some(limit) => limit,
                None => {
                    named(out, item.name(), b"NIL");
                    continue;
                }
            },
            StatusItem::MailboxId => {
                named(out, item.name(), b"(");
                out.extend_from_slice(&values.mailbox_id.text());
                out.push(b')');
                continue;
            }
            StatusItem::HighestModSeq => values.highest_modseq.0,
        };
        named_number(out, item.name(), value);
    }
    // Each item brought a blank; the first one's is too many.
    if out.len() > start {
        out.remove(start);
    }
    out.push(b')');
    crlf(out);
}

fn named(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(name: &'a str, attributes: &'a [MailboxAttribute]) -> ListLine<'a> {
        ListLine {
            lsub: false,
            attributes,
            separator: Some('/'),
            name,
            child_info: &[],
            old_name: None,
        }
    }

    fn wire(line: &ListLine<'_>) -> String {
        let mut out = Vec::new();
        list(&mut out, line, Dialect::Ascii);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn list_lines_of_the_rfc() {
        use MailboxAttribute::*;
        assert_eq!(
            wire(&line("", &[NoSelect])),
            "* LIST (\\Noselect) \"/\" \"\"\r\n"
        );
        let sent = [HasNoChildren, Special(SpecialUse::Sent)];
        assert_eq!(
            wire(&line("Sent Items", &sent)),
            "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent Items\"\r\n"
        );
        let mut foo = line("Foo", &[]);
        foo.child_info = &["SUBSCRIBED"];
        foo.separator = None;
        assert_eq!(
            wire(&foo),
            "* LIST () NIL Foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
        );
        foo.old_name = Some("Bär");
        foo.lsub = true;
        assert_eq!(
            wire(&foo),
            "* LSUB () NIL Foo (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (B&AOQ-r))\r\n"
        );
    }

    #[test]
    fn status_line() {
        let values = StatusValues {
            messages: 231,
            recent: 1,
            uid_next: Uid::new(44292).unwrap(),
            uid_validity: UidValidity::new(9).unwrap(),
            unseen: 2,
            deleted: 3,
            deleted_storage: 2048,
            size: 5_000_000_000,
            append_limit: None,
            mailbox_id: ObjectId([0xab; 16]),
            highest_modseq: ModSeq(7_011_231_777),
        };
        let text = |items: &[StatusItem]| {
            let mut out = Vec::new();
            let items = items.iter().copied().collect();
            status(&mut out, "blurdybloop", items, &values, Dialect::Ascii);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            text(&[StatusItem::UidNext, StatusItem::Messages]),
            "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n"
        );
        assert_eq!(
            text(&StatusItem::ALL),
            "* STATUS blurdybloop (MESSAGES 231 RECENT 1 UIDNEXT 44292 UIDVALIDITY 9 \
             UNSEEN 2 DELETED 3 DELETED-STORAGE 2048 SIZE 5000000000 APPENDLIMIT NIL \
             MAILBOXID (abababababababababababababababab) HIGHESTMODSEQ 7011231777)\r\n"
        );
        assert_eq!(text(&[]), "* STATUS blurdybloop ()\r\n");
    }
}
