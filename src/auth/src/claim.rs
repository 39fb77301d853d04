//! Whose session a local program may have: its own account's, by the rules of
//! a login but for the password, in whose place the kernel's word stands; who
//! looks after the server, that of any account whose mail is served.
//!
//! Everything here blocks on the name service.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use roost_ipc::{Claim, ClaimResult, Claimed, NoSession};

use crate::account::AccountError;
use crate::directory;
use crate::lookup::known;
use crate::settings::Settings;

/// Where the program connects to, for its domain.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// In place of a mechanism's name, for logs.
const METHOD: &str = "PREAUTH";

/// Answers; what goes wrong is logged.
pub fn answer(settings: &Settings, claim: &Claim) -> Claimed {
    let result = decide(settings, claim).unwrap_or_else(|error| {
        log::error!("accounts cannot be looked up: {error}");
        refused(NoSession::Unavailable)
    });
    Claimed {
        session: claim.session,
        result,
    }
}

fn refused(reason: NoSession) -> ClaimResult {
    ClaimResult::Refused { reason }
}

fn decide(settings: &Settings, claim: &Claim) -> io::Result<ClaimResult> {
    let own = match &claim.name {
        Some(_) => None,
        None => directory::user_by_id(claim.uid)?,
    };
    let raw = claim.name.clone().or(own.map(|user| user.name));
    let name = raw.and_then(|raw| settings.login_name(&raw, HERE).ok());
    let found = match &name {
        Some(name) => known(settings, name)?,
        None => None,
    };
    let (Some(name), Some(found)) = (name, found) else {
        // Which names there are is not everybody's business.
        return Ok(refused(match claim.any || claim.name.is_none() {
            true => NoSession::NoSuchAccount,
            false => NoSession::NotAllowed,
        }));
    };
    let denied = |why: &dyn Display| {
        log::info!(
            "uid {} gets no session of <{}>: {why}",
            claim.uid,
            name.full()
        );
        Ok(refused(NoSession::NotAllowed))
    };
    let account = match found.account {
        Ok(account) => account,
        Err(AccountError::NameService(error)) => return Err(error),
        Err(why) => return denied(&why),
    };
    let checked = match claim.any {
        // Where root may log in, that is no reason to refuse.
        true => (account.check(settings)).or_else(|_| account.check_served(settings)),
        false if account.credentials.uid != claim.uid => return denied(&"it is of another uid"),
        false if found.no_login => return denied(&"nologin"),
        false => account.check(settings),
    };
    match checked {
        Ok(()) => Ok(ClaimResult::Granted {
            grant: account.into_grant(claim.session, METHOD),
        }),
        Err(AccountError::NameService(error)) => Err(error),
        Err(why) => denied(&why),
    }
}

#[cfg(test)]
mod tests;
