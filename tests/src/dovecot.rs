//! Debian's Dovecot as the peer that conversations are compared with and that
//! Maildirs come from and go back to.

use crate::process::{Group, free_port, loopback};
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub const PASSWORD: &str = "dovecot-test";

/// A running Dovecot over the homes below one folder. Every user name logs in
/// with [`PASSWORD`]; its Maildir is `<homes>/<user>/Maildir`.
pub struct Dovecot {
    group: Group,
    config: PathBuf,
    port: u16,
}

/// How the Maildirs are laid out and owned.
pub struct Layout<'a> {
    pub homes: &'a Path,
    pub uid: u32,
    pub gid: u32,
    /// Extra text for the configuration file.
    pub extra: &'a str,
}

/// Mailboxes of others have the names that they have with Roost.
pub const OTHERS: &str = "
namespace others {
  type = shared
  separator = /
  prefix = ~%%u/
  location = maildir:%%h/Maildir
  list = no
  subscriptions = no
}
";

/// None where Debian's package is not installed.
pub fn installed() -> bool {
    Path::new("/usr/sbin/dovecot").exists()
}

impl Dovecot {
    pub fn start(dir: &Path, layout: &Layout<'_>) -> io::Result<Self> {
        let port = free_port()?;
        let base = dir.join("dovecot");
        fs::create_dir_all(&base)?;
        let config = base.join("dovecot.conf");
        fs::write(&config, settings(&base, port, layout))?;
        let log = fs::File::create(base.join("stderr.log"))?;
        let mut group = Group::start(
            Command::new("/usr/sbin/dovecot")
                .arg("-F")
                .arg("-c")
                .arg(&config)
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        group.listens(port, Duration::from_secs(30))?;
        Ok(Self {
            group,
            config,
            port,
        })
    }

    pub fn addr(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// Delivers through dovecot-lda, as an MTA would.
    pub fn deliver(&self, user: &str, mailbox: &str, message: &[u8]) -> io::Result<()> {
        deliver(&self.config, user, mailbox, message)
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Ends it, so that another server can take the Maildirs.
    pub fn stop(mut self) -> PathBuf {
        self.group.signal(nix::sys::signal::Signal::SIGTERM);
        let _ = self.group.wait(Duration::from_secs(5));
        self.config.clone()
    }
}

/// dovecot-lda with `config`; needs the auth service of a running Dovecot
/// unless the user's home and uid come from the environment.
pub fn deliver(config: &Path, user: &str, mailbox: &str, message: &[u8]) -> io::Result<()> {
    let mut child = Command::new("/usr/lib/dovecot/dovecot-lda")
        .arg("-c")
        .arg(config)
        .args(["-d", user, "-m", mailbox])
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(message)?;
    }
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("dovecot-lda: {status}")))
    }
}

fn settings(base: &Path, port: u16, layout: &Layout<'_>) -> String {
    format!(
        "base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:~/Maildir
mail_max_userip_connections = 0
mailbox_list_index = yes
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
  process_min_avail = 1
  service_count = 0
  chroot =
}}
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={homes}/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
protocol lda {{
  postmaster_address = postmaster@example.org
}}
{extra}
",
        base = base.display(),
        homes = layout.homes.display(),
        uid = layout.uid,
        gid = layout.gid,
        extra = layout.extra,
    )
}
