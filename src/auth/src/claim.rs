//! Whose session a local program may have: its own account's, by the rules of
//! a login but for the password, in whose place the kernel's word stands; who
//! looks after the server, that of any account whose mail is served. Of a
//! Unix account PAM is asked whether it may be used now.

mod turns;

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use roost_ipc::log::{Seldom, escape};
use roost_ipc::{AuthFailure, Claim, ClaimResult, Claimed, Grant, LogLevel, NoSession, Reader};
use roost_os::UserId;
use tokio::task::spawn_blocking;

use crate::account::AccountError;
use crate::directory;
use crate::lookup::{Door, known};
use crate::pam::Pam;
use crate::settings::Settings;
use crate::verify::{admits, usable};

pub use turns::Turns;

/// Where the program connects to, for its domain.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// In place of a mechanism's name, for logs.
const METHOD: &str = "PREAUTH";

/// What the name service and the settings say.
enum Decided {
    Refused(NoSession),
    Granted(Grant),
    /// If PAM lets the account in.
    Asking(Grant, Pam),
}

/// Answers; what goes wrong is logged.
pub async fn answer(settings: Arc<Settings>, claim: Claim) -> Claimed {
    let (session, uid) = (claim.session, claim.uid);
    let decided = spawn_blocking(move || decide(&settings, &claim)).await;
    let decided = decided.unwrap_or_else(|error| Err(io::Error::other(error)));
    let decided = decided.unwrap_or_else(|error| {
        log::error!("accounts cannot be looked up: {error}");
        Decided::Refused(NoSession::Unavailable)
    });
    let result = match decided {
        Decided::Refused(reason) => ClaimResult::Refused { reason },
        Decided::Granted(grant) => ClaimResult::Granted { grant },
        Decided::Asking(grant, pam) => match admits(&pam.apart(), &grant.account, HERE).await {
            Ok(()) => ClaimResult::Granted { grant },
            Err(refusal) => {
                tell(uid, &grant.account, &refusal.reason);
                let reason = match refusal.failure {
                    AuthFailure::Unavailable => NoSession::Unavailable,
                    _ => NoSession::NotAllowed,
                };
                ClaimResult::Refused { reason }
            }
        },
    };
    Claimed { session, result }
}

fn tell(uid: UserId, account: &str, why: &dyn Display) {
    static LINES: Seldom = Seldom::new();
    let account = escape(account);
    let text = format_args!("uid {uid} gets no session of <{account}>: {why}");
    LINES.log(uid, LogLevel::Problems, text);
}

fn reader(claim: &Claim, owner: UserId) -> Reader {
    match claim.client {
        false => Reader::Nobody,
        true if claim.uid == owner => Reader::Owner,
        true => Reader::Other,
    }
}

fn decide(settings: &Settings, claim: &Claim) -> io::Result<Decided> {
    let own = match &claim.name {
        Some(_) => None,
        None => directory::user_by_id(claim.uid)?,
    };
    let raw = claim.name.clone().or(own.map(|user| user.name));
    let name = raw
        .as_deref()
        .and_then(|raw| settings.login_name(raw, HERE).ok());
    let found = match &name {
        Some(name) => known(settings, name)?,
        None => None,
    };
    let (Some(name), Some(found)) = (name, found) else {
        // Which names there are is not everybody's business.
        return Ok(Decided::Refused(match claim.any || claim.name.is_none() {
            true => NoSession::NoSuchAccount,
            false => NoSession::NotAllowed,
        }));
    };
    let denied = |why: &dyn Display| {
        tell(claim.uid, &name.full(), why);
        Ok(Decided::Refused(NoSession::NotAllowed))
    };
    let no_login = found.no_login();
    let account = match found.account {
        Ok(account) => account,
        Err(AccountError::NameService(error)) => return Err(error),
        Err(why) => return denied(&why),
    };
    let checked = match claim.any {
        true if no_login => account.check_served(settings),
        // Where root may log in, that is no reason to refuse.
        true => (account.check(settings)).or_else(|_| account.check_served(settings)),
        false if account.credentials.uid != claim.uid => return denied(&"it is of another uid"),
        false => account.check(settings),
    };
    match checked {
        Ok(()) => {}
        Err(AccountError::NameService(error)) => return Err(error),
        Err(why) => return denied(&why),
    }
    // What is left here of it is not what its user means.
    let moved = raw.as_deref().and_then(|raw| settings.elsewhere(raw, HERE));
    if let Some((_, host)) = moved
        && !claim.any
    {
        let why = format!("it is at {}", escape(host));
        tell(claim.uid, &name.full(), &why);
        return Ok(Decided::Refused(NoSession::Elsewhere));
    }
    let grant = Grant {
        reader: reader(claim, account.credentials.uid),
        ..account.into_grant(claim.session, METHOD)
    };
    match found.door {
        _ if claim.any => Ok(Decided::Granted(grant)),
        Door::Entry(entry) => match usable(&entry, HERE) {
            Ok(()) => Ok(Decided::Granted(grant)),
            Err(refusal) => denied(&refusal.reason),
        },
        Door::Pam(pam) => Ok(Decided::Asking(grant, pam)),
    }
}

#[cfg(test)]
mod tests;
