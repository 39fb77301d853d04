//! Work on a user's mailboxes that a local program asks for. Sessions live on
//! meanwhile; the program is answered on its own connection.

use roost_ipc::{self as ipc, BlockingChannel, ControlReply, ControlRequest, Maintenance, Task};
use roost_store::{Account, Error, Finding, Indexed, Store};
use roost_types::MailboxName;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// A program that does not take its answers is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// To the end; blocks.
pub fn run(store: &Arc<Store>, maintenance: &Maintenance, connection: OwnedFd) {
    let mut asker = match Asker::new(connection) {
        Ok(asker) => asker,
        Err(error) => return log::error!("control connection: {error}"),
    };
    let last = match store.opened(&maintenance.maildir) {
        // Who asks can have the index alone, then.
        None => ControlReply::NotServed,
        Some(account) => match work(&account, maintenance, &mut asker) {
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
    asker: &mut Asker,
) -> Result<(), ControlReply> {
    let mut names = Vec::new();
    for text in &maintenance.mailboxes {
        let name = MailboxName::parse(text, '/');
        names.push(name.map_err(|e| ControlReply::Failed(format!("{text}: {e}")))?);
    }
    let mut check = |mend| account.check(&names, mend, &mut |found| asker.tell(&finding(found)));
    let done = match maintenance.task {
        Task::Check => check(false),
        Task::Fix => check(true),
        Task::Reindex => account.reindex(&names, &mut |done| asker.tell(&indexed(&done))),
    };
    done.map_err(|error| match error {
        Error::NoSuchMailbox | Error::NotSelectable => ControlReply::NoSuchMailbox,
        other => ControlReply::Failed(other.to_string()),
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
