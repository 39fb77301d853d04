//! One line: `user:{SCHEME}hash:uid:gid:gecos:home:shell:extra_fields`.

use std::fmt::Display;
use std::net::IpAddr;
use std::path::PathBuf;

use roost_types::{IpNet, QuotaLimits};

use crate::name::MAX_NAME_LEN;
use crate::quota;

/// A user or group as the file names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Id {
    Number(u32),
    Name(String),
}

impl Id {
    fn parse(field: &str) -> Option<Self> {
        if field.is_empty() {
            return None;
        }
        Some(match field.parse() {
            Ok(n) => Self::Number(n),
            Err(_) => Self::Name(field.to_owned()),
        })
    }
}

/// An account of the file, with what its reader makes of the password.
pub struct Entry<P> {
    /// With a domain or without, as it stands; in lower case where case does
    /// not count.
    pub name: String,
    pub password: P,
    pub uid: Option<Id>,
    pub gid: Option<Id>,
    pub home: Option<PathBuf>,
    /// Where its mail is: the path of `userdb_mail=maildir:PATH`.
    pub mail: Option<String>,
    /// The limits of `userdb_quota_rule=*:…`.
    pub quota: Option<QuotaLimits>,
    /// Addresses that may log in (`allow_nets`); everyone when empty.
    pub allow_nets: Vec<IpNet>,
    /// `nologin`: the password is right, but nobody may log in.
    pub no_login: bool,
    /// What entries of access control lists for groups may name
    /// (`userdb_acl_groups=a,b`), beside the groups of the Unix account.
    pub groups: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineError {
    #[error("line too long")]
    TooLong,
    #[error("not UTF-8")]
    Encoding,
    #[error("invalid user name")]
    Name,
    #[error("fields missing")]
    Fields,
    #[error("{0}")]
    Password(String),
    #[error("unsupported mail location: only maildir:PATH is")]
    Mail,
    #[error("invalid quota rule")]
    Quota,
    #[error("invalid allow_nets")]
    Networks,
    #[error("unsupported field {0}")]
    Field(String),
    #[error("user named twice; the first line counts")]
    Duplicate,
    #[error("too many accounts")]
    TooMany,
}

/// Fields that change who gets in; leaving them out of account would open
/// what they close.
const UNSUPPORTED: [&str; 6] = [
    "nopassword",
    "proxy",
    "proxy_maybe",
    "host",
    "user",
    "userdb_user",
];

impl<P> Entry<P> {
    /// `None` for comments and empty lines. `lowercase` says whether case
    /// counts in names.
    pub fn parse<E: Display>(
        line: &[u8],
        lowercase: bool,
        password: impl FnOnce(&str) -> Result<P, E>,
    ) -> Result<Option<Self>, LineError> {
        let line = std::str::from_utf8(line).map_err(|_| LineError::Encoding)?;
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let mut fields = line.splitn(8, ':');
        let mut name = fields.next().unwrap_or_default().to_owned();
        if lowercase {
            name.make_ascii_lowercase();
        }
        let odd = |c: char| c.is_control() || c.is_whitespace();
        if name.is_empty() || name.len() > MAX_NAME_LEN || name.contains(odd) {
            return Err(LineError::Name);
        }
        let stored = fields.next().ok_or(LineError::Fields)?;
        let mut entry = Self {
            name,
            password: password(stored).map_err(|e| LineError::Password(e.to_string()))?,
            uid: fields.next().and_then(Id::parse),
            gid: fields.next().and_then(Id::parse),
            home: None,
            mail: None,
            quota: None,
            allow_nets: Vec::new(),
            no_login: false,
            groups: Vec::new(),
        };
        let home = fields.nth(1).unwrap_or_default();
        entry.home = (!home.is_empty()).then(|| PathBuf::from(home));
        for field in fields.nth(1).unwrap_or_default().split_ascii_whitespace() {
            entry.extra(field)?;
        }
        Ok(Some(entry))
    }

    fn extra(&mut self, field: &str) -> Result<(), LineError> {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        match key {
            "userdb_mail" => self.mail = Some(mail_path(value)?),
            "userdb_quota_rule" => self.quota = quota::limits(value)?.or(self.quota),
            "userdb_home" if !value.is_empty() => self.home = Some(PathBuf::from(value)),
            "userdb_uid" => self.uid = Id::parse(value),
            "userdb_gid" => self.gid = Id::parse(value),
            "allow_nets" => self.allow_nets = networks(value)?,
            "nologin" => self.no_login = true,
            "userdb_acl_groups" => {
                let names = value.split(',').filter(|name| !name.is_empty());
                self.groups = names.map(str::to_owned).collect();
            }
            key if UNSUPPORTED.contains(&key) => return Err(LineError::Field(key.to_owned())),
            // Other services' settings.
            _ => {}
        }
        Ok(())
    }

    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow_nets.is_empty() || self.allow_nets.iter().any(|net| net.contains(address))
    }
}

/// `maildir:PATH[:KEY=VALUE…]`; the keys say where Dovecot keeps its own
/// indexes, and are left to it.
fn mail_path(value: &str) -> Result<String, LineError> {
    let path = value.strip_prefix("maildir:").ok_or(LineError::Mail)?;
    let path = path.split(':').next().unwrap_or_default();
    if path.is_empty() {
        return Err(LineError::Mail);
    }
    Ok(path.to_owned())
}

fn networks(value: &str) -> Result<Vec<IpNet>, LineError> {
    let one = |item: &str| match item {
        "local" => "127.0.0.0/8".parse(),
        item => item.parse(),
    };
    let nets: Result<Vec<IpNet>, _> = value.split(',').map(one).collect();
    nets.map_err(|_| LineError::Networks)
}
