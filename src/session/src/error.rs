//! What can go wrong in a command, and the one place that turns it into words
//! for the client: NO, BAD or BYE with a response code (RFC 5530). Paths and
//! causes go to the log, not to the client.

use crate::job::Reply;
use crate::names::NameProblem;
use roost_imap::ResponseCode;
use roost_imap::write::Status;
use roost_store::Error as StoreError;
use std::borrow::Cow;

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's mistake: BAD.
    #[error("{0}")]
    Bad(&'static str),
    /// A message sequence number where UIDONLY is enabled: BAD (RFC 9586 §3).
    #[error("Message numbers are not allowed")]
    UidRequired,
    /// NO, with words of the command's own.
    #[error("{text}")]
    Refused {
        code: Option<ResponseCode>,
        text: Cow<'static, str>,
    },
    /// A mailbox name that does not do.
    #[error(transparent)]
    Name(#[from] NameProblem),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The same, met at the mailbox that APPEND, COPY or MOVE put messages
    /// into: one that is missing can be made.
    #[error(transparent)]
    Destination(StoreError),
    /// Reading a message failed half-way.
    #[error("reading a message: {0}")]
    Read(#[from] std::io::Error),
    /// The session cannot go on.
    #[error(transparent)]
    Fatal(#[from] Fatal),
}

/// What ends a session with BYE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fatal {
    /// RFC 2180 §3.3.
    #[error("Selected mailbox was deleted")]
    MailboxDeleted,
    /// The client's UIDs mean nothing any more.
    #[error("UIDVALIDITY of the selected mailbox changed")]
    UidValidityChanged,
    /// A message came where the client has numbered others already. The store
    /// does not do that; if it did, every number behind would be wrong.
    #[error("Messages of the selected mailbox changed places")]
    OutOfOrder,
    #[error("Too many invalid commands")]
    TooManyBad,
    /// The client's stream can be followed no longer.
    #[error("{0}")]
    Protocol(&'static str),
    /// A response was begun that cannot be completed, as when a file shrinks
    /// while its literal is sent.
    #[error("Response cannot be completed")]
    Truncated,
}

impl Error {
    pub fn refused(code: ResponseCode, text: &'static str) -> Self {
        Self::Refused {
            code: Some(code),
            text: Cow::Borrowed(text),
        }
    }
}

/// What the client is told of an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    Tagged(Reply),
    Bye(Fatal),
}

/// The words for `error`.
pub fn answer(error: &Error) -> Answer {
    Answer::Tagged(match error {
        Error::Bad(text) => Reply::bad(text),
        Error::UidRequired => Reply {
            status: Status::Bad,
            code: Some(ResponseCode::UidRequired),
            text: "UIDONLY is enabled: only UIDs name messages".into(),
        },
        Error::Refused { code, text } => Reply {
            status: Status::No,
            code: code.clone(),
            text: text.clone(),
        },
        Error::Name(problem) => name(problem),
        Error::Store(error) => store(error),
        Error::Destination(StoreError::NoSuchMailbox | StoreError::NotSelectable) => {
            Reply::no(ResponseCode::TryCreate, "No such mailbox")
        }
        Error::Destination(error) => store(error),
        Error::Read(_) => Reply::no(ResponseCode::ServerBug, "Message could not be read"),
        Error::Fatal(fatal) => return Answer::Bye(*fatal),
    })
}

fn name(problem: &NameProblem) -> Reply {
    match problem {
        NameProblem::Outside => Reply::no(
            ResponseCode::NonExistent,
            "No mailboxes outside the namespace",
        ),
        NameProblem::OfAnother => Reply::no(
            ResponseCode::Cannot,
            "Names that begin with ~ are those of other accounts",
        ),
        NameProblem::Account => Reply::no(ResponseCode::NonExistent, "No such mailbox"),
        NameProblem::Domain => Reply::no(
            ResponseCode::Cannot,
            "With . as separator accounts are named without a domain; an alias can stand for the mailbox",
        ),
        NameProblem::Encoding => {
            Reply::no(ResponseCode::Cannot, "Mailbox name is not validly encoded")
        }
        NameProblem::Name(_) => Reply::no(ResponseCode::Cannot, "Not a possible mailbox name"),
    }
}

fn store(error: &StoreError) -> Reply {
    use ResponseCode as C;
    use StoreError as E;
    let (code, text) = match error {
        E::NoSuchMailbox => (C::NonExistent, "No such mailbox"),
        E::AlreadyExists => (C::AlreadyExists, "Mailbox already exists"),
        E::NotSelectable => (C::NonExistent, "Name holds no messages"),
        E::HasChildren => (C::HasChildren, "Name has children"),
        E::InboxImmutable => (C::Cannot, "Not possible with INBOX"),
        E::InvalidName(_) => (C::Cannot, "Not a possible mailbox name"),
        E::Permission { .. } => (C::NoPerm, "Permission denied"),
        E::OverQuota => (C::OverQuota, "Quota exceeded"),
        E::DiskFull { .. } => (C::OverQuota, "Not enough disk space"),
        E::TooLarge { .. } => (C::TooBig, "Message is too large"),
        E::Limit(_) => (C::Limit, "Limit of the mailbox reached"),
        E::Expunged => (C::ExpungeIssued, "Some of the messages have been deleted"),
        E::Corrupt { .. } => (C::Corruption, "Message or mailbox is damaged"),
        E::Locked { .. } => (C::InUse, "Mailbox is locked by another program"),
        E::Io { .. } => (C::Unavailable, "Internal error, see the server's log"),
    };
    Reply::no(code, text)
}

/// Whether the administrator should know.
pub fn is_for_the_log(error: &Error) -> bool {
    match error {
        Error::Store(error) | Error::Destination(error) => match error {
            StoreError::Permission { .. }
            | StoreError::DiskFull { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Locked { .. }
            | StoreError::Io { .. } => true,
            StoreError::NoSuchMailbox
            | StoreError::AlreadyExists
            | StoreError::NotSelectable
            | StoreError::HasChildren
            | StoreError::InboxImmutable
            | StoreError::InvalidName(_)
            | StoreError::TooLarge { .. }
            | StoreError::OverQuota
            | StoreError::Limit(_)
            | StoreError::Expunged => false,
        },
        Error::Read(_) | Error::Fatal(_) => true,
        Error::Bad(_) | Error::UidRequired | Error::Refused { .. } | Error::Name(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(error: &Error) -> String {
        let Answer::Tagged(reply) = answer(error) else {
            return "BYE".into();
        };
        let code = reply.code.map_or("", |c| c.name());
        format!("{} [{code}]", reply.status.word())
    }

    #[test]
    fn errors_of_the_store_have_codes() {
        let wire = |e| wire(&Error::Store(e));
        assert_eq!(wire(StoreError::NoSuchMailbox), "NO [NONEXISTENT]");
        assert_eq!(wire(StoreError::AlreadyExists), "NO [ALREADYEXISTS]");
        assert_eq!(wire(StoreError::Expunged), "NO [EXPUNGEISSUED]");
        let path = std::path::PathBuf::from("/x");
        assert_eq!(
            wire(StoreError::Locked { path: path.clone() }),
            "NO [INUSE]"
        );
        assert_eq!(wire(StoreError::DiskFull { path }), "NO [OVERQUOTA]");
    }

    #[test]
    fn a_missing_destination_can_be_made() {
        assert_eq!(
            wire(&Error::Destination(StoreError::NoSuchMailbox)),
            "NO [TRYCREATE]"
        );
        assert_eq!(
            wire(&Error::Destination(StoreError::Limit("UIDs"))),
            "NO [LIMIT]"
        );
    }

    #[test]
    fn no_path_reaches_the_client() {
        let error = Error::Store(StoreError::Permission {
            path: "/home/alice/Maildir".into(),
        });
        let Answer::Tagged(reply) = answer(&error) else {
            panic!("no reply");
        };
        assert!(!reply.text.contains("alice"));
        assert!(is_for_the_log(&error));
    }
}
