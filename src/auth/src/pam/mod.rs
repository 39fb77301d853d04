//! PAM conversations, each in a child process of its own.
//!
//! A module that crashes, hangs or leaks does so in a process that serves one
//! attempt and is killed at its time limit, with whatever it has started in its
//! process group.

mod child;
mod wire;

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub use child::{CHILD_ARGUMENT, run as run_child};
pub use wire::{Reply, Request, Verdict};

/// Conversations at once; further attempts wait for their turn.
const MAX_CHILDREN: usize = 30;

/// How PAM is asked.
#[derive(Clone)]
pub struct Pam {
    service: String,
    timeout: Duration,
    session: bool,
    confdir: Option<PathBuf>,
    executable: PathBuf,
    slots: Arc<Semaphore>,
}

/// Why there is no answer about the password.
#[derive(Debug, thiserror::Error)]
pub enum PamError {
    #[error("no answer from PAM within {0:?}")]
    Timeout(Duration),
    #[error("PAM process ended without an answer ({0})")]
    Died(String),
    #[error("PAM process: {0}")]
    Io(#[from] std::io::Error),
}

impl Pam {
    pub fn new(service: impl Into<String>, timeout: Duration) -> Self {
        Self {
            service: service.into(),
            timeout,
            session: false,
            confdir: None,
            // Also right when the file was replaced by an upgrade.
            executable: PathBuf::from("/proc/self/exe"),
            slots: Arc::new(Semaphore::new(MAX_CHILDREN)),
        }
    }

    /// Whether a session is opened and closed again behind a login.
    pub fn session(mut self, wanted: bool) -> Self {
        self.session = wanted;
        self
    }

    /// Service files from another folder than `/etc/pam.d`.
    pub fn confdir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.confdir = Some(dir.into());
        self
    }

    /// Another `roost-auth` for the children than this process's own.
    pub fn executable(mut self, path: impl Into<PathBuf>) -> Self {
        self.executable = path.into();
        self
    }

    /// Asks PAM; the time limit covers the wait for a turn. Dropping the
    /// future ends the conversation.
    pub async fn ask(&self, user: &str, password: &[u8], rhost: IpAddr) -> Result<Reply, PamError> {
        let password = Zeroizing::new(password.to_vec());
        self.hold(user, Some(password), rhost).await
    }

    /// The account phase alone, for who needs no password: may the account be
    /// used now?
    pub async fn ask_account(&self, user: &str, rhost: IpAddr) -> Result<Reply, PamError> {
        self.hold(user, None, rhost).await
    }

    async fn hold(
        &self,
        user: &str,
        password: Option<Zeroizing<Vec<u8>>>,
        rhost: IpAddr,
    ) -> Result<Reply, PamError> {
        let request = Request {
            service: self.service.clone(),
            user: user.to_owned(),
            password,
            rhost,
            confdir: self.confdir.clone(),
            timeout: self.timeout,
            session: self.session,
        };
        let late = |_| PamError::Timeout(self.timeout);
        tokio::time::timeout(self.timeout, self.converse(&request))
            .await
            .map_err(late)?
    }

    async fn converse(&self, request: &Request) -> Result<Reply, PamError> {
        // Closed never; without a slot there is no limit to keep.
        let _slot = self.slots.acquire().await;
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(ours)?;
        let mut running = Running(
            Command::new(&self.executable)
                .arg0("roost-auth")
                .arg(CHILD_ARGUMENT)
                .env_clear()
                .current_dir("/")
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()?,
        );
        // A child that died already shows in its missing answer.
        let _ = stream.write_all(&request.encode()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        stream
            .take(wire::MAX_REPLY)
            .read_to_end(&mut answer)
            .await?;
        match Reply::decode(&answer) {
            Some(reply) => Ok(reply),
            None => Err(PamError::Died(running.status().await)),
        }
    }
}

/// A child that does not outlive the wait for it.
struct Running(Child);

impl Running {
    async fn status(&mut self) -> String {
        self.kill();
        match self.0.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Ends the child and whatever its modules have started.
    fn kill(&self) {
        // None once it has been waited for, when the number may be another's.
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid {
            // It may have ended by itself.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
