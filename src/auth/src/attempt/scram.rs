//! The SCRAM part of an attempt.
//!
//! An account that is not there, or has no secrets for SCRAM, goes through the
//! whole exchange and fails at its proof like a wrong password.

use std::sync::Arc;
use tokio::time::Instant;

use roost_ipc::{AuthFailure, Secret};

use super::{Attempt, End, Proof, other_identity};
use crate::passwd::Entry;
use crate::sasl::SaslError;
use crate::sasl::scram::{self, Bindings, ClientFirst};
use crate::verify::{Identity, Refusal, usable};

impl Attempt {
    pub(super) async fn scram(
        &mut self,
        initial: Option<Secret>,
        plus: bool,
    ) -> Result<Proof, End> {
        let message = self.first_response(initial, b"").await?;
        let bindings = self.bindings();
        let first = ClientFirst::parse(message.expose(), plus, &bindings).map_err(broken)?;
        let user = first.user.clone();
        // The challenge has its price already: whoever goes away has failed.
        let ticket = self.begin(&user).await?;
        let ticket = self.stays(&user, ticket)?;
        let (secrets, entry) = match self.scram_secrets(&user).await {
            Ok(found) => found,
            Err(end) => {
                ticket.release();
                return Err(end);
            }
        };
        let authzid = first.authzid.as_deref();
        let mapped_identity = authzid.is_some_and(|authzid| !self.is_same(authzid, &user));
        let nonce = scram::server_nonce().map_err(End::Malformed)?;
        let (exchange, challenge) = first.challenge(secrets, &nonce);
        let proof = self.ask(challenge.as_bytes()).await?;

        let since = Instant::now();
        let failed = |refusal, ticket| End::Failed {
            user: user.clone(),
            refusal,
            ticket,
            since,
        };
        let wrong = |reason: &str| Refusal::new(AuthFailure::Credentials, reason);
        let finished = match exchange.finish(proof.expose()) {
            Ok(finished) => finished,
            Err(SaslError::ChannelBinding) => {
                let reason = SaslError::ChannelBinding.to_string();
                return Err(failed(wrong(&reason), ticket));
            }
            Err(error) => return Err(End::Malformed(error)),
        };
        let refusal = match (finished, entry) {
            (None, None) => wrong("unknown user"),
            (None, Some(_)) => wrong("password mismatch"),
            // Nothing matches made-up secrets.
            (Some(_), None) => wrong("unknown user"),
            (Some(_), Some(_)) if mapped_identity => other_identity(),
            (Some(signature), Some(entry)) => {
                let remote = self.start.endpoints.remote.ip();
                match usable(&entry, remote) {
                    Ok(()) => {
                        // The client's last word is empty; it checks ours.
                        let last = match self.ask(signature.as_bytes()).await {
                            Ok(last) => last,
                            Err(end) => {
                                ticket.release();
                                return Err(end);
                            }
                        };
                        if !last.is_empty() {
                            ticket.release();
                            return Err(End::Malformed(SaslError::Malformed));
                        }
                        return Ok(Proof {
                            user,
                            identity: Identity::Entry(entry),
                            ticket,
                            since,
                        });
                    }
                    Err(refusal) => refusal,
                }
            }
        };
        Err(failed(refusal, ticket))
    }

    async fn scram_secrets(&self, user: &str) -> Result<(scram::Secrets, Option<Arc<Entry>>), End> {
        let refused = |refusal| End::Refused {
            user: user.to_owned(),
            refusal,
        };
        let local = self.start.endpoints.local.ip();
        let verifier = &self.shared.verifier;
        match self.settings.login_name(user, local) {
            Ok(name) => verifier.scram(&self.settings, name).await.map_err(refused),
            Err(_) => {
                let made_up = verifier.scram_of_nobody(&self.settings, user).await;
                let fault = || Refusal::new(AuthFailure::Unavailable, "no account file");
                Ok((made_up.ok_or_else(|| refused(fault()))?, None))
            }
        }
    }

    /// What the connection offers to bind to; nothing unless PLUS is offered.
    fn bindings(&self) -> Bindings {
        let binding = match &self.start.tls {
            Some(tls) if self.start.plus_offered => &tls.binding,
            _ => return Bindings::default(),
        };
        Bindings {
            tls_exporter: binding.exporter.as_ref().map(|b| b.0.clone()),
            tls_server_end_point: binding.server_end_point.as_ref().map(|b| b.0.clone()),
        }
    }
}

/// Before there is a name; a wrong binding is a refusal, the rest bad grammar.
fn broken(error: SaslError) -> End {
    match error {
        SaslError::ChannelBinding | SaslError::Extension => End::Refused {
            user: String::new(),
            refusal: Refusal::new(AuthFailure::Credentials, error.to_string()),
        },
        SaslError::Malformed | SaslError::Random => End::Malformed(error),
    }
}
