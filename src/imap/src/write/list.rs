//! LIST, LSUB and STATUS responses (RFC 9051 §7.3.1 and §7.3.4, RFC 5258).

use super::crlf;
use super::data::named_number;
use super::date::internal_date;
use super::number::number64;
use super::string::string;
use super::string::{Dialect, mailbox, quoted};
use crate::command::{StatusItem, StatusItems};
use roost_types::{ModSeq, ObjectId, SpecialUse, Uid, UidValidity, UnixTime};

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
    /// What CommuniGate Pro's LIST tells.
    pub told: ListTold<'a>,
    /// The name before a rename or before it was made canonical (`OLDNAME`).
    pub old_name: Option<&'a str>,
}

/// The answers to [`crate::command::ListTell`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ListTold<'a> {
    /// Among the attributes, instead of behind the name.
    pub as_attributes: bool,
    pub class: Option<&'a str>,
    pub unseen: Option<u32>,
    pub internal_size: Option<u64>,
}

impl ListTold<'_> {
    /// Appends each, with what stands between it and the one before: `first`
    /// says whether there is none.
    fn write(&self, out: &mut Vec<u8>, mut first: bool) {
        let unseen = self.unseen.map(u64::from);
        let class = self.class.map(Value::Text);
        let values = [
            ("CLASS", class),
            ("UNSEEN", unseen.map(Value::Number)),
            ("INTERNALSIZE", self.internal_size.map(Value::Number)),
        ];
        for (name, value) in values {
            let Some(value) = value else {
                continue;
            };
            if !std::mem::take(&mut first) {
                out.push(b' ');
            }
            match (self.as_attributes, &value) {
                (true, Value::Text(_)) => out.extend_from_slice(name.as_bytes()),
                (true, Value::Number(_)) => {
                    out.push(b'\\');
                    out.extend_from_slice(name.as_bytes());
                }
                (false, _) => {
                    quoted(out, name.as_bytes());
                    out.push(b' ');
                }
            }
            out.push(b'(');
            match value {
                Value::Text(text) => quoted(out, text.as_bytes()),
                Value::Number(n) => number64(out, n),
            }
            out.push(b')');
        }
    }

    fn any(&self) -> bool {
        self.class.is_some() || self.unseen.is_some() || self.internal_size.is_some()
    }
}

enum Value<'a> {
    Text(&'a str),
    Number(u64),
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
    if line.told.as_attributes {
        line.told.write(out, line.attributes.is_empty());
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
    let told = line.told.any() && !line.told.as_attributes;
    if line.child_info.is_empty() && line.old_name.is_none() && !told {
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
    if told {
        let first = line.child_info.is_empty() && line.old_name.is_none();
        line.told.write(out, first);
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
    /// As stored, in octets.
    pub internal_size: u64,
    /// `None` where there is no message: the item is left out.
    pub oldest: Option<UnixTime>,
    pub unseen_media: u32,
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
            StatusItem::InternalSize => values.internal_size,
            StatusItem::UnseenMedia => u64::from(values.unseen_media),
            StatusItem::Oldest => {
                if let Some(date) = values.oldest {
                    named(out, item.name(), b"");
                    internal_date(out, date);
                }
                continue;
            }
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
            told: ListTold::default(),
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
    fn what_communigate_tells() {
        use MailboxAttribute::*;
        let mut people = line("People", &[HasNoChildren]);
        people.told = ListTold {
            as_attributes: true,
            class: Some("IPF.Contact"),
            unseen: Some(14),
            internal_size: Some(2_345_678),
        };
        assert_eq!(
            wire(&people),
            "* LIST (\\HasNoChildren CLASS(\"IPF.Contact\") \\UNSEEN(14) \
             \\INTERNALSIZE(2345678)) \"/\" People\r\n"
        );
        people.told.as_attributes = false;
        assert_eq!(
            wire(&people),
            "* LIST (\\HasNoChildren) \"/\" People (\"CLASS\" (\"IPF.Contact\") \
             \"UNSEEN\" (14) \"INTERNALSIZE\" (2345678))\r\n"
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
            internal_size: 2_345_678,
            oldest: Some(UnixTime(1_014_451_182)),
            unseen_media: 1,
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
             MAILBOXID (abababababababababababababababab) HIGHESTMODSEQ 7011231777 \
             OLDEST \"23-Feb-2002 07:59:42 +0000\" INTERNALSIZE 2345678 UNSEENMEDIA 1)\r\n"
        );
        assert_eq!(text(&[]), "* STATUS blurdybloop ()\r\n");
    }
}
