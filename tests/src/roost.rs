//! Roost as the tests start it: the built executables, a configuration of the
//! test's own, ports of its own.

use crate::client::Client;
use crate::ctl::Roostctl;
use crate::process::{Group, eventually, executables, free_port, is_root, loopback};
use nix::sys::signal::Signal;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub const PASSWORD: &str = "roost-test";
/// Owner of virtual users' mail when the tests run as root.
pub const MAIL_UID: u32 = 5000;
/// With other ports each, should somebody else take those that were free.
const STARTS: usize = 5;
/// For the listeners and the control socket to be there.
const START: Duration = Duration::from_secs(30);
const TAKEN: &str = "Address already in use";

/// A running roostd in a folder of its own.
pub struct Roost {
    group: Group,
    /// Goes with it, unless the test has it.
    folder: Option<tempfile::TempDir>,
    dir: PathBuf,
    pam: bool,
    port: u16,
    tls_port: u16,
    env: Vec<(&'static str, PathBuf)>,
}

/// What a test wants otherwise than by default.
#[derive(Default)]
pub struct Setup {
    /// Virtual users of the passwd-file, each with [`PASSWORD`].
    pub users: Vec<String>,
    /// Where the virtual users' homes are; `<dir>/homes` by default.
    pub homes: Option<PathBuf>,
    /// Lines by section, after the defaults: `("mail", "separator = .")`.
    pub settings: Vec<(&'static str, String)>,
    /// Added to roostd's environment.
    pub env: Vec<(&'static str, PathBuf)>,
    /// PAM accounts instead of the passwd-file.
    pub pam: bool,
    /// Groups of virtual users, separated by commas.
    pub groups: BTreeMap<String, String>,
    /// Lines of `[user NAME]` sections.
    pub accounts: Vec<(String, String)>,
}

impl Setup {
    /// Virtual users, and nothing else that is not the default.
    pub fn of(users: &[&str]) -> Self {
        Self {
            users: users.iter().map(|user| (*user).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// The accounts of `tests/in-namespace`.
    pub fn pam() -> Self {
        Self {
            pam: true,
            ..Self::default()
        }
    }

    /// With these lines of the configuration besides.
    #[must_use]
    pub fn with(mut self, settings: &[(&'static str, &str)]) -> Self {
        let lines = settings
            .iter()
            .map(|(section, line)| (*section, (*line).to_owned()));
        self.settings.extend(lines);
        self
    }
}

/// A folder of the test's own that every user may enter.
pub fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
    dir
}

impl Roost {
    /// In a folder that is gone with the server.
    pub fn alone(setup: &Setup) -> Self {
        let dir = folder();
        let mut roost = Self::start(dir.path(), setup).expect("a server");
        roost.folder = Some(dir);
        roost
    }

    pub fn start(dir: &Path, setup: &Setup) -> io::Result<Self> {
        for _ in 1..STARTS {
            match Self::start_once(dir, setup) {
                Err(error) if error.to_string().contains(TAKEN) => {
                    fs::remove_file(dir.join("log"))?;
                }
                other => return other,
            }
        }
        Self::start_once(dir, setup)
    }

    fn start_once(dir: &Path, setup: &Setup) -> io::Result<Self> {
        let (port, tls_port) = (free_port()?, free_port()?);
        let homes = setup.homes.clone().unwrap_or_else(|| dir.join("homes"));
        write_files(dir, &homes, setup)?;
        fs::write(dir.join("roost.conf"), settings(dir, port, tls_port, setup))?;
        let mut roost = Self {
            group: spawn(dir, &setup.env)?,
            folder: None,
            dir: dir.to_owned(),
            pam: setup.pam,
            port,
            tls_port,
            env: setup.env.clone(),
        };
        roost.wait_ready()?;
        Ok(roost)
    }

    fn wait_ready(&mut self) -> io::Result<()> {
        let group = &mut self.group;
        let both = [self.port, self.tls_port];
        both.into_iter()
            .try_for_each(|port| group.listens(port, START))
            .map_err(|e| {
                io::Error::other(format!("roostd does not listen ({e}):\n{}", self.log()))
            })?;
        let control = self.dir.join("control");
        eventually(START, || hears(&control).ok())
            .ok_or_else(|| io::Error::other(format!("no control socket:\n{}", self.log())))
    }

    /// A session of a user with the password that all have here.
    pub fn login(&self, user: &str) -> Client {
        let unix = format!("{user}-secret");
        let password = if self.pam { unix.as_str() } else { PASSWORD };
        Client::login(self.addr(), user, password).expect("a session")
    }

    pub fn roostctl(&self) -> Roostctl {
        Roostctl::of(&self.dir)
    }

    /// What roostctl, as the test's own user, says and ends with.
    pub fn ctl(&self, args: &[&str]) -> (i32, String) {
        self.roostctl().run(args)
    }

    pub fn addr(&self) -> SocketAddr {
        loopback(self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn pid(&self) -> nix::unistd::Pid {
        self.group.pid()
    }

    pub fn signal(&self, signal: Signal) {
        self.group.signal(signal);
    }

    pub fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        self.group.wait(limit)
    }

    /// The log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Waits for a log line that holds `text`.
    pub fn logged(&self, text: &str) -> bool {
        eventually(Duration::from_secs(30), || {
            self.log().contains(text).then_some(())
        })
        .is_some()
    }

    /// Ends it cleanly, so that another server can take the Maildirs. Gives
    /// the folder that it had for itself.
    pub fn stop(mut self) -> Option<tempfile::TempDir> {
        self.group.signal(Signal::SIGTERM);
        assert!(
            self.group.wait(Duration::from_secs(10)).is_some(),
            "roostd does not end:\n{}",
            self.log()
        );
        self.folder
    }

    /// Ends every process of it at once with SIGKILL and starts it again on
    /// the same folder and ports.
    pub fn crash_and_restart(&mut self) -> io::Result<()> {
        // Found first: once their parent is dead they are nobody's children.
        let roles = self.role_pids("");
        let _ = nix::sys::signal::killpg(self.group.pid(), Signal::SIGKILL);
        for role in roles {
            let _ = nix::sys::signal::kill(role, Signal::SIGKILL);
        }
        let _ = self.group.wait(Duration::from_secs(5));
        self.group = spawn(&self.dir, &self.env)?;
        self.wait_ready()
    }

    /// The process of a role that there is one of.
    pub fn role(&self, role: &str) -> nix::unistd::Pid {
        eventually(Duration::from_secs(60), || {
            self.role_pids(role).first().copied()
        })
        .unwrap_or_else(|| panic!("no roost-{role}:\n{}", self.log()))
    }

    /// Processes started by this roostd whose name begins with `roost-ROLE`.
    pub fn role_pids(&self, role: &str) -> Vec<nix::unistd::Pid> {
        let wanted = format!("roost-{role}");
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
                continue;
            };
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let Some((head, tail)) = stat.rsplit_once(')') else {
                continue;
            };
            let name = head.split_once('(').map_or("", |(_, n)| n);
            let parent = tail
                .split_whitespace()
                .nth(1)
                .and_then(|p| p.parse::<i32>().ok());
            if name.starts_with(&wanted) && parent == Some(self.pid().as_raw()) {
                found.push(nix::unistd::Pid::from_raw(pid));
            }
        }
        found
    }
}

/// Whether somebody listens at that path.
fn hears(control: &Path) -> nix::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    socket::connect(socket.as_raw_fd(), &UnixAddr::new(control)?)
}

fn spawn(dir: &Path, env: &[(&str, PathBuf)]) -> io::Result<Group> {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("log"))?;
    Group::start(
        Command::new(executables().join("roostd"))
            .arg("-c")
            .arg(dir.join("roost.conf"))
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdout(log.try_clone()?)
            .stderr(log),
    )
}

/// uid and gid of virtual users' mail.
pub fn mail_owner() -> (u32, u32) {
    if is_root() {
        (MAIL_UID, MAIL_UID)
    } else {
        (
            nix::unistd::geteuid().as_raw(),
            nix::unistd::getegid().as_raw(),
        )
    }
}

fn write_files(dir: &Path, homes: &Path, setup: &Setup) -> io::Result<()> {
    let (uid, gid) = mail_owner();
    let mut passwd = String::new();
    for user in &setup.users {
        let home = homes.join(user);
        fs::create_dir_all(&home)?;
        if is_root() {
            std::os::unix::fs::chown(&home, Some(uid), Some(gid))?;
        }
        let _ = writeln!(
            passwd,
            "{user}:{{PLAIN}}{PASSWORD}:{uid}:{gid}::{}::{}",
            home.display(),
            match setup.groups.get(user) {
                Some(groups) => format!("userdb_acl_groups={groups}"),
                None => String::new(),
            }
        );
    }
    fs::create_dir_all(dir.join("empty"))?;
    fs::write(dir.join("passwd"), passwd)
}

fn settings(dir: &Path, port: u16, tls_port: u16, setup: &Setup) -> String {
    let dir = dir.display();
    let backend = if setup.pam { "pam" } else { "passwd-file" };
    let mut sections: Vec<(&str, String)> = vec![
        (
            "server",
            format!(
                "log_target = stderr\nlog_level = low-level\nchroot_dir = {dir}/empty\n\
                 control_socket = {dir}/control"
            ),
        ),
        (
            "listen",
            format!("imap = 127.0.0.1:{port}\nimaps = 127.0.0.1:{tls_port}"),
        ),
        ("tls", format!("state_dir = {dir}")),
        (
            "auth",
            format!(
                "backend = {backend}\npasswd_file = {dir}/passwd\n\
                 failure_delay = 0s\nmax_failures_per_minute = 100000"
            ),
        ),
        (
            "limits",
            "max_connections_per_ip = 0\nmax_connections_per_user = 0".into(),
        ),
    ];
    for (section, line) in &setup.settings {
        let key = line.split('=').next().unwrap_or("").trim();
        match sections.iter_mut().find(|(name, _)| name == section) {
            Some((_, text)) => {
                let kept: Vec<_> = text
                    .lines()
                    .filter(|l| l.split('=').next().unwrap_or("").trim() != key)
                    .collect();
                *text = format!("{}\n{line}", kept.join("\n"));
            }
            None => sections.push((section, line.clone())),
        }
    }
    let common = sections
        .iter()
        .map(|(name, text)| format!("[{name}]\n{text}\n\n"));
    let accounts = setup.accounts.iter();
    let accounts = accounts.map(|(user, lines)| format!("[user {user}]\n{lines}\n\n"));
    common.chain(accounts).collect()
}
