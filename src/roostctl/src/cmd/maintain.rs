//! Work on an account's mailboxes: by the server's worker that has them open,
//! or else here.

use std::sync::Arc;

use roost_config::Config;
use roost_ipc::{ControlReply, ControlRequest, Finding, Indexed, Maintenance, Task};
use roost_store::{AccountOptions, Encoding, Error as StoreError, Fsync, Options, Store};
use roost_types::{DirectoryEncoding, MailboxName};

use crate::account::{self, Account};
use crate::args::Common;
use crate::{Failure, exit, server};

/// What comes of the work, as it goes on.
pub enum News {
    Finding(Finding),
    Indexed(Indexed),
}

pub fn maintain(
    common: &Common,
    mailboxes: &[String],
    task: Task,
    tell: &mut dyn FnMut(News),
) -> Result<(), Failure> {
    let names = names(mailboxes)?;
    let config = account::config(common)?;
    let account = account::chosen(common, &config)?;
    account.become_owner()?;
    let request = ControlRequest::Maintain(Maintenance {
        task,
        uid: account.owner.uid,
        maildir: account.maildir.clone(),
        mailboxes: mailboxes.to_vec(),
    });
    let socket = config.server.control_socket.as_deref();
    if let Some(asked) = server::ask(socket, &request)?
        && served(asked, &account, tell)?
    {
        return Ok(());
    }
    alone(&account, &config, task, &names, tell)
}

fn names(texts: &[String]) -> Result<Vec<MailboxName>, Failure> {
    let parse = |text: &String| {
        let name = MailboxName::parse(text, '/');
        name.map_err(|e| Failure::new(exit::USAGE, format!("{text}: {e}")))
    };
    texts.iter().map(parse).collect()
}

/// By the server; false if no session has the account open.
fn served(
    mut asked: server::Asked,
    account: &Account,
    tell: &mut dyn FnMut(News),
) -> Result<bool, Failure> {
    loop {
        match asked.reply()? {
            ControlReply::Finding(finding) => tell(News::Finding(finding)),
            ControlReply::Indexed(indexed) => tell(News::Indexed(indexed)),
            ControlReply::Done => return Ok(true),
            ControlReply::NotServed => return Ok(false),
            ControlReply::Refused => {
                let text = format!("the mail of {} is not yours", account.name);
                return Err(Failure::new(exit::NOPERM, text));
            }
            ControlReply::NoSuchMailbox => return Err(failed(StoreError::NoSuchMailbox)),
            ControlReply::Busy => {
                let text = "others are looking after this mail: try again later";
                return Err(Failure::new(exit::TEMPFAIL, text));
            }
            ControlReply::Failed(why) => return Err(Failure::new(exit::IOERR, why)),
        }
    }
}

/// By this process, which then has the index for itself.
fn alone(
    account: &Account,
    config: &Config,
    task: Task,
    names: &[MailboxName],
    tell: &mut dyn FnMut(News),
) -> Result<(), Failure> {
    // Modes of mail files follow their folder; anything else is the owner's.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let store = Store::new(options(config)).map_err(|e| Failure::new(exit::OSERR, e))?;
    let own = AccountOptions {
        directory_encoding: encoding(config.mail.directory_encoding),
        index_dir: account.index_dir.clone(),
        ..AccountOptions::default()
    };
    let open = store
        .account(&account.name, &account.maildir, own)
        .map_err(failed)?;
    if !open.owns_index() {
        let text = "the index is in use by another process that cannot be asked";
        return Err(Failure::new(exit::TEMPFAIL, text));
    }
    work(&open, task, names, tell).map_err(failed)
}

fn work(
    account: &Arc<roost_store::Account>,
    task: Task,
    names: &[MailboxName],
    tell: &mut dyn FnMut(News),
) -> Result<(), StoreError> {
    let mut check = |mend| {
        account.check(names, mend, &mut |found| {
            tell(News::Finding(Finding {
                mailbox: found.mailbox.map(|name| name.to_string()),
                file: found.file,
                text: found.text,
                mended: found.mended,
            }));
        })
    };
    match task {
        Task::Check => check(false),
        Task::Fix => check(true),
        Task::Reindex => account.reindex(names, &mut |done| {
            tell(News::Indexed(Indexed {
                mailbox: done.mailbox.to_string(),
                messages: done.messages,
            }));
        }),
    }
}

fn options(config: &Config) -> Options {
    Options {
        fsync: match config.mail.fsync {
            roost_types::Fsync::Always => Fsync::Always,
            roost_types::Fsync::Optimized => Fsync::Optimized,
            roost_types::Fsync::Never => Fsync::Never,
        },
        // Nobody waits here for what others change.
        inotify: false,
        ..Options::default()
    }
}

fn encoding(configured: DirectoryEncoding) -> Encoding {
    match configured {
        DirectoryEncoding::Mutf7 => Encoding::Mutf7,
        DirectoryEncoding::Utf8 => Encoding::Utf8,
        DirectoryEncoding::Detect => Encoding::Detect,
    }
}

fn failed(error: StoreError) -> Failure {
    let code = match &error {
        StoreError::NoSuchMailbox | StoreError::NotSelectable => exit::NOINPUT,
        StoreError::Permission { .. } => exit::NOPERM,
        StoreError::Locked { .. } => exit::TEMPFAIL,
        _ => exit::IOERR,
    };
    Failure::new(code, error)
}
