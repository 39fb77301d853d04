//! From a proved name to an account that may use IMAP: uid, gid, groups and
//! home, and the lists of who may.
//!
//! Everything here blocks on the name service.

use std::io;
use std::path::PathBuf;

use roost_accounts::{Domains, Id, LoginName};
use roost_ipc::{Grant, Reader};
use roost_os::identity::{self, Credentials, User};
use roost_os::{GroupId, UserId};
use roost_types::{QuotaLimits, SessionId};

use crate::directory;
use crate::passwd::Entry;
use crate::settings::Settings;

/// An account whose owner has proved to be it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub name: String,
    pub credentials: Credentials,
    pub home: PathBuf,
    pub maildir: Option<String>,
    pub quota: Option<QuotaLimits>,
}

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("no such account")]
    Unknown,
    #[error("no Unix account {0}")]
    NoUnixAccount(String),
    #[error("no Unix group {0}")]
    NoUnixGroup(String),
    #[error("the account file names no uid and there is no Unix account of the name")]
    NoUid,
    #[error("no absolute home directory")]
    NoHome,
    #[error("uid {0} is below minimum_uid")]
    MinimumUid(UserId),
    #[error("in deny_users")]
    Denied,
    #[error("neither in allow_users nor in a group of allow_groups")]
    NotAllowed,
    #[error("uid {0} needs a server started as root")]
    ForeignUid(UserId),
    #[error("name service: {0}")]
    NameService(#[from] io::Error),
}

impl AccountError {
    /// A fault of this host, about which the account can do nothing.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::NameService(_))
    }
}

impl Account {
    /// The Unix account `name`.
    pub fn of_unix(name: &str) -> Result<Self, AccountError> {
        let user = directory::user_by_name(name)?
            .ok_or_else(|| AccountError::NoUnixAccount(name.to_owned()))?;
        Ok(Self {
            credentials: Credentials {
                uid: user.uid,
                gid: user.gid,
                groups: directory::groups_of(&user.name, user.gid)?,
            },
            name: user.name,
            home: absolute(user.home)?,
            maildir: None,
            quota: None,
        })
    }

    /// An account of the account file. `unix` is the Unix account that its
    /// name may stand for, which fills what the line leaves out.
    pub fn of_entry(entry: &Entry, unix: Option<&str>) -> Result<Self, AccountError> {
        let user = match &entry.uid {
            Some(Id::Number(n)) => directory::user_by_id(UserId(*n))?,
            Some(Id::Name(name)) => Some(by_name(name)?),
            None => Some(by_name(unix.ok_or(AccountError::NoUid)?)?),
        };
        let uid = match (&entry.uid, &user) {
            (Some(Id::Number(n)), _) => UserId(*n),
            (_, Some(user)) => user.uid,
            (_, None) => return Err(AccountError::NoUid),
        };
        let gid = match (&entry.gid, &user) {
            (Some(Id::Number(n)), _) => GroupId(*n),
            (Some(Id::Name(name)), _) => directory::group_by_name(name)?
                .ok_or_else(|| AccountError::NoUnixGroup(name.clone()))?,
            (None, Some(user)) => user.gid,
            (None, None) => return Err(AccountError::NoUid),
        };
        let groups = match &user {
            Some(user) => directory::groups_of(&user.name, gid)?,
            None => vec![gid],
        };
        // Others may share the uid of a Unix account, but not its home.
        let own = user.filter(|user| unix == Some(user.name.as_str()));
        let home = entry.home.clone().or(own.map(|user| user.home));
        Ok(Self {
            name: entry.name.clone(),
            credentials: Credentials { uid, gid, groups },
            home: absolute(home.ok_or(AccountError::NoHome)?)?,
            maildir: entry.mail.clone(),
            quota: entry.quota,
        })
    }

    /// Whether the settings let the account use IMAP.
    pub fn check(&self, settings: &Settings) -> Result<(), AccountError> {
        if self.credentials.uid.0 < settings.minimum_uid {
            return Err(AccountError::MinimumUid(self.credentials.uid));
        }
        let named = |list: &[String]| list.iter().any(|name| self.is_called(name, settings));
        if named(&settings.deny_users) {
            return Err(AccountError::Denied);
        }
        let everybody = settings.allow_users.is_empty() && settings.allow_groups.is_empty();
        if !everybody && !named(&settings.allow_users) && !self.is_in_any(&settings.allow_groups)? {
            return Err(AccountError::NotAllowed);
        }
        self.check_uid()
    }

    /// Whether its mail is served to others: who may log in is another matter,
    /// and nobody may as `public`.
    pub fn check_served(&self, settings: &Settings) -> Result<(), AccountError> {
        let uid = self.credentials.uid;
        if uid.is_root() && identity::is_root() || uid.0 < settings.minimum_uid {
            return Err(AccountError::MinimumUid(uid));
        }
        self.check_uid()
    }

    fn check_uid(&self) -> Result<(), AccountError> {
        let uid = self.credentials.uid;
        if !identity::is_root() && uid != identity::current_user() {
            return Err(AccountError::ForeignUid(uid));
        }
        Ok(())
    }

    /// Lists name accounts as they are called here, by the local part, or with
    /// a domain of this host's where the account has none.
    fn is_called(&self, name: &str, settings: &Settings) -> bool {
        if name.eq_ignore_ascii_case(&self.name) {
            return true;
        }
        let (own_local, own_domain) = match self.name.split_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (self.name.as_str(), None),
        };
        // What is no login name can be a Unix account's all the same.
        let Ok(listed) = LoginName::parse(name, Domains::default(), true) else {
            return false;
        };
        let same_domain = match (listed.domain(), own_domain) {
            (None, _) => true,
            (Some(listed), Some(own)) => own.eq_ignore_ascii_case(listed),
            (Some(listed), None) => settings.is_own(listed),
        };
        same_domain && own_local.eq_ignore_ascii_case(listed.local())
    }

    fn is_in_any(&self, groups: &[String]) -> io::Result<bool> {
        for name in groups {
            let id = directory::group_by_name(name)?;
            let held = &self.credentials;
            if id.is_some_and(|id| id == held.gid || held.groups.contains(&id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn into_grant(self, session: SessionId, method: &str) -> Grant {
        Grant {
            session,
            account: self.name,
            credentials: self.credentials,
            home: self.home,
            maildir: self.maildir,
            quota: self.quota,
            method: method.to_owned(),
            reader: Reader::Owner,
        }
    }
}

fn by_name(name: &str) -> Result<User, AccountError> {
    directory::user_by_name(name)?.ok_or_else(|| AccountError::NoUnixAccount(name.to_owned()))
}

fn absolute(home: PathBuf) -> Result<PathBuf, AccountError> {
    if home.is_absolute() {
        Ok(home)
    } else {
        Err(AccountError::NoHome)
    }
}

#[cfg(test)]
mod tests;
