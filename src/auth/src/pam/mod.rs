//! PAM conversations, each in a child process of its own.
//!
//! A module that crashes, hangs or leaks does so in a process that serves one
//! attempt and is killed at its time limit, with whatever it has started in its
//! process group. The password and the session have a process each, for
//! between them Roost's own rules are asked.

mod child;
mod process;
mod wire;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use roost_ipc::log::escape;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

pub use child::{CHILD_ARGUMENT, run as run_child};
use process::Process;
pub use wire::{About, Reply, Request, Verdict};

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

    /// Whether logins have a session.
    pub fn session(mut self, wanted: bool) -> Self {
        self.session = wanted;
        self
    }

    pub fn has_session(&self) -> bool {
        self.session
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

    /// The same for one conversation whose caller has waited for a turn
    /// elsewhere: it takes up none of those of logins.
    pub fn apart(mut self) -> Self {
        self.slots = Arc::new(Semaphore::new(1));
        self
    }

    /// Asks PAM; the time limit covers the wait for a turn. Dropping the
    /// future ends the conversation.
    pub async fn ask(&self, user: &str, password: &[u8], rhost: IpAddr) -> Result<Reply, PamError> {
        let password = Zeroizing::new(password.to_vec());
        self.hold(user, About::Password(password), rhost).await
    }

    /// The account phase alone, for who needs no password: may the account be
    /// used now?
    pub async fn ask_account(&self, user: &str, rhost: IpAddr) -> Result<Reply, PamError> {
        self.hold(user, About::Account, rhost).await
    }

    /// Opens a session for who has been let in, and says so; it is closed
    /// again behind that. The time limit covers all of it and the wait for a
    /// turn. Once begun it is not for the caller to end: a client that leaves
    /// would leave a home half made.
    pub async fn open_session(&self, user: &str, rhost: IpAddr) -> Result<Reply, PamError> {
        let end = Instant::now() + self.timeout;
        let turn = Arc::clone(&self.slots).acquire_owned();
        let slot = timeout_at(end, turn).await.map_err(|_| self.late())?;
        let request = self.request(user, About::Session, rhost);
        let (told, opened) = oneshot::channel();
        let pam = self.clone();
        tokio::spawn(async move {
            pam.keep_session(&request, end, told).await;
            drop(slot);
        });
        let ended = || PamError::Died("the server ends".to_owned());
        opened.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn keep_session(
        &self,
        request: &Request,
        end: Instant,
        told: oneshot::Sender<Result<Reply, PamError>>,
    ) {
        let user = escape(&request.user);
        let mut process = None;
        let opening = async {
            let started = Process::start(&self.executable, request).await?;
            process.insert(started).reply().await
        };
        let opened = timeout_at(end, opening).await;
        let opened = opened.unwrap_or_else(|_| Err(self.late()));
        let open = opened.as_ref().is_ok_and(Reply::is_accepted);
        if let Err(opened) = told.send(opened)
            && let Some(why) = fault(&opened)
        {
            log::warn!("the PAM session of <{user}>, who has left, is not opened: {why}");
        }
        if let Some(mut process) = process.filter(|_| open) {
            let closed = timeout_at(end, process.reply()).await;
            let closed = closed.unwrap_or_else(|_| Err(self.late()));
            if let Some(why) = fault(&closed) {
                log::warn!("the PAM session of <{user}> is not closed: {why}");
            }
        }
    }

    fn request(&self, user: &str, about: About, rhost: IpAddr) -> Request {
        Request {
            service: self.service.clone(),
            user: user.to_owned(),
            about,
            rhost,
            confdir: self.confdir.clone(),
            timeout: self.timeout,
        }
    }

    async fn hold(&self, user: &str, about: About, rhost: IpAddr) -> Result<Reply, PamError> {
        let request = self.request(user, about, rhost);
        timeout(self.timeout, self.converse(&request))
            .await
            .map_err(|_| self.late())?
    }

    async fn converse(&self, request: &Request) -> Result<Reply, PamError> {
        // Closed never; without a slot there is no limit to keep.
        let _slot = self.slots.acquire().await;
        let mut process = Process::start(&self.executable, request).await?;
        process.reply().await
    }

    fn late(&self) -> PamError {
        PamError::Timeout(self.timeout)
    }
}

/// What the log has to say of an outcome that no client hears of.
fn fault(outcome: &Result<Reply, PamError>) -> Option<String> {
    match outcome {
        Ok(reply) if reply.is_accepted() => None,
        Ok(reply) => Some(escape(&reply.reason).to_string()),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_elsewhere_takes_no_turn_of_logins() {
        let pam = Pam::new("roost", Duration::from_secs(1));
        let slots = Arc::clone(&pam.slots);
        let logins: Vec<_> = std::iter::from_fn(|| slots.try_acquire().ok()).collect();
        assert_eq!(logins.len(), MAX_CHILDREN);
        assert!(pam.apart().slots.try_acquire().is_ok());
    }
}
