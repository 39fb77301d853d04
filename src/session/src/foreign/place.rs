//! Which mailboxes a command is about, and so where it is carried out.

use super::alias;
use super::targets::{self, Targets};
use crate::cmd;
use crate::cmd::list::foreign_patterns;
use crate::error::Error;
use crate::names::{NameProblem, Names};
use crate::session::{Session, State};
use roost_imap::{Command, ResponseCode};
use roost_types::MailboxName;

/// The mailboxes that a command is about. A new command has to say so here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Uses<'a> {
    /// None, or none but the asker's own.
    Nothing,
    /// The selected one.
    Selected,
    /// The one of this name.
    Name(&'a [u8]),
    /// The account of this name, which is a quota root.
    Root(&'a [u8]),
    /// The name itself, whatever it stands for.
    Itself(&'a [u8]),
    /// Two of the same account.
    Names(&'a [u8], &'a [u8]),
    /// The selected one, and that of this name.
    SelectedAnd(&'a [u8]),
}

/// What `command` is about, by its arguments as they stand. LIST, LSUB and
/// NOTIFY have patterns and filters, which they look through themselves.
pub(crate) fn uses(command: &Command) -> Uses<'_> {
    match command {
        Command::Capability
        | Command::Logout
        | Command::Id(_)
        | Command::Starttls
        | Command::Authenticate(_)
        | Command::Login { .. }
        | Command::Compress(_)
        | Command::Namespace
        | Command::Subscribe { .. }
        | Command::Unsubscribe { .. }
        | Command::List(_)
        | Command::Lsub { .. }
        | Command::Notify(_) => Uses::Nothing,
        Command::Select(args) => Uses::Name(&args.mailbox),
        Command::Create(args) => Uses::Itself(&args.mailbox),
        Command::Delete { mailbox } => Uses::Itself(mailbox),
        Command::Status { mailbox, .. } => Uses::Name(mailbox),
        Command::Acl(command) => Uses::Name(command.mailbox()),
        Command::GetQuotaRoot { mailbox } => Uses::Name(mailbox),
        Command::GetQuota { root } | Command::SetQuota { root, .. } => Uses::Root(root),
        // Without a name, of the server.
        Command::GetMetadata(args) if args.mailbox.is_empty() => Uses::Nothing,
        Command::SetMetadata(args) if args.mailbox.is_empty() => Uses::Nothing,
        Command::GetMetadata(args) if cmd::metadata::asks_for_alias(args) => {
            Uses::Itself(&args.mailbox)
        }
        Command::SetMetadata(args) if cmd::metadata::sets_alias(args) => {
            Uses::Itself(&args.mailbox)
        }
        Command::GetMetadata(args) => Uses::Name(&args.mailbox),
        Command::SetMetadata(args) => Uses::Name(&args.mailbox),
        Command::Rename { from, to } => Uses::Names(from, to),
        Command::Noop
        | Command::Enable(_)
        | Command::Idle
        | Command::Check
        | Command::Close
        | Command::Unselect
        | Command::Expunge
        | Command::UidExpunge(_)
        | Command::Search(_)
        | Command::Sort(_)
        | Command::Thread(_)
        | Command::Fetch(_)
        | Command::Store(_) => Uses::Selected,
        Command::Copy(args) | Command::Move(args) => Uses::SelectedAnd(&args.mailbox),
    }
}

/// Where a command is carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Here,
    /// At several accounts: LIST.
    Everywhere(Vec<String>),
    /// Here and at several accounts: NOTIFY.
    Watched(Targets),
    /// At this account.
    There(String),
    /// Messages go from here to this account.
    Out(String),
    /// Messages come from the account of the selected mailbox.
    In,
    /// Messages go from there to this account.
    Across(String),
}

impl Session {
    /// Where `command` has to be carried out.
    pub(crate) fn place(&self, command: &Command) -> Result<Place, Error> {
        if let Command::List(args) = command {
            let patterns = foreign_patterns(self, args);
            if !patterns.is_empty() {
                return Ok(Place::Everywhere(patterns));
            }
        }
        if let Command::Notify(args) = command
            && let Some(targets) = targets::of(self, args)?
        {
            return Ok(Place::Watched(targets));
        }
        if let Command::Create(args) = command
            && is_account(self, &args.mailbox)?
        {
            return Err(NameProblem::OfAnother.into());
        }
        let selected = match &self.state {
            State::Foreign(remote) => Some(&remote.shown),
            _ => None,
        };
        Ok(match uses(command) {
            Uses::Nothing => Place::Here,
            Uses::Selected => selected.map_or(Place::Here, |shown| Place::There(shown.clone())),
            Uses::Name(name) => account(self, name)?.map_or(Place::Here, Place::There),
            Uses::Root(name) => root(self, name)?.map_or(Place::Here, Place::There),
            Uses::Itself(name) => owner(self, name)?.map_or(Place::Here, Place::There),
            Uses::Names(from, to) => match (owner(self, from)?, owner(self, to)?) {
                (None, None) => Place::Here,
                (Some(from), Some(to)) if from == to => Place::There(from),
                _ => {
                    return Err(Error::refused(
                        ResponseCode::Cannot,
                        "A mailbox stays in its account",
                    ));
                }
            },
            Uses::SelectedAnd(name) => match (selected, account(self, name)?) {
                (None, None) => Place::Here,
                (None, Some(to)) => Place::Out(to),
                (Some(_), None) => Place::In,
                (Some(from), Some(to)) if *from == to => Place::There(to),
                (Some(_), Some(to)) => Place::Across(to),
            },
        })
    }
}

/// Whether a name is that of an account, which is no mailbox and none can be
/// made of.
fn is_account(session: &Session, raw: &[u8]) -> Result<bool, Error> {
    if raw.first() != Some(&b'~') || session.is_foreign() {
        return Ok(false);
    }
    let text = Names::decode(raw, session.dialect())?;
    Ok(session.names.foreign(&text)?.1.is_none())
}

/// How a mailbox of another account stands among the subscriptions; `None` for
/// an own one.
pub(crate) fn subscription(session: &Session, raw: &[u8]) -> Result<Option<MailboxName>, Error> {
    if raw.first() != Some(&b'~') {
        return Ok(None);
    }
    let text = Names::decode(raw, session.dialect())?;
    let (shown, mailbox) = session.names.foreign(&text)?;
    let levels = mailbox.iter().flat_map(MailboxName::levels);
    let name = MailboxName::from_levels(std::iter::once(shown).chain(levels));
    Ok(Some(name.map_err(NameProblem::Name)?))
}

/// The account that a mailbox name is in, as the client writes it, or the alias
/// that it is; `None` for the session's own.
pub(super) fn account(session: &Session, raw: &[u8]) -> Result<Option<String>, Error> {
    match owner(session, raw)? {
        None => alias::named(session, raw),
        owner => Ok(owner),
    }
}

/// The account that a mailbox name is in; `None` for the session's own. A name
/// that cannot be is refused here, in the same words whether there is such an
/// account or not.
fn owner(session: &Session, raw: &[u8]) -> Result<Option<String>, Error> {
    if raw.first() != Some(&b'~') || session.is_foreign() {
        return Ok(None);
    }
    let text = Names::decode(raw, session.dialect())?;
    match session.names.foreign(&text)? {
        (shown, Some(_)) => Ok(Some(shown.to_owned())),
        (_, None) => Err(NameProblem::Account.into()),
    }
}

/// The account that a quota root stands for; `None` for the session's own, and
/// for what is no name of an account.
fn root(session: &Session, raw: &[u8]) -> Result<Option<String>, Error> {
    if raw.first() != Some(&b'~') || session.is_foreign() {
        return Ok(None);
    }
    let text = Names::decode(raw, session.dialect())?;
    let (shown, _) = session.names.foreign(&text)?;
    Ok((shown == text).then_some(text))
}
