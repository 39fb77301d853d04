//! One login attempt from its start to its outcome.
//!
//! Whatever goes wrong, the client hears only a class of failure; the reason
//! goes to the log. Failures are answered no sooner than their delay, counted
//! from the moment the password was there, so that how long the check took
//! does not show.

mod admit;
mod scram;

use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

use roost_ipc::log::escape;
use roost_ipc::{
    AuthChallenge, AuthFailure, AuthMethod, AuthStart, Bytes, Grant, LogLevel, Mechanism, Secret,
    slog,
};
use roost_types::SessionId;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::penalty::{LimitReached, Penalties, Ticket};
use crate::sasl::login::{self, Login};
use crate::sasl::{Credentials, SaslError, plain};
use crate::settings::Settings;
use crate::verify::{Identity, Refusal, Verifier};

/// Failures are answered at multiples of this where PAM is asked, whose
/// modules take different times for known and unknown names.
const PAM_FLOOR: Duration = Duration::from_millis(400);

/// What all attempts share.
#[derive(Default)]
pub struct Shared {
    pub penalties: Arc<Penalties>,
    pub verifier: Verifier,
}

/// What an attempt has to say to the other processes.
#[derive(Debug)]
pub enum Out {
    Challenge(AuthChallenge),
    Failed(SessionId, AuthFailure),
    /// The account is this user's on this other host.
    Elsewhere(SessionId, String, String),
    Granted(Grant),
}

/// An attempt under way.
pub struct Attempt {
    pub session: SessionId,
    pub start: AuthStart,
    pub settings: Arc<Settings>,
    pub shared: Arc<Shared>,
    /// Ends when the attempt is cancelled.
    pub responses: mpsc::Receiver<Secret>,
    pub out: mpsc::Sender<Out>,
}

/// Why an attempt ends without a grant.
enum End {
    /// The client has given up: no outcome is sent.
    Cancelled,
    /// The account is on another host, where its password counts.
    Elsewhere {
        raw: String,
        user: String,
        host: String,
    },
    /// Not a login attempt at all.
    Malformed(SaslError),
    /// To be answered at once.
    Refused { user: String, refusal: Refusal },
    /// To be answered after its delay.
    Failed {
        user: String,
        refusal: Refusal,
        ticket: Ticket,
        since: Instant,
    },
}

/// A proof that was accepted.
struct Proof {
    user: String,
    identity: Identity,
    ticket: Ticket,
    since: Instant,
}

impl Attempt {
    /// Runs to the end and sends the outcome.
    pub async fn run(mut self) {
        let outcome = match self.prove().await {
            Ok(proof) => self.admit(proof).await,
            Err(end) => Err(end),
        };
        let message = match outcome {
            Ok(grant) => Out::Granted(grant),
            Err(End::Cancelled) => return,
            Err(End::Elsewhere { raw, user, host }) => {
                self.log_referral(&raw, &user, &host);
                Out::Elsewhere(self.session, user, host)
            }
            Err(end) => Out::Failed(self.session, self.fail(end).await),
        };
        // Nobody is left to hear it only when this process ends.
        let _ = self.out.send(message).await;
    }

    /// Logs a failure, waits as long as it is to wait.
    async fn fail(&self, end: End) -> AuthFailure {
        match end {
            // Answered otherwise.
            End::Cancelled | End::Elsewhere { .. } => AuthFailure::Malformed,
            End::Malformed(error) => {
                self.log("", &error.to_string());
                AuthFailure::Malformed
            }
            End::Refused { user, refusal } => {
                self.log(&user, &refusal.reason);
                refusal.failure
            }
            End::Failed {
                user,
                refusal,
                ticket,
                since,
            } => {
                self.log(&user, &refusal.reason);
                let fault = refusal.failure == AuthFailure::Unavailable;
                let delay = if fault && !refusal.mismatch {
                    ticket.release();
                    Duration::ZERO
                } else {
                    ticket
                        .failure(self.settings.failure_delay)
                        .max(refusal.delay)
                };
                tokio::time::sleep_until(self.answer_time(since, delay)).await;
                refusal.failure
            }
        }
    }

    fn answer_time(&self, since: Instant, delay: Duration) -> Instant {
        let floor = if self.settings.uses_pam() {
            PAM_FLOOR
        } else {
            Duration::ZERO
        };
        since + rounded(since.elapsed().max(delay), floor)
    }

    fn log(&self, user: &str, reason: &str) {
        let method = self.start.method.name();
        let remote = self.start.endpoints.remote.ip().to_canonical();
        let user = escape(user);
        slog!(
            self.session,
            LogLevel::Failures,
            "{method} login of <{user}> from {remote} failed: {reason}"
        );
    }

    fn log_referral(&self, raw: &str, user: &str, host: &str) {
        let method = self.start.method.name();
        let raw = escape(raw);
        slog!(
            self.session,
            LogLevel::Problems,
            "{method} login of <{raw}> is referred to <{user}@{host}>"
        );
    }

    /// An end for who has moved, which is no failure. Whoever may fail no more
    /// hears nothing of it, nor does who tries many names.
    fn stays(&self, raw: &str, ticket: Ticket) -> Result<Ticket, End> {
        let local = self.start.endpoints.local.ip();
        let Some((user, host)) = self.settings.elsewhere(raw, local) else {
            return Ok(ticket);
        };
        let limit = self.settings.max_failures_per_minute;
        let account = self.settings.counted_as(raw, local);
        Err(match ticket.referred(&account, limit) {
            Ok(()) => End::Elsewhere {
                raw: raw.to_owned(),
                user: user.to_owned(),
                host: host.to_owned(),
            },
            Err(LimitReached) => End::Refused {
                user: raw.to_owned(),
                refusal: Refusal::new(AuthFailure::TooMany, "too many referrals in a minute"),
            },
        })
    }

    /// The exchange up to a proof.
    async fn prove(&mut self) -> Result<Proof, End> {
        let method = std::mem::replace(
            &mut self.start.method,
            // Kept for its name; the secrets move on.
            AuthMethod::Login {
                user: Secret::default(),
                password: Secret::default(),
            },
        );
        match method {
            AuthMethod::Login { user, password } => {
                // What is no UTF-8 is no account's name: a failure like others.
                let user = String::from_utf8_lossy(user.expose()).into_owned();
                let credentials = Credentials {
                    user,
                    password: Zeroizing::new(password.expose().to_vec()),
                    authzid: None,
                };
                self.check(credentials).await
            }
            AuthMethod::Sasl { mechanism, initial } => {
                self.start.method = AuthMethod::Sasl {
                    mechanism,
                    initial: None,
                };
                match mechanism {
                    Mechanism::Plain => {
                        let message = self.first_response(initial, b"").await?;
                        let parsed = plain::parse(message.expose());
                        self.check(parsed.map_err(End::Malformed)?).await
                    }
                    Mechanism::Login => {
                        let credentials = self.login(initial).await?;
                        self.check(credentials).await
                    }
                    Mechanism::ScramSha256 => self.scram(initial, false).await,
                    Mechanism::ScramSha256Plus => self.scram(initial, true).await,
                }
            }
        }
    }

    async fn login(&mut self, initial: Option<Secret>) -> Result<Credentials, End> {
        let mut response = self.first_response(initial, login::ASK_USER).await?;
        let mut state = Login::User;
        loop {
            match state.step(response.expose()).map_err(End::Malformed)? {
                login::Step::Done(credentials) => return Ok(credentials),
                login::Step::AskPassword(next) => {
                    state = next;
                    response = self.ask(login::ASK_PASSWORD).await?;
                }
            }
        }
    }

    /// Checks a name and password in clear.
    async fn check(&mut self, credentials: Credentials) -> Result<Proof, End> {
        let since = Instant::now();
        let Credentials {
            user,
            password,
            authzid,
        } = credentials;
        let authzid = authzid.filter(|authzid| !self.is_same(authzid, &user));
        let other = match self.settings.masters {
            Some(_) => as_other(&user, authzid.as_deref()),
            None => None,
        };
        let (prover, account) = other.unwrap_or((&user, &user));
        let ticket = self.begin(prover).await?;
        let ticket = self.stays(account, ticket)?;
        let secret = Secret::from(password.as_slice());
        let endpoints = &self.start.endpoints;
        let (local, remote) = (endpoints.local.ip(), endpoints.remote.ip());
        let (settings, verifier) = (&self.settings, &self.shared.verifier);
        let checked = match (settings.login_name(prover, local), other) {
            (Ok(name), None) => {
                let proved = verifier.password(settings, &name, &secret, remote).await;
                proved.and_then(|identity| match authzid {
                    None => Ok(identity),
                    Some(_) => Err(other_identity()),
                })
            }
            (Ok(master), Some((_, account))) => {
                match verifier.master(settings, &master, &secret, remote).await {
                    Ok(()) => Ok(Identity::Other(account.to_owned())),
                    // No master's password; perhaps its own.
                    Err(refusal) if authzid.is_some() && refusal.mismatch => {
                        let proved = verifier.password(settings, &master, &secret, remote).await;
                        proved.and_then(|_| Err(other_identity()))
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            (Err(error), _) => Err(Refusal::new(AuthFailure::Credentials, error.to_string())),
        };
        match checked {
            Ok(identity) => Ok(Proof {
                user,
                identity,
                ticket,
                since,
            }),
            Err(refusal) => Err(End::Failed {
                user,
                refusal,
                ticket,
                since,
            }),
        }
    }

    /// Whether two names mean one account.
    fn is_same(&self, one: &str, other: &str) -> bool {
        let local = self.start.endpoints.local.ip();
        let name = |raw| self.settings.login_name(raw, local).ok();
        name(one).is_some_and(|one| name(other) == Some(one))
    }

    async fn begin(&self, user: &str) -> Result<Ticket, End> {
        let endpoints = &self.start.endpoints;
        let account = self.settings.counted_as(user, endpoints.local.ip());
        let limit = self.settings.max_failures_per_minute;
        let penalties = &self.shared.penalties;
        penalties
            .begin(&account, endpoints.remote.ip(), limit)
            .await
            .map_err(|_| End::Refused {
                user: user.to_owned(),
                refusal: Refusal::new(AuthFailure::TooMany, "too many failures in a minute"),
            })
    }

    async fn first_response(
        &mut self,
        initial: Option<Secret>,
        challenge: &[u8],
    ) -> Result<Secret, End> {
        match initial {
            Some(response) => Ok(response),
            None => self.ask(challenge).await,
        }
    }

    /// Sends a challenge, waits for the client's response.
    async fn ask(&mut self, challenge: &[u8]) -> Result<Secret, End> {
        let message = Out::Challenge(AuthChallenge {
            session: self.session,
            data: Bytes(challenge.to_vec()),
        });
        self.out.send(message).await.map_err(|_| End::Cancelled)?;
        self.responses.recv().await.ok_or(End::Cancelled)
    }
}

/// The master and the account that a master would log in as: `account*master`,
/// or another authorization identity.
fn as_other<'a>(user: &'a str, authzid: Option<&'a str>) -> Option<(&'a str, &'a str)> {
    match authzid {
        Some(account) => Some((user, account)),
        None => user
            .rsplit_once('*')
            .map(|(account, master)| (master, account)),
    }
}

/// Nobody may act as somebody else.
fn other_identity() -> Refusal {
    let reason = "authorization identity differs from the authenticated one";
    Refusal::new(AuthFailure::OtherIdentity, reason)
}

/// The next multiple of `step` from `time` up; `time` itself for no step.
fn rounded(time: Duration, step: Duration) -> Duration {
    if step.is_zero() {
        return time;
    }
    let steps = time.as_nanos().div_ceil(step.as_nanos()).max(1);
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
