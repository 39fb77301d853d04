//! Whose an entry is: as files have it, and as people write it.

use super::Owner;
use std::fmt;

/// The longest identifier as people write it, in octets.
pub const MAX_IDENTIFIER: usize = 255;
/// The longest one that is read from a file: it calls their kinds by longer
/// names.
const MAX_IN_FILE: usize = MAX_IDENTIFIER + 16;

/// The group that stands for everybody of a domain.
const ANYONE_AT: &str = "anyone@";
/// By this name go those who have not logged in, in Dovecot as well.
const ANONYMOUS: &str = "anonymous";

/// Whose an entry is, in the order in which Dovecot writes them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Identifier {
    Anyone,
    Authenticated,
    /// A group's name, or `anyone@domain`.
    Group(String),
    Owner,
    /// An account's name.
    User(String),
    /// A group whose entry stands in the place of all others.
    GroupOverride(String),
}

/// What cannot be an identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an identifier")]
pub struct BadIdentifier;

impl Identifier {
    /// From a file, without its `-`.
    pub(super) fn of_file(text: &str) -> Option<Self> {
        let named = |name: &str| Some(name.to_owned()).filter(|n| !n.is_empty());
        if text.len() > MAX_IN_FILE {
            return None;
        }
        Some(match text {
            "owner" => Self::Owner,
            "authenticated" => Self::Authenticated,
            // Both servers take the second for the first.
            "anyone" | ANONYMOUS => Self::Anyone,
            _ => match text.split_once('=')? {
                ("user", name) => Self::User(named(name)?),
                ("group", name) => Self::Group(named(name)?),
                ("group-override", name) => Self::GroupOverride(named(name)?),
                _ => return None,
            },
        })
    }

    /// For a file.
    pub(super) fn file_text(&self) -> String {
        match self {
            Self::Anyone => "anyone".into(),
            Self::Authenticated => "authenticated".into(),
            Self::Group(name) => format!("group={name}"),
            Self::Owner => "owner".into(),
            Self::User(name) => format!("user={name}"),
            Self::GroupOverride(name) => format!("group-override={name}"),
        }
    }

    /// From what somebody wrote (FEATURES §5.2), made canonical for a mailbox
    /// of `owner`. A `-` in front belongs to the entry, not to this.
    pub fn parse(text: &str, owner: Owner<'_>) -> Result<Self, BadIdentifier> {
        let fits = |text: &str| text.len() <= MAX_IDENTIFIER;
        if text.is_empty() || !fits(text) || text.chars().any(char::is_control) {
            return Err(BadIdentifier);
        }
        // With a domain added it has to be read, and named, as well.
        let canonical = Self::canonical(text, owner)?;
        match fits(&canonical.to_string()) {
            true => Ok(canonical),
            false => Err(BadIdentifier),
        }
    }

    fn canonical(text: &str, owner: Owner<'_>) -> Result<Self, BadIdentifier> {
        let group = |name: &str| match name {
            "" => Err(BadIdentifier),
            name => Ok(canonical_group(name)),
        };
        if let Some(name) = text.strip_prefix(['#', '$']) {
            return group(name).map(Self::Group);
        }
        if let Some(name) = text.strip_prefix("!#").or(text.strip_prefix("!$")) {
            return group(name).map(Self::GroupOverride);
        }
        if let Some(domain) = text.strip_prefix(ANYONE_AT) {
            let domain = match domain {
                "" => owner.domain().unwrap_or_default(),
                domain => domain,
            };
            return Ok(Self::Group(canonical_group(&format!(
                "{ANYONE_AT}{domain}"
            ))));
        }
        Ok(match text {
            "anyone" => Self::Anyone,
            "authenticated" => Self::Authenticated,
            "owner" => Self::Owner,
            _ => {
                let name = text.strip_prefix("user=").unwrap_or(text);
                if name.is_empty() || name.contains(['=', '!']) || name.starts_with(['-', '@']) {
                    return Err(BadIdentifier);
                }
                Self::User(canonical_account(name, owner))
            }
        })
    }

    /// The domain whose accounts are all meant.
    pub(super) fn whole_domain(&self) -> Option<&str> {
        match self {
            Self::Group(name) => name.strip_prefix(ANYONE_AT),
            _ => None,
        }
    }
}

/// As people write it.
impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Authenticated => f.write_str("authenticated"),
            Self::Owner => f.write_str("owner"),
            Self::Group(name) if name.starts_with(ANYONE_AT) => f.write_str(name),
            Self::Group(name) => write!(f, "#{name}"),
            Self::GroupOverride(name) => write!(f, "!#{name}"),
            Self::User(name) => {
                let other = matches!(name.as_str(), "anyone" | "authenticated" | "owner")
                    || name.starts_with(['#', '$', '!', '-']);
                f.write_str(if other { "user=" } else { "" })?;
                f.write_str(name)
            }
        }
    }
}

/// What stands behind the last `@`.
pub(super) fn domain_of(name: &str) -> Option<&str> {
    name.rsplit_once('@').map(|(_, domain)| domain)
}

fn canonical_group(name: &str) -> String {
    match name.rsplit_once('@') {
        Some((group, domain)) => format!("{group}@{}", domain.to_ascii_lowercase()),
        None => name.to_owned(),
    }
}

/// As login names are: lower case, and with a domain or without as the owner's
/// own name is.
fn canonical_account(name: &str, owner: Owner<'_>) -> String {
    let name = name.to_lowercase();
    let is_default = |domain: &str| {
        let default = owner.default_domain;
        domain.is_empty() || default.is_some_and(|default| domain.eq_ignore_ascii_case(default))
    };
    match (name.rsplit_once('@'), domain_of(owner.account)) {
        (None, Some(domain)) => format!("{name}@{domain}"),
        (Some((local, "")), Some(domain)) => format!("{local}@{domain}"),
        (Some((local, domain)), None) if is_default(domain) => local.to_owned(),
        _ => name,
    }
}
