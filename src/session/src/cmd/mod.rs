//! The commands, one file each.

use crate::error::Error;
use crate::job::{Job, Reply};
use crate::session::Session;
use roost_imap::{Command, Tag};
use roost_store::CopyMode;

mod acl;
pub mod append;
pub mod capability;
pub mod check;
pub mod close;
pub mod compress;
mod conditional;
pub mod copy;
pub mod create;
pub mod delete;
pub mod enable;
pub(crate) mod encrypted;
pub mod expunge;
pub mod fetch;
pub mod getmetadata;
pub mod id;
pub mod list;
pub mod logout;
pub mod lsub;
pub(crate) mod metadata;
pub mod namespace;
pub mod noop;
pub(crate) mod notify;
mod quota;
pub mod rename;
pub(crate) mod replace;
pub mod search;
pub mod select;
pub mod setmetadata;
pub mod sort;
pub mod status;
pub mod store;
pub mod subscribe;
mod sync;
pub mod thread;
pub mod unselect;

pub(crate) use sync::{has_numbers, prepare_foreign, tells_vanished};

/// How a command began.
pub(crate) enum Started {
    /// It is done already.
    Done(Reply),
    Job(Box<dyn Job>),
    /// The client idles until it sends DONE.
    Idle,
}

/// Begins a command that is allowed in the session's state.
pub(crate) fn start(
    session: &mut Session,
    tag: &Tag,
    command: Command,
    out: &mut Vec<u8>,
) -> Result<Started, Error> {
    sync::prepare(session, &command, out)?;
    session.check_rights(&command)?;
    Ok(Started::Done(match command {
        Command::Capability => capability::run(session, out),
        Command::Noop => noop::run(),
        Command::Logout => logout::run(session, out),
        Command::Id(fields) => id::run(session, &fields, out),
        Command::Starttls | Command::Authenticate(_) | Command::Login { .. } => {
            return Err(Error::Bad("Already authenticated"));
        }
        Command::Compress(mechanism) => compress::run(session, &mechanism)?,
        Command::Enable(names) => enable::run(session, &names, out),
        Command::Select(args) => return select::start(session, args, out),
        Command::Create(args) => create::run(session, &args, out)?,
        Command::Delete { mailbox } => delete::run(session, &mailbox, out)?,
        Command::Rename { from, to } => rename::run(session, &from, &to, out)?,
        Command::Subscribe { mailbox } => subscribe::subscribe(session, &mailbox)?,
        Command::Unsubscribe { mailbox } => subscribe::unsubscribe(session, &mailbox)?,
        Command::List(args) => return Ok(Started::Job(list::start(session, &args)?)),
        Command::Lsub { reference, pattern } => {
            return Ok(Started::Job(lsub::start(session, &reference, pattern)?));
        }
        Command::Acl(command) => acl::run(session, &command, out)?,
        Command::Namespace => namespace::run(session, out),
        Command::Status { mailbox, items } => {
            return status::start(session, &mailbox, items, out);
        }
        Command::GetQuota { root } => return quota::get(session, &root, out),
        Command::GetQuotaRoot { mailbox } => return quota::get_root(session, &mailbox, out),
        Command::SetQuota { root, .. } => quota::set(session, &root)?,
        Command::GetMetadata(args) => return getmetadata::start(session, &args),
        Command::SetMetadata(args) => setmetadata::run(session, args)?,
        Command::Idle => return Ok(Started::Idle),
        Command::Notify(args) => return notify::start(session, args),
        Command::Check => check::run(),
        Command::Close => return close::start(session),
        Command::Unselect => unselect::run(session),
        Command::Expunge => return expunge::start(session, None),
        Command::UidExpunge(set) => return expunge::start(session, Some(&set)),
        Command::Fetch(args) => return Ok(Started::Job(fetch::start(session, args)?)),
        Command::Search(args) => return Ok(Started::Job(search::start(session, tag, args)?)),
        Command::Sort(args) => return Ok(Started::Job(sort::start(session, tag, args)?)),
        Command::Thread(args) => return Ok(Started::Job(thread::start(session, args)?)),
        Command::Store(args) => return Ok(Started::Job(store::start(session, args)?)),
        Command::Copy(args) => return copy::start(session, &args, CopyMode::Copy),
        Command::Move(args) => return copy::start(session, &args, CopyMode::Move),
    }))
}
