//! Accounts that nobody has to prove: whose mail a session names (`~bob`), and
//! the groups of the session's own account.
//!
//! The answer goes to the supervisor alone. What is found here lets nobody in:
//! the owner's worker says what the asker may see. Everything here blocks on
//! the name service.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use roost_accounts::LoginName;
use roost_ipc::{Found, Lookup, Owner};

use crate::account::{Account, AccountError};
use crate::directory;
use crate::pam::Pam;
use crate::passwd::Entry;
use crate::settings::{Backend, Settings};

/// Octets of all group names of one account. Without all of them a right that
/// is taken from a group could not be, so that with more nothing is found.
const MAX_GROUPS: usize = 32 << 10;

/// Answers; what goes wrong is logged.
pub fn answer(settings: &Settings, lookup: &Lookup) -> Found {
    let (owner, groups) = find(settings, lookup).unwrap_or_else(|error| {
        log::error!("accounts cannot be looked up: {error}");
        (Owner::Unknown {}, Vec::new())
    });
    Found {
        request: lookup.request,
        owner,
        groups,
    }
}

fn find(settings: &Settings, lookup: &Lookup) -> io::Result<(Owner, Vec<String>)> {
    let asker = lookup.asker.as_deref();
    let owner = match &lookup.owner {
        Some(raw) => owner(settings, raw, asker, lookup.local)?,
        None => None,
    };
    let owner = owner.map_or(Owner::Nobody {}, |found| Owner::Account {
        account: found.name,
        credentials: found.credentials,
        home: found.home,
        maildir: found.maildir,
        quota: found.quota,
    });
    let groups = match (asker, &lookup.owner, &owner) {
        (Some(asker), None, _) | (Some(asker), Some(_), Owner::Account { .. }) => {
            groups(settings, asker)?
        }
        _ => Vec::new(),
    };
    Ok((owner, groups))
}

/// The account that a client calls so, if its mail is served.
fn owner(
    settings: &Settings,
    raw: &str,
    asker: Option<&str>,
    local: IpAddr,
) -> io::Result<Option<Account>> {
    let domain = asker
        .and_then(|asker| asker.rsplit_once('@'))
        .map(|(_, d)| d);
    let raw = match domain {
        // A neighbour, wherever the client has connected to.
        Some(domain) if !raw.contains(['@', '%']) => Cow::Owned(format!("{raw}@{domain}")),
        _ => Cow::Borrowed(raw),
    };
    let Ok(name) = settings.login_name(&raw, local) else {
        return Ok(None);
    };
    // What is left here of one that has moved is nobody's to read.
    if settings.elsewhere(&raw, local).is_some() {
        return Ok(None);
    }
    let Some(found) = known(settings, &name)? else {
        return Ok(None);
    };
    let served = found.account.and_then(|account| {
        account.check_served(settings)?;
        Ok(account)
    });
    match served {
        Ok(account) => Ok(Some(account)),
        Err(AccountError::NameService(error)) => Err(error),
        Err(reason) => {
            log::info!("mail of <{}> is not served: {reason}", name.full());
            Ok(None)
        }
    }
}

/// What the first back end that knows a name says of it.
pub struct Known {
    pub account: Result<Account, AccountError>,
    /// What lets it in, or does not.
    pub door: Door,
}

/// Who says whether an account may log in at all.
pub enum Door {
    /// Its line.
    Entry(Arc<Entry>),
    Pam(Pam),
}

impl Known {
    /// Nobody may log in as it.
    pub fn no_login(&self) -> bool {
        matches!(&self.door, Door::Entry(entry) if entry.no_login)
    }
}

pub fn known(settings: &Settings, name: &LoginName) -> io::Result<Option<Known>> {
    for backend in &settings.backends {
        let unix = name.unix_account();
        let (account, door) = match backend {
            Backend::File(file) => match file.current()?.find(name.keys()) {
                Some(entry) => (Account::of_entry(&entry, unix), Door::Entry(entry)),
                None => continue,
            },
            Backend::Pam(pam) => match unix {
                Some(unix) if directory::user_by_name(unix)?.is_some() => {
                    (Account::of_unix(unix), Door::Pam(pam.clone()))
                }
                _ => continue,
            },
        };
        return Ok(Some(Known { account, door }));
    }
    Ok(None)
}

/// The groups of an account by its canonical name: those of its line in the
/// account file, and those of the Unix account of the same name. A virtual
/// user is in none of the groups of the Unix account that holds its mail.
fn groups(settings: &Settings, asker: &str) -> io::Result<Vec<String>> {
    let mut names = BTreeSet::new();
    for backend in &settings.backends {
        let (account, unix) = match backend {
            Backend::File(file) => {
                let key = std::iter::once(asker.to_owned());
                let Some(entry) = file.current()?.find(key) else {
                    continue;
                };
                names.extend(entry.groups.iter().cloned());
                let local = asker.split('@').next().unwrap_or_default();
                (Account::of_entry(&entry, Some(local)), local)
            }
            Backend::Pam(_) => match directory::user_by_name(asker)? {
                Some(_) => (Account::of_unix(asker), asker),
                None => continue,
            },
        };
        let account = match account {
            Ok(account) => account,
            Err(AccountError::NameService(error)) => return Err(error),
            Err(_) => break,
        };
        let same = directory::user_by_name(unix)?;
        if same.is_some_and(|user| user.uid == account.credentials.uid) {
            for gid in &account.credentials.groups {
                names.extend(directory::group_by_id(*gid)?);
            }
        }
        break;
    }
    if names.iter().map(String::len).sum::<usize>() > MAX_GROUPS {
        return Err(io::Error::other(format!("<{asker}> is in too many groups")));
    }
    Ok(names.into_iter().collect())
}

#[cfg(test)]
mod tests;
