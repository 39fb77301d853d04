//! Whose mail is meant, where it is, and becoming who owns it.

mod find;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use roost_config::Config;
use roost_os::identity::{self, Credentials};
use roost_os::{GroupId, UserId};
use roost_types::QuotaLimits;

use find::Found;

use crate::args::{Common, DEFAULT_CONFIG};
use crate::{Failure, exit};

/// One account's mail.
pub struct Account {
    pub name: String,
    pub owner: Credentials,
    pub maildir: PathBuf,
    /// None: not known.
    pub home: Option<PathBuf>,
    pub index_dir: Option<PathBuf>,
    /// None: what the Maildir's own file says.
    pub quota: Option<QuotaLimits>,
}

/// The configuration; that of an empty file where there is none and none was
/// asked for.
pub fn config(common: &Common) -> Result<Config, Failure> {
    let path = match &common.config {
        Some(path) => path.as_path(),
        None if Path::new(DEFAULT_CONFIG).exists() => Path::new(DEFAULT_CONFIG),
        None => return Ok(Config::builtin()),
    };
    Config::load(path).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(exit::CONFIG, lines.join("\n"))
    })
}

/// The account that the arguments name, or else the caller's own; it has mail.
pub fn chosen(common: &Common, config: &Config) -> Result<Account, Failure> {
    let account = named(common, config)?;
    if !account.has_mail() {
        let text = format!("{} is no Maildir", account.maildir.display());
        return Err(Failure::new(exit::NOINPUT, text));
    }
    Ok(account)
}

/// The same, whether it has mail or not.
pub fn named(common: &Common, config: &Config) -> Result<Account, Failure> {
    Ok(match (&common.maildir, &common.user) {
        (Some(_), Some(_)) => {
            let text = "--user and --maildir name an account each";
            return Err(Failure::new(exit::USAGE, text));
        }
        (Some(maildir), None) => of_maildir(maildir, config)?,
        (None, Some(user)) => placed(find::by_name(user, config)?, config)?,
        (None, None) => placed(own(config)?, config)?,
    })
}

/// Whether an account of that name has a Maildir.
pub fn has_mail(name: &str, config: &Config) -> bool {
    let account = find::by_name(name, config).and_then(|found| placed(found, config));
    account.is_ok_and(|account| account.has_mail())
}

fn own(config: &Config) -> Result<Found, Failure> {
    find::by_name(&own_name()?, config).map_err(|failure| match failure.code {
        exit::NOUSER => Failure::new(failure.code, format!("{} (-u names one)", failure.text)),
        _ => failure,
    })
}

fn own_name() -> Result<String, Failure> {
    match identity::user_by_id(identity::current_user()).map_err(os)? {
        Some(user) => Ok(user.name),
        None => Err(Failure::new(exit::NOUSER, "you have no Unix account")),
    }
}

fn os(error: io::Error) -> Failure {
    Failure::new(exit::OSERR, error)
}

/// By its place alone; its owner is the account.
fn of_maildir(maildir: &Path, config: &Config) -> Result<Account, Failure> {
    let failed = |e| Failure::new(exit::NOINPUT, format!("{}: {e}", maildir.display()));
    let maildir = maildir.canonicalize().map_err(failed)?;
    let stat = std::fs::metadata(&maildir).map_err(failed)?;
    if config.mail.index_dir.is_some() {
        let text = "index_dir is set: name the account with -u";
        return Err(Failure::new(exit::USAGE, text));
    }
    let (uid, gid) = (UserId(stat.uid()), GroupId(stat.gid()));
    let user = identity::user_by_id(uid).map_err(os)?;
    let owner = match &user {
        Some(user) => user.credentials().map_err(os)?,
        None => Credentials {
            uid,
            gid,
            groups: vec![gid],
        },
    };
    Ok(Account {
        home: user.as_ref().map(|user| user.home.clone()),
        name: user.map_or_else(|| uid.0.to_string(), |user| user.name),
        owner,
        maildir,
        index_dir: None,
        // Whose it is does not say which account it is.
        quota: None,
    })
}

fn placed(found: Found, config: &Config) -> Result<Account, Failure> {
    let Found {
        name,
        owner,
        home,
        mail,
        quota,
    } = found;
    let wrong = |e| Failure::new(exit::CONFIG, format!("mail of {name}: {e}"));
    let maildir = config.maildir_of(&name, &home, mail.as_deref());
    let index_dir = config.index_dir_of(&name, &home);
    Ok(Account {
        maildir: maildir.map_err(wrong)?,
        index_dir: index_dir.map_err(wrong)?,
        quota: config.quota_of(&name, quota),
        home: Some(home),
        owner,
        name,
    })
}

impl Account {
    pub fn has_mail(&self) -> bool {
        self.maildir.join("cur").is_dir()
    }

    /// Takes on the owner's identity, which root alone can: whatever is made
    /// from now on is the owner's.
    pub fn become_owner(&self) -> Result<(), Failure> {
        let me = identity::current_user();
        if me == self.owner.uid {
            return Ok(());
        }
        if !me.is_root() {
            let text = format!("the mail of {} is not yours", self.name);
            return Err(Failure::new(exit::NOPERM, text));
        }
        identity::drop_privileges(&self.owner).map_err(os)
    }
}
