//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208, RFC 2087): each account is
//! one quota root, `""` for its owner and `~account` for others.
//!
//! The limits are the configuration's, or those of the Maildir's own file; no
//! client may change them, so QUOTASET is not offered.

use super::Started;
use crate::error::Error;
use crate::job::{Job, Reply, Step};
use crate::names::Names;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::write::{self, QuotaResource};
use roost_store::{Count, Error as StoreError, Known, Usage};
use roost_types::Rights;

const DONE: &str = "Getquota completed";
const ROOT_DONE: &str = "Getquotaroot completed";

pub(super) fn get(session: &Session, raw: &[u8], out: &mut Vec<u8>) -> Result<Started, Error> {
    check_root(session, raw)?;
    answer(session, DONE, out)
}

/// The mailbox need not exist (RFC 9208 §4.1.2).
pub(super) fn get_root(session: &Session, raw: &[u8], out: &mut Vec<u8>) -> Result<Started, Error> {
    let named = session.name(raw)?;
    session.permit(&named.given.name, Rights::READ)?;
    let name = session.show(&named.given.name)?;
    write::quota_root(out, &name, root(session), session.dialect());
    answer(session, ROOT_DONE, out)
}

pub(super) fn set(session: &Session, raw: &[u8]) -> Result<Reply, Error> {
    check_root(session, raw)?;
    Err(Error::refused(
        ResponseCode::NoPerm,
        "Only the administrator sets quotas",
    ))
}

/// The root's name as this session's client knows it.
fn root(session: &Session) -> &str {
    let asker = session.identity().asker.as_ref();
    asker.map_or("", |asker| &asker.shown)
}

fn check_root(session: &Session, raw: &[u8]) -> Result<(), Error> {
    match Names::decode(raw, session.dialect()) {
        Ok(text) if text == root(session) => check_visitor(session),
        _ => Err(Error::refused(
            ResponseCode::NonExistent,
            "No such quota root",
        )),
    }
}

/// The sums tell of messages, so who may read none is told nothing
/// (RFC 9208 §6), in the words for an account that is not there.
fn check_visitor(session: &Session) -> Result<(), Error> {
    if !session.is_foreign() {
        return Ok(());
    }
    let folders = session.account().folders()?;
    let readable = |name| session.rights(name).contains(Rights::READ);
    match folders.iter().any(|f| f.selectable && readable(&f.name)) {
        true => Ok(()),
        false => Err(StoreError::NoSuchMailbox.into()),
    }
}

/// At once where the sums are known.
fn answer(session: &Session, text: &'static str, out: &mut Vec<u8>) -> Result<Started, Error> {
    let known = session.account().quota()?;
    if let Known::Unknown(_) = known {
        let count = Some(session.account().count_quota()?);
        return Ok(Started::Job(Box::new(Counting { count, text })));
    }
    tell(session, known, out)?;
    Ok(Started::Done(Reply::ok(text)))
}

/// All messages are counted before the answer.
struct Counting {
    count: Option<Count>,
    text: &'static str,
}

impl Job for Counting {
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error> {
        if let Some(count) = &mut self.count
            && !count.step()?
        {
            return Ok(Step::More);
        }
        let known = match self.count.take() {
            Some(count) => count.finish()?,
            None => session.account().quota()?,
        };
        tell(session, known, out)?;
        Ok(Step::Done(Reply::ok(self.text)))
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        let (done, total) = self.count.as_ref()?.progress();
        Some((done, Some(total)))
    }
}

/// What is not limited is left out (RFC 9208 §4.2.1).
fn tell(session: &Session, known: Known, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut resources = Vec::new();
    let mut add = |name, usage, limit| {
        if limit > 0 {
            resources.push(QuotaResource { name, usage, limit });
        }
    };
    if let Known::Used(Usage {
        limits,
        octets,
        messages,
    }) = known
    {
        let kibibytes = |octets: u64| octets.div_ceil(1024);
        add("STORAGE", kibibytes(octets), kibibytes(limits.storage));
        add("MESSAGE", messages, limits.messages);
    }
    let most = session.account().quota_options().max_mailboxes;
    if most > 0 {
        add("MAILBOX", session.account().mailboxes()?, most.into());
    }
    write::quota(out, root(session), &resources, session.dialect());
    Ok(())
}
