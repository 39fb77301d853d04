//! APPEND and REPLACE as far as their message literals (RFC 9051 §6.3.12,
//! RFC 3502, RFC 8508 §5).

use super::cursor::{Cursor, Result, Syntax};
use super::{command_name, date, encrypted, flags, set, tag};
use crate::command::{CommandKind, Encrypted, Flags, Replaced, Tag};
use roost_types::UnixTime;

/// What stands before a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct MessageArgs {
    pub flags: Flags,
    pub date: Option<UnixTime>,
}

/// The command up to a literal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Head {
    /// The literal is the mailbox name or the data of ENCRYPTED.
    ArgumentMissing,
    /// The literal is a message.
    Complete {
        tag: Tag,
        replaced: Option<Replaced>,
        mailbox: Vec<u8>,
        encrypted: Option<Encrypted>,
        args: MessageArgs,
    },
}

/// `tag SP ("APPEND" / ["UID" SP] "REPLACE" SP seq-number) SP mailbox
/// [SP flag-list] [SP date-time] SP`, which is followed by a literal. `ENCRYPTED
/// SP data` may stand behind the mailbox or before the literal.
pub(crate) fn head(text: &[u8]) -> std::result::Result<Head, &'static str> {
    read_head(&mut Cursor::new(text)).map_err(|Syntax(text)| text)
}

fn read_head(c: &mut Cursor<'_>) -> Result<Head> {
    let tag = tag(c)?;
    let replaced = match command_name(c)? {
        CommandKind::Replace => Some(replaced(c, false)?),
        CommandKind::UidReplace => Some(replaced(c, true)?),
        // APPEND, or the framer would not have asked.
        _ => None,
    };
    c.sp()?;
    if c.at_end() {
        return Ok(Head::ArgumentMissing);
    }
    let mailbox = c.mailbox()?;
    c.sp()?;
    let before = encrypted_data(c)?;
    let args = message_args(c)?;
    let data = match before {
        Data::None => encrypted_data(c)?,
        found => found,
    };
    let encrypted = match data {
        Data::None => None,
        Data::Missing => return Ok(Head::ArgumentMissing),
        Data::Found(data) => Some(data),
    };
    end(c)?;
    Ok(Head::Complete {
        tag,
        replaced,
        mailbox,
        encrypted,
        args,
    })
}

/// What stands in a place where ENCRYPTED may.
enum Data {
    None,
    /// ENCRYPTED, whose data is the literal.
    Missing,
    Found(Encrypted),
}

/// `["ENCRYPTED" SP data SP]`
fn encrypted_data(c: &mut Cursor<'_>) -> Result<Data> {
    if !encrypted::keyword(c)? {
        return Ok(Data::None);
    }
    if c.at_end() {
        return Ok(Data::Missing);
    }
    let data = encrypted::data(c)?;
    c.sp()?;
    Ok(Data::Found(data))
}

/// `SP seq-number`
fn replaced(c: &mut Cursor<'_>, uid: bool) -> Result<Replaced> {
    c.sp()?;
    let message = set::seq_number(c)?;
    Ok(Replaced { uid, message })
}

/// `[SP flag-list] [SP date-time] SP` between two messages.
pub(crate) fn next(text: &[u8]) -> std::result::Result<MessageArgs, &'static str> {
    read_next(&mut Cursor::new(text)).map_err(|Syntax(text)| text)
}

fn read_next(c: &mut Cursor<'_>) -> Result<MessageArgs> {
    c.sp()?;
    let args = message_args(c)?;
    end(c)?;
    Ok(args)
}

fn end(c: &Cursor<'_>) -> Result<()> {
    match c.at_end() {
        true => Ok(()),
        false => Err(Syntax("Unknown APPEND argument")),
    }
}

fn message_args(c: &mut Cursor<'_>) -> Result<MessageArgs> {
    let mut args = MessageArgs::default();
    if c.peek() == Some(b'(') {
        args.flags = flags::flag_list(c, flags::Recent::Dropped)?;
        c.sp()?;
    }
    if c.peek() == Some(b'"') {
        args.date = Some(date::date_time(c)?);
        c.sp()?;
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_types::{SetBound, SystemFlags};

    #[test]
    fn heads() {
        let Ok(Head::Complete {
            tag, mailbox, args, ..
        }) = head(b"A003 append saved-messages (\\Seen) \"23-Feb-2002 08:59:42 +0100\" ")
        else {
            panic!("no head")
        };
        assert_eq!(tag.as_str(), "A003");
        assert_eq!(mailbox, b"saved-messages");
        assert_eq!(args.flags.system, SystemFlags::SEEN);
        assert_eq!(args.date, Some(UnixTime(1_014_451_182)));
        assert_eq!(head(b"a APPEND "), Ok(Head::ArgumentMissing));
        assert!(matches!(
            head(b"a APPEND {5}\r\nINBOX "),
            Ok(Head::Complete { .. })
        ));
        for bad in [
            &b"a APPEND x"[..],
            b"a APPEND x UTF8 (",
            b"a APPEND x CATENATE (TEXT ",
            b"a APPEND x (\\Foo) ",
            b"a APPEND x \"yesterday\" ",
            b"a APPEND x ()",
            b"a APPEND x (\\Seen",
        ] {
            assert!(head(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn heads_of_replace() {
        let target = |text: &[u8]| match head(text) {
            Ok(Head::Complete { replaced, .. }) => replaced,
            other => panic!("{other:?}"),
        };
        let number = |n: u32| SetBound::Number(n.try_into().unwrap());
        assert_eq!(target(b"a APPEND x "), None);
        let expected = |uid, message| Some(Replaced { uid, message });
        assert_eq!(target(b"a REPLACE 4 x "), expected(false, number(4)));
        assert_eq!(
            target(b"a uid  replace * x () "),
            expected(true, SetBound::Star)
        );
        assert_eq!(head(b"a UID REPLACE 7 "), Ok(Head::ArgumentMissing));
        for bad in [
            &b"a REPLACE x "[..],
            b"a REPLACE 0 x ",
            b"a REPLACE 1:2 x ",
            b"a REPLACE $ x ",
        ] {
            assert!(head(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn encrypted_in_either_place() {
        let data = |text: &[u8]| match head(text) {
            Ok(Head::Complete {
                encrypted, args, ..
            }) => (encrypted, args.flags.system),
            other => panic!("{other:?}"),
        };
        let abc = || Some(Encrypted::Certificate(b"abc".to_vec()));
        assert_eq!(data(b"a APPEND x ").0, None);
        assert_eq!(data(b"a APPEND ENCRYPTED ").0, None);
        let seen = SystemFlags::SEEN;
        let own = (Some(Encrypted::Own), seen);
        assert_eq!(data(b"a APPEND x encrypted * (\\Seen) "), own);
        assert_eq!(
            data(b"a APPEND x (\\Seen) ENCRYPTED \"YWJj\" "),
            (abc(), seen)
        );
        assert_eq!(
            data(b"a APPEND x ENCRYPTED {6}\r\nYW\r\nJj (\\Seen) "),
            (abc(), seen)
        );
        let date = b"a APPEND x \"23-Feb-2002 08:59:42 +0100\" ENCRYPTED YWJj ";
        assert_eq!(data(date).0, abc());
        for missing in [
            &b"a APPEND x ENCRYPTED "[..],
            b"a APPEND x (\\Seen) ENCRYPTED ",
        ] {
            assert_eq!(head(missing), Ok(Head::ArgumentMissing));
        }
        for bad in [
            &b"a APPEND x ENCRYPTED YWJ "[..],
            b"a APPEND x ENCRYPTED \"\" ",
            b"a APPEND x ENCRYPTED *",
            b"a APPEND x ENCRYPTED * ENCRYPTED * ",
            b"a APPEND x ENCRYPTED *x ",
            b"a APPEND x ENCRYPTEDX * ",
        ] {
            assert!(head(bad).is_err(), "{bad:?}");
        }
        assert!(next(b" ENCRYPTED * ").is_err());
    }

    #[test]
    fn between_messages() {
        assert_eq!(next(b" "), Ok(MessageArgs::default()));
        assert_eq!(next(b" () ").unwrap().flags, Flags::default());
        assert!(next(b"").is_err());
        assert!(next(b" x ").is_err());
    }
}
