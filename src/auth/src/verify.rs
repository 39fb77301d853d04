//! A password or a name against the back ends, in their order.
//!
//! An unknown name costs what a wrong password costs: where a file has no such
//! account, the hash of another one is checked in vain, and failures of PAM
//! are answered at a common time (see [`crate::attempt`]).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use roost_ipc::{AuthFailure, Secret};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::pam::{Pam, PamError, Reply, Verdict};
use crate::passwd::{Entry, PasswdFile};
use crate::prep;
use crate::sasl::scram::{Secrets, hmac};
use crate::scheme::Stored;
use crate::settings::{Backend, Settings};
use roost_accounts::LoginName;

/// Hashes computed at once. Argon2 takes tens of megabytes for each.
const MAX_HASHES: usize = 8;

/// The longest wait that PAM modules can ask for.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// What all attempts share for checking.
pub struct Verifier {
    /// Makes up what unknown names show of themselves.
    key: [u8; 32],
    slots: Semaphore,
}

/// Who has been proved.
pub enum Identity {
    /// A Unix account, and who let it in.
    Unix(String, Pam),
    Entry(Arc<Entry>),
    /// The account of this login name, as which a master logs in.
    Other(String),
}

/// Why not, for the client and for the log.
#[derive(Debug)]
pub struct Refusal {
    pub failure: AuthFailure,
    pub reason: String,
    /// The least time before it is answered, as PAM modules want it.
    pub delay: Duration,
    /// Some back end has compared the password and found it wrong, whatever
    /// the others could not do: this was a guess.
    pub mismatch: bool,
}

impl Refusal {
    pub fn new(failure: AuthFailure, reason: impl Into<String>) -> Self {
        Self {
            failure,
            reason: reason.into(),
            delay: Duration::ZERO,
            mismatch: failure == AuthFailure::Credentials,
        }
    }

    fn wrong(reason: impl Into<String>) -> Self {
        Self::new(AuthFailure::Credentials, reason)
    }

    fn fault(reason: impl Into<String>) -> Self {
        Self::new(AuthFailure::Unavailable, reason)
    }

    /// The password was right or could not be checked: no other back end is
    /// asked, or none may turn it into a wrong password.
    fn outweighs(&self, other: &Self) -> bool {
        other.failure == AuthFailure::Credentials && self.failure != AuthFailure::Credentials
    }
}

/// What one back end said.
enum Answer {
    Proved(Identity),
    Refused(Refusal),
    /// The password was right, and that is the last word.
    Final(Refusal),
}

impl Verifier {
    pub fn new() -> Self {
        Self {
            key: server_key(),
            slots: Semaphore::new(MAX_HASHES),
        }
    }

    /// Checks a password given in clear.
    pub async fn password(
        &self,
        settings: &Settings,
        name: &LoginName,
        password: &Secret,
        remote: IpAddr,
    ) -> Result<Identity, Refusal> {
        let mut worst: Option<Refusal> = None;
        for backend in &settings.backends {
            let answer = match backend {
                Backend::Pam(pam) => ask_pam(pam, name, password, remote).await,
                Backend::File(file) => self.ask_file(file, name, password, remote).await,
            };
            let refusal = match answer {
                Answer::Proved(identity) => return Ok(identity),
                Answer::Final(refusal) => return Err(refusal),
                Answer::Refused(refusal) => refusal,
            };
            worst = Some(match worst {
                Some(before) if refusal.outweighs(&before) => join(refusal, &before),
                Some(before) => join(before, &refusal),
                None => refusal,
            });
        }
        Err(worst.unwrap_or_else(|| Refusal::fault("no backend")))
    }

    /// Checks the password of somebody who may log in as any account.
    pub async fn master(
        &self,
        settings: &Settings,
        name: &LoginName,
        password: &Secret,
        remote: IpAddr,
    ) -> Result<(), Refusal> {
        let answer = match &settings.masters {
            Some(file) => self.ask_file(file, name, password, remote).await,
            None => Answer::Refused(Refusal::wrong("there are none")),
        };
        match answer {
            Answer::Proved(_) => Ok(()),
            Answer::Refused(refusal) | Answer::Final(refusal) => {
                let reason = format!("master: {}", refusal.reason);
                Err(Refusal { reason, ..refusal })
            }
        }
    }

    async fn ask_file(
        &self,
        file: &Arc<PasswdFile>,
        name: &LoginName,
        password: &Secret,
        remote: IpAddr,
    ) -> Answer {
        let _slot = self.slots.acquire().await;
        let (file, name, password) = (Arc::clone(file), name.clone(), password.clone());
        let seed = hmac(&self.key, name.full().as_bytes());
        let checked = spawn_blocking(move || check_file(&file, &name, &password, &seed)).await;
        let entry = match checked {
            Ok(Ok(Ok(entry))) => entry,
            Ok(Ok(Err(reason))) => return Answer::Refused(Refusal::wrong(reason)),
            Ok(Err(error)) => {
                return Answer::Refused(Refusal::fault(format!("account file: {error}")));
            }
            Err(error) => return Answer::Refused(Refusal::fault(error.to_string())),
        };
        match usable(&entry, remote) {
            Ok(()) => Answer::Proved(Identity::Entry(entry)),
            Err(refusal) => Answer::Final(refusal),
        }
    }

    /// What a SCRAM exchange about `name` goes on with, and the account if
    /// there is one that the exchange can prove.
    pub async fn scram(
        &self,
        settings: &Settings,
        name: LoginName,
    ) -> Result<(Secrets, Option<Arc<Entry>>), Refusal> {
        let _slot = self.slots.acquire().await;
        let files: Vec<_> = settings.files().map(Arc::clone).collect();
        let key = self.key;
        let found = spawn_blocking(move || find_secrets(&files, &name, &key)).await;
        match found {
            Ok(Ok(Some(found))) => Ok(found),
            Ok(Ok(None)) => Err(Refusal::fault("no account file")),
            Ok(Err(error)) => Err(Refusal::fault(format!("account file: {error}"))),
            Err(error) => Err(Refusal::fault(error.to_string())),
        }
    }

    /// Secrets for a name that cannot even be spelled.
    pub async fn scram_of_nobody(&self, settings: &Settings, raw: &str) -> Option<Secrets> {
        let file = Arc::clone(settings.files().next()?);
        let (key, raw) = (self.key, raw.to_owned());
        spawn_blocking(move || Some(file.current().ok()?.made_up_secrets(&key, &raw)))
            .await
            .ok()?
    }
}

impl Default for Verifier {
    fn default() -> Self {
        Self::new()
    }
}

/// Limits that an account's line sets itself.
pub fn usable(entry: &Entry, remote: IpAddr) -> Result<(), Refusal> {
    if entry.no_login {
        return Err(Refusal::new(
            AuthFailure::NotAllowed,
            "account denied: nologin",
        ));
    }
    if !entry.allows(remote) {
        let reason = "account denied: address not in allow_nets";
        return Err(Refusal::new(AuthFailure::NotAllowed, reason));
    }
    Ok(())
}

fn join(mut first: Refusal, second: &Refusal) -> Refusal {
    first.delay = first.delay.max(second.delay);
    first.mismatch |= second.mismatch;
    first.reason = format!("{}, {}", first.reason, second.reason);
    first
}

/// The account with this password, or why there is none.
fn check_file(
    file: &PasswdFile,
    name: &LoginName,
    password: &Secret,
    seed: &[u8; 32],
) -> io::Result<Result<Arc<Entry>, &'static str>> {
    let table = file.current()?;
    let Some(entry) = table.find(name.keys()) else {
        match table.decoy(seed) {
            Some(decoy) => decoy.password.verify(password.expose()),
            None => Stored::dummy().verify(password.expose()),
        };
        return Ok(Err("unknown user"));
    };
    let right = entry.password.verify(password.expose());
    Ok(right.then_some(entry).ok_or("password mismatch"))
}

type Found = (Secrets, Option<Arc<Entry>>);

fn find_secrets(
    files: &[Arc<PasswdFile>],
    name: &LoginName,
    key: &[u8; 32],
) -> io::Result<Option<Found>> {
    let full = name.full();
    let mut made_up = None;
    for file in files {
        let table = file.current()?;
        let entry = table.find(name.keys());
        let of_clear = |password: &[u8]| {
            let prepared = prep::password(password);
            let password = prepared.as_ref().map_or(password, |p| p.as_bytes());
            table.derived_secrets(key, &full, password)
        };
        match entry.as_deref().map(|e| &e.password) {
            Some(Stored::Scram(secrets)) => return Ok(Some((secrets.clone(), entry))),
            Some(Stored::Plain(password)) => return Ok(Some((of_clear(password), entry))),
            _ => {
                // Takes the time that the stand-in's account would take.
                let decoy = table.decoy(&hmac(key, full.as_bytes()));
                if let Some(Stored::Plain(password)) = decoy.as_deref().map(|d| &d.password) {
                    of_clear(password);
                }
                made_up.get_or_insert_with(|| table.made_up_secrets(key, &full));
            }
        }
    }
    Ok(made_up.map(|secrets| (secrets, None)))
}

async fn ask_pam(pam: &Pam, name: &LoginName, password: &Secret, remote: IpAddr) -> Answer {
    let Some(user) = name.unix_account() else {
        return Answer::Refused(Refusal {
            // Nothing was compared.
            mismatch: false,
            ..Refusal::wrong("unknown user (of another domain)")
        });
    };
    // No account's, and a request that could not be sent whole.
    if password.expose().len() > roost_pam::MAX_PASSWORD_LEN {
        return Answer::Refused(Refusal::wrong("PAM: password too long"));
    }
    match pam.ask(user, password.expose(), remote).await {
        Ok(reply) => judge(pam, reply),
        Err(error) => Answer::Refused(Refusal::fault(error.to_string())),
    }
}

/// Whether PAM's account phase lets somebody in who has proved who he is.
pub async fn admits(pam: &Pam, user: &str, remote: IpAddr) -> Result<(), Refusal> {
    accepted(pam, pam.ask_account(user, remote).await)
}

/// A PAM session for who has been let in, where they have one.
pub async fn prepares(pam: &Pam, user: &str, remote: IpAddr) -> Result<(), Refusal> {
    if !pam.has_session() {
        return Ok(());
    }
    let opened = accepted(pam, pam.open_session(user, remote).await);
    opened.map_err(|refusal| Refusal {
        reason: format!("session: {}", refusal.reason),
        ..refusal
    })
}

fn accepted(pam: &Pam, reply: Result<Reply, PamError>) -> Result<(), Refusal> {
    match judge(
        pam,
        reply.map_err(|error| Refusal::fault(error.to_string()))?,
    ) {
        Answer::Proved(_) => Ok(()),
        Answer::Refused(refusal) | Answer::Final(refusal) => Err(refusal),
    }
}

fn judge(pam: &Pam, reply: Reply) -> Answer {
    let reason = format!("PAM: {}", roost_ipc::log::escape(&reply.reason));
    let delay = reply.delay.min(MAX_DELAY);
    let delayed = |refusal| Refusal { delay, ..refusal };
    match reply.verdict {
        Verdict::Accepted(user) => Answer::Proved(Identity::Unix(user, pam.clone())),
        Verdict::Refused => Answer::Refused(delayed(Refusal::wrong(reason))),
        Verdict::Denied => {
            let reason = format!("account denied: {reason}");
            let refusal = Refusal::new(AuthFailure::NotAllowed, reason);
            Answer::Final(delayed(refusal))
        }
        Verdict::Expired => Answer::Final(delayed(Refusal::new(AuthFailure::Expired, reason))),
        Verdict::Broken => Answer::Refused(Refusal::fault(reason)),
    }
}

/// A key that strangers do not know and that stays over restarts, so that a
/// made-up salt never changes. Not for anything that local users must not
/// work out.
fn server_key() -> [u8; 32] {
    let purpose = b"roost-auth made-up salts";
    match std::fs::read("/etc/machine-id") {
        Ok(id) if id.len() >= 32 => hmac(&id, purpose),
        _ => {
            let mut key = [0; 32];
            if getrandom::fill(&mut key).is_err() {
                log::warn!("neither a machine id nor randomness: made-up salts can be told");
            }
            key
        }
    }
}
