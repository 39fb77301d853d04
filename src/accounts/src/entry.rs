//! One line: `user:{SCHEME}hash:uid:gid:gecos:home:shell:extra_fields`.

use std::fmt::Display;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use roost_types::{IpNet, QuotaLimits};

use crate::name::MAX_NAME_LEN;
use crate::quota;
use crate::template::{PathTemplate, TemplateError};

/// A user or group as the file names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Id {
    Number(u32),
    Name(String),
}

impl Id {
    /// `None` for nothing.
    pub fn parse(field: &str) -> Option<Self> {
        if field.is_empty() {
            return None;
        }
        Some(match field.parse() {
            Ok(n) => Self::Number(n),
            Err(_) => Self::Name(field.to_owned()),
        })
    }
}

/// What counts where a line leaves it out, as Dovecot's `mail_uid`, `mail_gid`
/// and `mail_home` do.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Defaults {
    pub uid: Option<Id>,
    pub gid: Option<Id>,
    /// Does not begin with a home.
    pub home: Option<PathTemplate>,
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
    /// Where its mail is: the path of `userdb_mail=maildir:PATH`, or of
    /// `userdb_mail_path`.
    pub mail: Option<String>,
    /// The limits of `userdb_quota_rule=*:…` and those that follow it, or of
    /// `userdb_quota_storage_size` and `userdb_quota_message_count`.
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
    #[error("unsupported option {0} of the mail location")]
    MailOption(String),
    #[error("mail_home: {0}")]
    Home(TemplateError),
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

/// Fields that change who gets in, or what mail is shown; leaving them out of
/// account would open what they close, or show other mail.
const UNSUPPORTED: [&str; 10] = [
    "allow_real_nets",
    "userdb_chroot",
    "userdb_mail_control_path",
    "userdb_mail_inbox_path",
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
        if line.trim().is_empty() || line.starts_with(['#', ':']) {
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

    /// With what its line leaves out.
    ///
    /// # Errors
    /// When the name cannot be part of a home's path.
    pub fn filled(mut self, defaults: &Defaults) -> Result<Self, LineError> {
        if self.uid.is_none() {
            self.uid.clone_from(&defaults.uid);
        }
        if self.gid.is_none() {
            self.gid.clone_from(&defaults.gid);
        }
        if let (None, Some(home)) = (&self.home, &defaults.home) {
            let path = home.expand(&self.name, Path::new(""));
            self.home = Some(path.map_err(LineError::Home)?);
        }
        Ok(self)
    }

    fn extra(&mut self, field: &str) -> Result<(), LineError> {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        match key {
            "userdb_mail" => self.mail = Some(mail_path(value)?),
            "userdb_mail_path" if value.is_empty() => return Err(LineError::Mail),
            "userdb_mail_path" => self.mail = Some(value.to_owned()),
            "userdb_mail_driver" if value != "maildir" => return Err(LineError::Mail),
            "userdb_mailbox_list_layout" if !is_maildir_plus_plus(value) => {
                return Err(LineError::MailOption(value.to_owned()));
            }
            "userdb_quota_storage_size" => self.limit(&format!("*:storage={value}"))?,
            "userdb_quota_message_count" => self.limit(&format!("*:messages={value}"))?,
            key if is_quota_rule(key) => self.limit(value)?,
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

    /// What a rule says counts; of what it does not limit, those before.
    fn limit(&mut self, rule: &str) -> Result<(), LineError> {
        if let Some(new) = quota::limits(rule)? {
            let limits = self.quota.get_or_insert_default();
            if new.is_none() {
                *limits = new;
            }
            if new.storage > 0 {
                limits.storage = new.storage;
            }
            if new.messages > 0 {
                limits.messages = new.messages;
            }
        }
        Ok(())
    }

    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow_nets.is_empty() || self.allow_nets.iter().any(|net| net.contains(address))
    }
}

/// `maildir:PATH[:KEY=VALUE…]`. Keys that say where Dovecot keeps its own
/// indexes are left to it; those by which mail would be elsewhere are refused.
fn mail_path(value: &str) -> Result<String, LineError> {
    let place = value.strip_prefix("maildir:").ok_or(LineError::Mail)?;
    let mut parts = place.split(':');
    let path = parts.next().unwrap_or_default();
    if path.is_empty() {
        return Err(LineError::Mail);
    }
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let harmless = match key {
            "" | "INDEX" | "INDEXPVT" | "INDEXCACHE" | "VOLATILEDIR" | "UTF-8" => true,
            "LAYOUT" => is_maildir_plus_plus(value),
            "INBOX" | "CONTROL" => value == path,
            _ => false,
        };
        if !harmless {
            return Err(LineError::MailOption(key.to_owned()));
        }
    }
    Ok(path.to_owned())
}

fn is_maildir_plus_plus(layout: &str) -> bool {
    layout.eq_ignore_ascii_case("maildir++")
}

/// `userdb_quota_rule`, `userdb_quota_rule2` and so on.
fn is_quota_rule(key: &str) -> bool {
    let number = key.strip_prefix("userdb_quota_rule");
    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

fn networks(value: &str) -> Result<Vec<IpNet>, LineError> {
    let one = |item: &str| match item {
        "local" => "127.0.0.0/8".parse(),
        item => item.parse(),
    };
    let nets: Result<Vec<IpNet>, _> = value.split(',').map(one).collect();
    nets.map_err(|_| LineError::Networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(extra: &str) -> Result<Entry<()>, LineError> {
        let line = format!("ann:{{PLAIN}}x:1000:1000::/home/ann::{extra}");
        let entry = Entry::parse(line.as_bytes(), true, |_| Ok::<_, LineError>(()));
        entry.map(Option::unwrap)
    }

    #[test]
    fn fields_of_both_versions_of_dovecot() {
        let storage = |extra| parse(extra).unwrap().quota.unwrap_or_default();
        let both = storage("userdb_quota_rule=*:storage=1G userdb_quota_rule2=*:messages=7");
        assert_eq!((both.storage, both.messages), (1 << 30, 7));
        let new = storage("userdb_quota_message_count=9 userdb_quota_storage_size=2M");
        assert_eq!((new.storage, new.messages), (2 << 20, 9));
        assert_eq!(storage("userdb_quota_rule=Trash:storage=+1M").storage, 0);
        let mail = |extra: &str| parse(extra).map(|entry| entry.mail.unwrap_or_default());
        let old = "userdb_mail=maildir:/m/a:INDEX=/i:LAYOUT=Maildir++:UTF-8";
        assert_eq!(mail(old).as_deref(), Ok("/m/a"));
        let new = "userdb_mail_driver=maildir userdb_mail_path=~/m";
        assert_eq!(mail(new).as_deref(), Ok("~/m"));
        assert_eq!(mail("other=1 userdb_mail_plugins=acl").as_deref(), Ok(""));
        assert!(parse("nologin").unwrap().no_login);
    }

    #[test]
    fn what_would_show_other_mail_or_let_others_in_is_refused() {
        for option in ["LAYOUT=fs", "CONTROL=/c", "INBOX=/i", "DIRNAME=d", "NEW=1"] {
            let error = parse(&format!("userdb_mail=maildir:/m:{option}")).err();
            let key = option.split('=').next().unwrap();
            assert_eq!(error, Some(LineError::MailOption(key.to_owned())));
        }
        for wrong in [
            "userdb_mail=sdbox:~/d",
            "userdb_mail_driver=mbox",
            "userdb_mail_path=",
        ] {
            assert_eq!(parse(wrong).err(), Some(LineError::Mail), "{wrong}");
        }
        let layout = parse("userdb_mailbox_list_layout=fs").err();
        assert_eq!(layout, Some(LineError::MailOption("fs".into())));
        for field in [
            "nopassword=y",
            "userdb_chroot=/c",
            "allow_real_nets=::1",
            "proxy",
        ] {
            let key = field.split('=').next().unwrap();
            assert_eq!(parse(field).err(), Some(LineError::Field(key.to_owned())));
        }
    }

    #[test]
    fn what_a_line_leaves_out_is_filled_in() {
        let defaults = Defaults {
            uid: Id::parse("vmail"),
            gid: Id::parse("8"),
            home: PathTemplate::parse("/srv/%d/%n").ok(),
        };
        let filled = |line: &str| {
            let entry = Entry::parse(line.as_bytes(), true, |_| Ok::<_, LineError>(()));
            let entry = entry.unwrap().unwrap().filled(&defaults)?;
            Ok((entry.uid.unwrap(), entry.gid.unwrap(), entry.home.unwrap()))
        };
        let vmail = Id::Name("vmail".into());
        let all = (vmail.clone(), Id::Number(8), "/srv/b.c/ann".into());
        assert_eq!(filled("Ann@b.c:{PLAIN}x"), Ok(all));
        let none = filled("ann@b.c:{PLAIN}x:1:2::/home/ann");
        assert_eq!(none, Ok((Id::Number(1), Id::Number(2), "/home/ann".into())));
        for outside in ["ann", "..@b.c", "a/b@b.c"] {
            let error = filled(&format!("{outside}:{{PLAIN}}x"));
            assert_eq!(error, Err(LineError::Home(TemplateError::Account)));
        }
    }

    #[test]
    fn lines_without_a_name_are_passed_over() {
        for line in ["", "  ", "# ann:x", ":{PLAIN}x:1:1::/h", "\r"] {
            let entry = Entry::parse(line.as_bytes(), true, |_| Ok::<_, LineError>(()));
            assert!(matches!(entry, Ok(None)), "{line:?}");
        }
    }
}
