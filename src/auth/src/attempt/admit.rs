//! From a proof to a grant: what the account's owner, its line, PAM and the
//! settings have to say, in this order.

use std::net::IpAddr;
use std::sync::Arc;

use roost_ipc::log::escape;
use roost_ipc::{AuthFailure, Grant, LogLevel, Reader, slog};

use super::{Attempt, End, Proof};
use crate::account::{Account, AccountError};
use crate::lookup::{self, Door};
use crate::pam::Pam;
use crate::verify::{Identity, Refusal, admits, prepares, usable};

impl Attempt {
    /// From a proved identity to an account that may use IMAP.
    pub(super) async fn admit(&self, proof: Proof) -> Result<Grant, End> {
        let Proof {
            user,
            identity,
            ticket,
            since,
        } = proof;
        let settings = Arc::clone(&self.settings);
        let endpoints = &self.start.endpoints;
        let name = settings.login_name(&user, endpoints.local.ip()).ok();
        let (local, remote) = (endpoints.local.ip(), endpoints.remote.ip());
        let by_master = matches!(identity, Identity::Other(_));
        let looked_up = tokio::task::spawn_blocking(move || {
            let (mut door, mut pam) = (None, None);
            let account = match identity {
                Identity::Unix(user, by) => {
                    pam = Some(by);
                    Account::of_unix(&user)?
                }
                Identity::Entry(entry) => {
                    let unix = name.as_ref().and_then(|n| n.unix_account());
                    Account::of_entry(&entry, unix)?
                }
                Identity::Other(raw) => {
                    let name = settings.login_name(&raw, local);
                    let name = name.map_err(|_| AccountError::Unknown)?;
                    let found = lookup::known(&settings, &name)?;
                    let found = found.ok_or(AccountError::Unknown)?;
                    // The password was a master's, the rest is as for its owner.
                    if let Door::Pam(of_owner) = &found.door {
                        pam = Some(of_owner.clone());
                    }
                    door = Some(found.door);
                    found.account?
                }
            };
            account.check(&settings)?;
            Ok::<_, AccountError>((account, door, pam))
        });
        let refusal = match looked_up.await {
            Ok(Ok((account, door, pam))) => match enter(door, pam, &account.name, remote).await {
                Ok(()) => {
                    ticket.success();
                    if by_master {
                        self.log_master(&user, &account.name);
                    }
                    let grant = account.into_grant(self.session, self.start.method.name());
                    return Ok(Grant {
                        reader: match by_master {
                            true => Reader::Other,
                            false => Reader::Owner,
                        },
                        ..grant
                    });
                }
                Err(refusal) => refusal,
            },
            Ok(Err(error)) if error.is_fault() => {
                Refusal::new(AuthFailure::Unavailable, error.to_string())
            }
            Ok(Err(error)) => {
                Refusal::new(AuthFailure::NotAllowed, format!("account denied: {error}"))
            }
            Err(error) => Refusal::new(AuthFailure::Unavailable, error.to_string()),
        };
        Err(End::Failed {
            user,
            refusal,
            ticket,
            since,
        })
    }

    fn log_master(&self, user: &str, account: &str) {
        let remote = self.start.endpoints.remote.ip().to_canonical();
        let user = escape(user);
        slog!(
            self.session,
            LogLevel::Major,
            "<{user}> from {remote} is a master and logs in as <{account}>"
        );
    }
}

/// The last steps before the grant: nothing refuses behind a PAM session.
async fn enter(
    door: Option<Door>,
    pam: Option<Pam>,
    account: &str,
    remote: IpAddr,
) -> Result<(), Refusal> {
    opens(door, account, remote).await?;
    match pam {
        Some(pam) => prepares(&pam, account, remote).await,
        None => Ok(()),
    }
}

/// Whether the account that a master logs in as may be used now, and from
/// there.
async fn opens(door: Option<Door>, account: &str, remote: IpAddr) -> Result<(), Refusal> {
    let opened = match door {
        Some(Door::Entry(entry)) => usable(&entry, remote),
        Some(Door::Pam(pam)) => admits(&pam, account, remote).await,
        None => Ok(()),
    };
    opened.map_err(|refusal| match refusal.failure {
        AuthFailure::Unavailable => refusal,
        // It is not the master's password that is at fault.
        _ => Refusal {
            failure: AuthFailure::NotAllowed,
            ..refusal
        },
    })
}
