//! Work on an account's mailboxes: by the server's worker that has them open,
//! or else here.

use std::sync::Arc;

use roost_config::Config;
use roost_ipc::{
    AclAct, AclEntry, AclWork, ControlReply, ControlRequest, Finding, Indexed, Maintenance,
    PropertyEntry, PropertyWork, QuotaUsed, Shares, Task,
};
use roost_store::acl::Mode;
use roost_store::{
    AccountOptions, AclError, AclTask, Encoding, Error as StoreError, Fsync, Options, Property,
    PropertyTask, QuotaOptions, Store,
};
use roost_types::{DirectoryEncoding, MailboxName};

use crate::account::{self, Account};
use crate::args::Common;
use crate::{Failure, exit, server};

/// What comes of the work, as it goes on.
pub enum News {
    Finding(Finding),
    Indexed(Indexed),
    Acl(AclEntry),
    Quota(QuotaUsed),
    Property(PropertyEntry),
    /// What the account shares now, where the server does not know it.
    Shares(Shares),
}

/// What is to be done.
pub struct Order {
    task: Task,
    acl: Option<(AclWork, AclTask)>,
    property: Option<PropertyWork>,
}

impl From<Task> for Order {
    fn from(task: Task) -> Self {
        Self {
            task,
            acl: None,
            property: None,
        }
    }
}

impl Order {
    pub fn of_rights(work: AclWork) -> Result<Self, Failure> {
        let task = acl_task(&work)?;
        Ok(Self {
            task: Task::Acl,
            acl: Some((work, task)),
            property: None,
        })
    }

    pub fn of_property(work: PropertyWork) -> Self {
        Self {
            task: Task::Property,
            acl: None,
            property: Some(work),
        }
    }
}

fn acl_task(work: &AclWork) -> Result<AclTask, Failure> {
    Ok(match work.act {
        AclAct::List => AclTask::List,
        AclAct::Set => {
            let (mode, rights) = Mode::parse(&work.rights).ok_or_else(|| {
                let text = format!("{}: rights are some of lrwstipekxa", work.rights);
                Failure::new(exit::USAGE, text)
            })?;
            AclTask::Set {
                entry: work.who.clone(),
                mode,
                rights,
            }
        }
        AclAct::Delete => AclTask::Delete {
            entry: work.who.clone(),
        },
        AclAct::Rights => AclTask::Rights {
            account: work.who.clone(),
            groups: work.groups.clone(),
        },
        AclAct::Shares => AclTask::Shares,
    })
}

pub fn maintain(
    common: &Common,
    mailboxes: &[String],
    order: impl Into<Order>,
    tell: &mut dyn FnMut(News),
) -> Result<(), Failure> {
    let order = order.into();
    let names = names(mailboxes)?;
    let config = account::config(common)?;
    let account = account::chosen(common, &config)?;
    account.become_owner()?;
    let request = ControlRequest::Maintain(Maintenance {
        task: order.task,
        uid: account.owner.uid,
        maildir: account.maildir.clone(),
        mailboxes: mailboxes.to_vec(),
        acl: order.acl.as_ref().map(|(work, _)| work.clone()),
        property: order.property.clone(),
    });
    let socket = config.server.control_socket.as_deref();
    let by_server = match server::ask(socket, &request)? {
        Some(asked) => served(asked, &account, tell),
        None => Ok(false),
    };
    let done = by_server.and_then(|done| match done {
        true => Ok(()),
        false => alone(&account, &config, &order, &names, tell),
    });
    done.map_err(|failure| match (failure.code, mailboxes) {
        (exit::NOINPUT, [one]) => Failure::new(failure.code, format!("{one}: {}", failure.text)),
        _ => failure,
    })
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
            ControlReply::Acl(entry) => tell(News::Acl(entry)),
            ControlReply::Quota(used) => tell(News::Quota(used)),
            ControlReply::Property(entry) => tell(News::Property(entry)),
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
            other => return Err(server::unexpected(&other)),
        }
    }
}

/// By this process, which then has the index for itself.
fn alone(
    account: &Account,
    config: &Config,
    order: &Order,
    names: &[MailboxName],
    tell: &mut dyn FnMut(News),
) -> Result<(), Failure> {
    let open = open(account, config)?;
    if let Some((_, task)) = &order.acl {
        return rights(&open, task, names, tell);
    }
    if let Some(work) = &order.property {
        return properties(&open, work, names, tell);
    }
    work(&open, order.task, names, tell).map_err(failed)
}

/// Modes of mail files follow their folder; anything else is the owner's.
pub fn own_files_only() {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
}

/// The account, for this process alone.
///
/// # Errors
/// `TEMPFAIL` where another has its index.
pub fn open(account: &Account, config: &Config) -> Result<Arc<roost_store::Account>, Failure> {
    own_files_only();
    let store = Store::new(options(config)).map_err(|e| Failure::new(exit::OSERR, e))?;
    let own = AccountOptions {
        directory_encoding: encoding(config.mail.directory_encoding),
        index_dir: account.index_dir.clone(),
        quota: QuotaOptions {
            limits: account.quota,
            max_mailboxes: config.max_mailboxes_of(&account.name),
            inbox_only: config.inbox_only_of(&account.name),
            count_trash: config.quota.count_trash,
            alert_percent: config.quota.alert_percent,
        },
        ..AccountOptions::default()
    };
    let open = store
        .account(&account.name, &account.maildir, own)
        .map_err(failed)?;
    if !open.owns_index() {
        let text = "the index is in use by another process that cannot be asked";
        return Err(Failure::new(exit::TEMPFAIL, text));
    }
    Ok(open)
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
        Task::Quota | Task::Recount => {
            if let Some(used) = account.quota_counted(task == Task::Recount)? {
                tell(News::Quota(QuotaUsed {
                    limits: used.limits,
                    octets: used.octets,
                    messages: used.messages,
                }));
            }
            Ok(())
        }
        Task::Reindex => account.reindex(names, &mut |done| {
            tell(News::Indexed(Indexed {
                mailbox: done.mailbox.to_string(),
                messages: done.messages,
            }));
        }),
        Task::Acl | Task::Property => Ok(()),
    }
}

fn rights(
    account: &Arc<roost_store::Account>,
    task: &AclTask,
    names: &[MailboxName],
    tell: &mut dyn FnMut(News),
) -> Result<(), Failure> {
    let done = account.acl_task(names, task, &mut |row| {
        tell(News::Acl(AclEntry {
            mailbox: row.mailbox.map(|name| name.to_string()),
            identifier: row.identifier,
            rights: row.rights.to_string(),
        }));
    });
    match done {
        Ok(true) => {
            let all = account.shares().map_err(failed)?;
            tell(News::Shares(Shares {
                account: account.name().to_owned(),
                identifiers: all.into_iter().collect(),
            }));
            Ok(())
        }
        Ok(false) => Ok(()),
        Err(AclError::Store(error)) => Err(failed(error)),
        Err(AclError::Entry(problem)) => Err(Failure::new(exit::USAGE, problem)),
    }
}

fn properties(
    account: &Arc<roost_store::Account>,
    work: &PropertyWork,
    names: &[MailboxName],
    tell: &mut dyn FnMut(News),
) -> Result<(), Failure> {
    let property = match work.property {
        roost_ipc::Property::Class => Property::Class,
        roost_ipc::Property::Lock => Property::Lock,
        roost_ipc::Property::Alias => Property::Alias,
    };
    let task = match &work.change {
        None => PropertyTask::List,
        Some(change) => PropertyTask::Change(change.value.clone()),
    };
    let mut row = |name: &MailboxName, value: &str| {
        tell(News::Property(PropertyEntry {
            mailbox: name.to_string(),
            value: value.to_owned(),
        }));
    };
    let done = account.property_task(names, (property, &task), &mut row);
    done.map_err(failed)
}

fn options(config: &Config) -> Options {
    Options {
        fsync: match config.mail.fsync {
            roost_types::Fsync::Always => Fsync::Always,
            roost_types::Fsync::Optimized => Fsync::Optimized,
            roost_types::Fsync::Never => Fsync::Never,
        },
        default_domain: config.server.default_domain.clone().map(Into::into),
        // Nobody waits here for what others change.
        inotify: false,
        ..Options::default()
    }
}

pub fn encoding(configured: DirectoryEncoding) -> Encoding {
    match configured {
        DirectoryEncoding::Mutf7 => Encoding::Mutf7,
        DirectoryEncoding::Utf8 => Encoding::Utf8,
        DirectoryEncoding::Detect => Encoding::Detect,
    }
}

pub fn failed(error: StoreError) -> Failure {
    let code = match &error {
        StoreError::NoSuchMailbox | StoreError::NotSelectable => exit::NOINPUT,
        StoreError::Permission { .. } => exit::NOPERM,
        StoreError::Locked { .. } => exit::TEMPFAIL,
        StoreError::InvalidName(_) | StoreError::InboxImmutable => exit::USAGE,
        StoreError::DiskFull { .. } | StoreError::OverQuota => exit::CANTCREAT,
        _ => exit::IOERR,
    };
    Failure::new(code, error)
}
