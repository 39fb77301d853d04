//! The servers under test, each with homes of its own below one folder.

mod dovecot;
mod roost;

use crate::client::Client;
use crate::error::{Error, Result};
use roost_tests::process::{Group, free_port, loopback};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub const PASSWORD: &str = "bench";
/// Owner of all mail: virtual users, as on most Dovecot sites.
pub const MAIL_UID: u32 = 5000;
/// A user whose mail is another uid's: nobody's process has both.
pub const GUEST: &str = "guest";
const GUEST_UID: u32 = 5001;
/// So many users can log in: `u0`, `u1`, …
pub const USERS: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Roost,
    /// Dovecot with the fastest sensible settings.
    Tuned,
    /// Dovecot as Debian ships it, with its limits raised.
    Default,
    /// Tuned, and idle sessions leave their process.
    Hibernate,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Roost, Self::Tuned, Self::Default];
    pub const PEERS: [Self; 2] = [Self::Tuned, Self::Default];

    /// Short, for options, folders and the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Roost => "roost",
            Self::Tuned => "dovecot",
            Self::Default => "default",
            Self::Hibernate => "hibernate",
        }
    }
}

pub struct Server {
    pub kind: Kind,
    dir: PathBuf,
    port: u16,
    tls_port: u16,
    group: Option<Group>,
}

impl Server {
    /// Writes its settings below `work`; it does not run yet.
    pub fn prepare(work: &Path, kind: Kind) -> Result<Self> {
        let server = Self {
            kind,
            dir: work.join(kind.name()),
            port: free_port()?,
            tls_port: free_port()?,
            group: None,
        };
        fs::create_dir_all(server.dir.join("homes"))?;
        fs::write(server.dir.join("passwd"), server.passwd())?;
        match kind {
            Kind::Roost => roost::write(&server, work)?,
            _ => dovecot::write(&server, work)?,
        }
        Ok(server)
    }

    fn passwd(&self) -> String {
        let homes = self.dir.join("homes");
        let users = (0..USERS).map(|n| format!("u{n}"));
        let named = crate::maildir::NAMED.iter().map(|n| (*n).to_owned());
        let guest = (GUEST.to_owned(), GUEST_UID);
        users
            .chain(named)
            .map(|user| (user, MAIL_UID))
            .chain([guest])
            .map(|(user, uid)| {
                let home = homes.join(&user);
                let home = home.display();
                format!("{user}:{{PLAIN}}{PASSWORD}:{uid}:{uid}::{home}::\n")
            })
            .collect()
    }

    /// Makes the home of [`GUEST`].
    pub fn invite(&self) -> Result<()> {
        let home = self.home(GUEST);
        fs::create_dir_all(&home)?;
        chown(&home, Some(GUEST_UID), Some(GUEST_UID))?;
        Ok(())
    }

    pub fn home(&self, user: &str) -> PathBuf {
        self.dir.join("homes").join(user)
    }

    pub fn start(&mut self) -> Result<()> {
        if self.group.is_some() {
            return Ok(());
        }
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("output.log"))?;
        let mut command: Command = match self.kind {
            Kind::Roost => roost::command(self),
            _ => dovecot::command(self),
        };
        let mut group = Group::start(command.stdout(log.try_clone()?).stderr(log))?;
        let limit = Duration::from_secs(20);
        let listens = [self.port, self.tls_port]
            .into_iter()
            .try_for_each(|port| group.listens(port, limit));
        self.group = Some(group);
        listens.map_err(|e| Error(format!("{} does not listen: {e}", self.kind.name())))
    }

    /// Ends it; what it wanted to write is written.
    pub fn stop(&mut self) {
        if let Some(mut group) = self.group.take() {
            group.signal(nix::sys::signal::Signal::SIGTERM);
            let _ = group.wait(Duration::from_secs(30));
        }
    }

    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.start()
    }

    pub fn pid(&self) -> Option<i32> {
        self.group.as_ref().map(|g| g.pid().as_raw())
    }

    pub fn addr(&self, tls: bool) -> SocketAddr {
        loopback(if tls { self.tls_port } else { self.port })
    }

    pub fn login(&self, user: &str) -> Result<Client> {
        Client::login(self.addr(false), false, user)
    }

    pub fn login_tls(&self, user: &str) -> Result<Client> {
        Client::login(self.addr(true), true, user)
    }

    /// Logged in, with `mailbox` selected.
    pub fn selected(&self, user: &str, mailbox: &str) -> Result<Client> {
        let mut client = self.login(user)?;
        client.run(&format!("SELECT {mailbox}"))?;
        Ok(client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
