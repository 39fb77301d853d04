//! Work on a user's mailboxes that a local program asks for. Sessions live on
//! meanwhile; the program is answered on its own connection.

use roost_ipc::{
    self as ipc, AclAct, AclWork, BlockingChannel, ControlReply, ControlRequest, Maintenance,
    PropertyWork, Task,
};
use roost_session::SharesHook;
use roost_store::acl::Mode;
use roost_store::{
    Account, AclError, AclRow, AclTask, Error, Finding, Indexed, Property, PropertyTask, Store,
    Usage,
};
use roost_types::MailboxName;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// A program that does not take its answers is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// To the end; blocks.
pub fn run(
    store: &Arc<Store>,
    maintenance: &Maintenance,
    shares: &SharesHook,
    connection: OwnedFd,
) {
    let mut asker = match Asker::new(connection) {
        Ok(asker) => asker,
        Err(error) => return log::error!("control connection: {error}"),
    };
    let last = match store.opened(&maintenance.maildir) {
        // Who asks can have the index alone, then.
        None => ControlReply::NotServed,
        Some(account) => match work(&account, maintenance, shares, &mut asker) {
            Ok(()) => ControlReply::Done,
            Err(last) => last,
        },
    };
    asker.tell(&last);
}

/// For a request too many; does not block.
pub fn refuse(connection: OwnedFd) {
    if let Ok(mut asker) = Asker::new(connection) {
        asker.tell(&ControlReply::Busy);
    }
}

fn work(
    account: &Arc<Account>,
    maintenance: &Maintenance,
    shares: &SharesHook,
    asker: &mut Asker,
) -> Result<(), ControlReply> {
    let mut names = Vec::new();
    for text in &maintenance.mailboxes {
        let name = MailboxName::parse(text, '/');
        names.push(name.map_err(|e| ControlReply::Failed(format!("{text}: {e}")))?);
    }
    if let Some(wanted) = &maintenance.acl {
        return rights(account, &names, wanted, shares, asker);
    }
    if let Some(wanted) = &maintenance.property {
        return properties(account, &names, wanted, asker);
    }
    let mut check = |mend| account.check(&names, mend, &mut |found| asker.tell(&finding(found)));
    let done = match maintenance.task {
        Task::Check => check(false),
        Task::Fix => check(true),
        Task::Quota | Task::Recount => {
            let used = account.quota_counted(maintenance.task == Task::Recount);
            used.map(|used| {
                if let Some(used) = used {
                    asker.tell(&quota(&used));
                }
            })
        }
        Task::Reindex => account.reindex(&names, &mut |done| asker.tell(&indexed(&done))),
        Task::Acl | Task::Property => {
            return Err(ControlReply::Failed("nothing was said to be done".into()));
        }
    };
    done.map_err(failed)
}

fn failed(error: Error) -> ControlReply {
    match error {
        Error::NoSuchMailbox | Error::NotSelectable => ControlReply::NoSuchMailbox,
        other => ControlReply::Failed(other.to_string()),
    }
}

/// Sessions of others that have the mailboxes open are put out by it.
fn rights(
    account: &Arc<Account>,
    names: &[MailboxName],
    wanted: &AclWork,
    shares: &SharesHook,
    asker: &mut Asker,
) -> Result<(), ControlReply> {
    let task = acl_task(wanted)?;
    let done = account.acl_task(names, &task, &mut |row| asker.tell(&entry(&row)));
    let shown = done.map_err(|error| match error {
        AclError::Store(error) => failed(error),
        AclError::Entry(problem) => ControlReply::Failed(problem.to_string()),
    })?;
    if shown {
        let all = account.shares().map_err(failed)?;
        shares.changed(account.name(), all.into_iter().collect());
    }
    Ok(())
}

fn properties(
    account: &Arc<Account>,
    names: &[MailboxName],
    wanted: &PropertyWork,
    asker: &mut Asker,
) -> Result<(), ControlReply> {
    let property = match wanted.property {
        ipc::Property::Class => Property::Class,
        ipc::Property::Lock => Property::Lock,
        ipc::Property::Alias => Property::Alias,
    };
    let task = match &wanted.change {
        None => PropertyTask::List,
        Some(change) => PropertyTask::Change(change.value.clone()),
    };
    let mut tell = |name: &MailboxName, value: &str| {
        asker.tell(&ControlReply::Property(ipc::PropertyEntry {
            mailbox: name.to_string(),
            value: value.to_owned(),
        }));
    };
    let done = account.property_task(names, (property, &task), &mut tell);
    done.map_err(failed)
}

fn acl_task(wanted: &AclWork) -> Result<AclTask, ControlReply> {
    Ok(match wanted.act {
        AclAct::List => AclTask::List,
        AclAct::Set => {
            let (mode, rights) = Mode::parse(&wanted.rights)
                .ok_or_else(|| ControlReply::Failed(format!("no rights: {}", wanted.rights)))?;
            AclTask::Set {
                entry: wanted.who.clone(),
                mode,
                rights,
            }
        }
        AclAct::Delete => AclTask::Delete {
            entry: wanted.who.clone(),
        },
        AclAct::Rights => AclTask::Rights {
            account: wanted.who.clone(),
            groups: wanted.groups.clone(),
        },
        AclAct::Shares => AclTask::Shares,
    })
}

fn entry(row: &AclRow) -> ControlReply {
    ControlReply::Acl(ipc::AclEntry {
        mailbox: row.mailbox.as_ref().map(ToString::to_string),
        identifier: row.identifier.clone(),
        rights: row.rights.to_string(),
    })
}

fn finding(finding: Finding) -> ControlReply {
    ControlReply::Finding(ipc::Finding {
        mailbox: finding.mailbox.map(|name| name.to_string()),
        file: finding.file,
        text: finding.text,
        mended: finding.mended,
    })
}

fn quota(used: &Usage) -> ControlReply {
    ControlReply::Quota(ipc::QuotaUsed {
        limits: used.limits,
        octets: used.octets,
        messages: used.messages,
    })
}

fn indexed(done: &Indexed) -> ControlReply {
    ControlReply::Indexed(ipc::Indexed {
        mailbox: done.mailbox.to_string(),
        messages: done.messages,
    })
}

/// Who asked, while it listens: what was begun is done to its end anyway.
struct Asker(Option<BlockingChannel<ControlReply, ControlRequest>>);

impl Asker {
    fn new(connection: OwnedFd) -> std::io::Result<Self> {
        roost_os::local::limit_sending(&connection, PATIENCE)?;
        Ok(Self(Some(BlockingChannel::new(connection)?)))
    }

    fn tell(&mut self, reply: &ControlReply) {
        if let Some(channel) = &mut self.0
            && let Err(error) = channel.send(reply, &[])
        {
            log::info!("control connection: {error}");
            self.0 = None;
        }
    }
}
