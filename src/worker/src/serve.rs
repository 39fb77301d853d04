//! One session from the supervisor's message to its last line in the log.

use crate::client::Welcome;
use crate::connection::Connection;
use crate::control::Reports;
use crate::ending::Ending;
use crate::setup::{Setup, quota};
use crate::stream::Stream;
use crate::turns::Turns;
use roost_ipc::log::escape;
use roost_ipc::{self as ipc, LogLevel, Refusal, SessionEnd, slog};
use roost_session::{Activity, Alias, Asker, Identity, Session};
use roost_store::{Account, AccountOptions, Error, Known, Store};
use roost_types::MailboxName;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

/// A session that may begin.
pub struct Ready {
    connection: Connection,
    /// None on a link.
    welcome: Option<Welcome>,
}

/// Opens the account and makes the session; the client has been told nothing
/// yet.
pub async fn prepare(
    store: Arc<Store>,
    setup: &Setup,
    message: ipc::Session,
    fd: OwnedFd,
    ending: Ending,
    turns: Arc<Turns>,
    reports: Reports,
) -> Result<Ready, Refusal> {
    let id = message.session;
    let refuse = |what: &dyn std::fmt::Display| {
        slog!(
            id,
            LogLevel::Failures,
            "user=<{}>: {what}",
            escape(&message.account)
        );
        Refusal::Unavailable
    };
    let welcome = match message.asker {
        None => Some(Welcome::new(&message.tag).ok_or_else(|| refuse(&"no tag"))?),
        // Who has no mail shares none, and gets no Maildir for being asked.
        Some(_) if !has_mail(&message.maildir).await => return Err(Refusal::NoMail),
        Some(_) => None,
    };
    let mut stream = Stream::new(fd).map_err(|e| refuse(&e))?;
    if message.asker.is_none() {
        stream = stream.counted(Arc::clone(&setup.session.tally));
    }
    let opened = open(store, setup, &message).await.map_err(|e| refuse(&e))?;
    let (account, known) = opened;
    let identity = Identity {
        session: id,
        user: message.account.clone(),
        asker: message.asker.as_ref().map(|asker| {
            Box::new(Asker {
                account: asker.account.clone(),
                groups: asker.groups.clone(),
                shown: asker.shown.clone(),
                alias: asker.alias.as_ref().and_then(alias),
            })
        }),
    };
    let settings = setup.session_settings(&message);
    let mut session = Session::new(identity, account, settings).with_home(message.home);
    session.begins_with(known);
    Ok(Ready {
        connection: Connection::new(
            stream,
            session,
            &message.leftover.0,
            ending,
            (turns, reports),
            setup.idle_timeout,
        ),
        welcome,
    })
}

async fn has_mail(maildir: &Path) -> bool {
    let maildir = maildir.join("cur");
    let looked = tokio::task::spawn_blocking(move || maildir.try_exists());
    // What cannot be looked at is no secret: opening it says why.
    looked.await.is_ok_and(|found| found.unwrap_or(true))
}

async fn open(
    store: Arc<Store>,
    setup: &Setup,
    message: &ipc::Session,
) -> Result<(Arc<Account>, Known), String> {
    let (name, maildir) = (message.account.clone(), message.maildir.clone());
    let options = AccountOptions {
        index_dir: message.index_dir.clone(),
        quota: quota(&message.quota),
        ..setup.account.clone()
    };
    let opened = tokio::task::spawn_blocking(move || {
        let account = store.account(&name, &maildir, options)?;
        // Whatever is wrong with the sums keeps nobody from his mail.
        let known = account.quota().unwrap_or(Known::Unlimited);
        Ok::<_, Error>((account, known))
    })
    .await;
    match opened {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(e)) => Err(format!("{}: {e}", message.maildir.display())),
        Err(_) => Err("opening the account failed".into()),
    }
}

fn alias((name, of): &(String, String)) -> Option<Alias> {
    Some(Alias {
        name: name.clone(),
        of: MailboxName::parse(of, '/').ok()?,
    })
}

impl Ready {
    /// For who wants to see what it does.
    pub fn activity(&self) -> Option<Arc<Activity>> {
        self.connection.activity()
    }

    /// To the end; the supervisor logs what became of it.
    pub async fn run(self) -> SessionEnd {
        self.connection.run(self.welcome.as_ref()).await
    }
}
