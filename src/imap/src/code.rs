//! Response codes: the machine-readable part of OK, NO, BAD and BYE
//! (RFC 9051 §7.1, RFC 5530, RFC 4315, RFC 4469, RFC 5464, RFC 6154, RFC 7162, RFC 9585,
//! RFC 9586).

use crate::command::Tag;
use crate::write::{self, Dialect};
use roost_types::{
    Keyword, ModSeq, ObjectId, SeqNum, SeqSet, SystemFlags, Uid, UidSet, UidValidity,
};

/// A `resp-text-code`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResponseCode {
    Alert,
    AlreadyExists,
    /// The UIDs given to appended messages, never empty.
    AppendUid {
        validity: UidValidity,
        uids: UidSet,
    },
    AuthenticationFailed,
    AuthorizationFailed,
    /// The charsets that would do; may be empty.
    BadCharset(Vec<&'static str>),
    /// The events that NOTIFY knows (RFC 5465 §3.1).
    BadEvent(&'static [&'static str]),
    Cannot,
    /// Capability names in the order in which they are announced.
    Capability(Vec<String>),
    ClientBug,
    Closed,
    /// RFC 4978 §3.
    CompressionActive,
    ContactAdmin,
    /// Pairs of source and new UID, never empty, in the order of copying.
    CopyUid {
        validity: UidValidity,
        pairs: Vec<(Uid, Uid)>,
    },
    Corruption,
    Expired,
    ExpungeIssued,
    HasChildren,
    /// How much of a command is done, and how much there is to do, where that
    /// is known (RFC 9585 §4).
    InProgress {
        tag: Tag,
        progress: Option<(u64, Option<u64>)>,
    },
    HighestModSeq(ModSeq),
    InUse,
    Limit,
    /// RFC 8474 §4.1.
    MailboxId(ObjectId),
    /// RFC 5464 §5.
    Metadata(MetadataCode),
    /// Messages that a conditional STORE left as they are, never empty.
    Modified(Ids),
    NoModSeq,
    NonExistent,
    NoPerm,
    /// RFC 5465 §5.8.
    NotificationOverflow,
    NotSaved,
    OverQuota,
    Parse,
    PermanentFlags {
        system: SystemFlags,
        keywords: Vec<Keyword>,
        /// `\*`: clients may make keywords of their own.
        create: bool,
    },
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    /// The URL of another server (RFC 2221 §5), printable ASCII.
    Referral(String),
    ServerBug,
    TooBig,
    TryCreate,
    UidNext(Uid),
    UidNotSticky,
    /// Message sequence numbers are not for a client that enabled UIDONLY.
    UidRequired,
    UidValidity(UidValidity),
    Unavailable,
    UnknownCte,
    /// The first unseen message (RFC 3501 §7.1).
    Unseen(SeqNum),
    UseAttr,
}

/// Messages by the numbers that a command named them with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ids {
    Seqs(SeqSet),
    Uids(UidSet),
}

/// What METADATA has to tell with an answer (RFC 5464 §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataCode {
    /// The largest of the values left out, in octets.
    LongEntries(u64),
    /// The largest value taken, in octets.
    MaxSize(u64),
    TooMany,
}

impl ResponseCode {
    /// Appends the code without its brackets.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name().as_bytes());
        match self {
            Self::AppendUid { validity, uids } => {
                write::space_number(out, validity.get());
                out.push(b' ');
                write::set(out, uids);
            }
            Self::BadCharset(charsets) => write_charsets(out, charsets),
            Self::BadEvent(events) => {
                out.extend_from_slice(b" (");
                out.extend_from_slice(events.join(" ").as_bytes());
                out.push(b')');
            }
            Self::Capability(names) => {
                for name in names {
                    out.push(b' ');
                    out.extend_from_slice(name.as_bytes());
                }
            }
            Self::CopyUid { validity, pairs } => {
                write::space_number(out, validity.get());
                out.push(b' ');
                write::runs(out, pairs.iter().map(|p| p.0));
                out.push(b' ');
                write::runs(out, pairs.iter().map(|p| p.1));
            }
            Self::InProgress { tag, progress } => write_progress(out, tag, *progress),
            Self::HighestModSeq(modseq) => {
                out.push(b' ');
                write::number64(out, modseq.0);
            }
            Self::Metadata(MetadataCode::LongEntries(size)) => {
                out.extend_from_slice(b" LONGENTRIES ");
                write::number64(out, *size);
            }
            Self::Metadata(MetadataCode::MaxSize(size)) => {
                out.extend_from_slice(b" MAXSIZE ");
                write::number64(out, *size);
            }
            Self::Metadata(MetadataCode::TooMany) => out.extend_from_slice(b" TOOMANY"),
            Self::Modified(ids) => {
                out.push(b' ');
                match ids {
                    Ids::Seqs(seqs) => write::set(out, seqs),
                    Ids::Uids(uids) => write::set(out, uids),
                }
            }
            Self::PermanentFlags {
                system,
                keywords,
                create,
            } => {
                out.push(b' ');
                let extra = create.then_some("\\*");
                write::flag_list(out, *system, keywords, extra);
            }
            Self::MailboxId(id) => {
                out.extend_from_slice(b" (");
                out.extend_from_slice(&id.text());
                out.push(b')');
            }
            Self::Referral(url) => {
                out.push(b' ');
                out.extend_from_slice(url.as_bytes());
            }
            Self::UidNext(uid) => write::space_number(out, uid.get()),
            Self::UidValidity(validity) => write::space_number(out, validity.get()),
            Self::Unseen(seq) => write::space_number(out, seq.get()),
            // The rest are a name and nothing else.
            _ => {}
        }
    }

    /// The atom that the code begins with.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AppendUid { .. } => "APPENDUID",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::BadCharset(_) => "BADCHARSET",
            Self::BadEvent(_) => "BADEVENT",
            Self::Cannot => "CANNOT",
            Self::Capability(_) => "CAPABILITY",
            Self::ClientBug => "CLIENTBUG",
            Self::Closed => "CLOSED",
            Self::CompressionActive => "COMPRESSIONACTIVE",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::CopyUid { .. } => "COPYUID",
            Self::Corruption => "CORRUPTION",
            Self::Expired => "EXPIRED",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::HasChildren => "HASCHILDREN",
            Self::InProgress { .. } => "INPROGRESS",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::MailboxId(_) => "MAILBOXID",
            Self::Metadata(_) => "METADATA",
            Self::Modified(_) => "MODIFIED",
            Self::NoModSeq => "NOMODSEQ",
            Self::NonExistent => "NONEXISTENT",
            Self::NoPerm => "NOPERM",
            Self::NotificationOverflow => "NOTIFICATIONOVERFLOW",
            Self::NotSaved => "NOTSAVED",
            Self::OverQuota => "OVERQUOTA",
            Self::Parse => "PARSE",
            Self::PermanentFlags { .. } => "PERMANENTFLAGS",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::Referral(_) => "REFERRAL",
            Self::ServerBug => "SERVERBUG",
            Self::TooBig => "TOOBIG",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::UidRequired => "UIDREQUIRED",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unavailable => "UNAVAILABLE",
            Self::UnknownCte => "UNKNOWN-CTE",
            Self::Unseen(_) => "UNSEEN",
            Self::UseAttr => "USEATTR",
        }
    }
}

/// `SP "(" tag SP progress SP goal ")"`; a goal that is passed is none.
fn write_progress(out: &mut Vec<u8>, tag: &Tag, progress: Option<(u64, Option<u64>)>) {
    out.extend_from_slice(b" (");
    write::string(out, tag.as_str().as_bytes(), Dialect::Ascii);
    let done = progress.map(|(done, _)| done);
    let goal = progress.and_then(|(done, goal)| goal.filter(|&g| g > 0 && g >= done));
    for number in [done, goal] {
        out.push(b' ');
        match number {
            // `number` has 32 bits.
            Some(n) if n <= u64::from(u32::MAX) => write::number64(out, n),
            _ => out.extend_from_slice(b"NIL"),
        }
    }
    out.push(b')');
}

/// `[SP "(" charset *(SP charset) ")"]`
fn write_charsets(out: &mut Vec<u8>, charsets: &[&str]) {
    for (i, charset) in charsets.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b" (" } else { b" " });
        write::astring(out, charset.as_bytes(), Dialect::Ascii);
    }
    if !charsets.is_empty() {
        out.push(b')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(code: &ResponseCode) -> String {
        let mut out = Vec::new();
        code.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn uid(n: u32) -> Uid {
        Uid::new(n).unwrap()
    }

    #[test]
    fn codes_of_uidplus() {
        let validity = UidValidity::new(38505).unwrap();
        let uids = UidSet::range(uid(3955), uid(3957));
        assert_eq!(
            wire(&ResponseCode::AppendUid { validity, uids }),
            "APPENDUID 38505 3955:3957"
        );
        let pairs = vec![
            (uid(304), uid(3956)),
            (uid(319), uid(3957)),
            (uid(320), uid(3958)),
        ];
        assert_eq!(
            wire(&ResponseCode::CopyUid { validity, pairs }),
            "COPYUID 38505 304,319:320 3956:3958"
        );
    }

    #[test]
    fn codes_with_lists() {
        assert_eq!(wire(&ResponseCode::BadCharset(vec![])), "BADCHARSET");
        assert_eq!(
            wire(&ResponseCode::BadCharset(vec!["US-ASCII", "UTF-8"])),
            "BADCHARSET (US-ASCII UTF-8)"
        );
        let code = ResponseCode::PermanentFlags {
            system: SystemFlags::DELETED | SystemFlags::SEEN,
            keywords: vec![Keyword::new("$Junk").unwrap()],
            create: true,
        };
        assert_eq!(wire(&code), "PERMANENTFLAGS (\\Deleted \\Seen $Junk \\*)");
        let names = vec!["IMAP4rev2".to_string(), "IDLE".to_string()];
        assert_eq!(
            wire(&ResponseCode::Capability(names)),
            "CAPABILITY IMAP4rev2 IDLE"
        );
    }

    #[test]
    fn codes_of_progress() {
        let code = |progress| {
            let tag = Tag::new(b"A001").unwrap();
            wire(&ResponseCode::InProgress { tag, progress })
        };
        assert_eq!(
            code(Some((454, Some(1000)))),
            "INPROGRESS (\"A001\" 454 1000)"
        );
        assert_eq!(code(Some((999, None))), "INPROGRESS (\"A001\" 999 NIL)");
        assert_eq!(code(Some((5, Some(4)))), "INPROGRESS (\"A001\" 5 NIL)");
        assert_eq!(code(Some((0, Some(0)))), "INPROGRESS (\"A001\" 0 NIL)");
        assert_eq!(code(None), "INPROGRESS (\"A001\" NIL NIL)");
    }

    #[test]
    fn codes_of_condstore() {
        let modseq = ModSeq(715_194_045_007);
        assert_eq!(
            wire(&ResponseCode::HighestModSeq(modseq)),
            "HIGHESTMODSEQ 715194045007"
        );
        assert_eq!(wire(&ResponseCode::NoModSeq), "NOMODSEQ");
        let seqs = [7, 9].into_iter().filter_map(SeqNum::new).collect();
        assert_eq!(
            wire(&ResponseCode::Modified(Ids::Seqs(seqs))),
            "MODIFIED 7,9"
        );
        let uids = UidSet::range(uid(3), uid(4));
        assert_eq!(
            wire(&ResponseCode::Modified(Ids::Uids(uids))),
            "MODIFIED 3:4"
        );
    }

    #[test]
    fn codes_of_metadata() {
        let code = |code| wire(&ResponseCode::Metadata(code));
        assert_eq!(
            code(MetadataCode::LongEntries(2199)),
            "METADATA LONGENTRIES 2199"
        );
        assert_eq!(code(MetadataCode::MaxSize(1024)), "METADATA MAXSIZE 1024");
        assert_eq!(code(MetadataCode::TooMany), "METADATA TOOMANY");
    }

    #[test]
    fn codes_with_a_number_or_nothing() {
        assert_eq!(wire(&ResponseCode::UidNext(uid(4392))), "UIDNEXT 4392");
        assert_eq!(
            wire(&ResponseCode::Unseen(SeqNum::new(12).unwrap())),
            "UNSEEN 12"
        );
        assert_eq!(
            wire(&ResponseCode::MailboxId(ObjectId([0x5a; 16]))),
            format!("MAILBOXID ({})", "5a".repeat(16))
        );
        assert_eq!(wire(&ResponseCode::ReadOnly), "READ-ONLY");
        assert_eq!(wire(&ResponseCode::UnknownCte), "UNKNOWN-CTE");
    }
}
