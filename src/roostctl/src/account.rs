//! Whose mail is meant, where it is, and becoming who owns it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use roost_config::{Backend, Config, MaildirTemplate};
use roost_os::identity::{self, Credentials};
use roost_os::{GroupId, UserId};

use crate::args::{Common, DEFAULT_CONFIG};
use crate::{Failure, exit};

/// The longest line of an account file that is looked at, in octets.
const MAX_LINE: u64 = 64 * 1024;

/// One account's mail.
pub struct Account {
    pub name: String,
    pub owner: Credentials,
    pub maildir: PathBuf,
    pub index_dir: Option<PathBuf>,
}

/// What the account file says of one account.
#[derive(Default, PartialEq, Eq, Debug)]
struct Entry {
    uid: String,
    gid: String,
    home: String,
    mail: Option<String>,
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

/// The account that the arguments name, or else the caller's own.
pub fn chosen(common: &Common, config: &Config) -> Result<Account, Failure> {
    let account = match (&common.maildir, &common.user) {
        (Some(_), Some(_)) => {
            let text = "--user and --maildir name an account each";
            return Err(Failure::new(exit::USAGE, text));
        }
        (Some(maildir), None) => of_maildir(maildir, config)?,
        (None, Some(user)) => of_name(user, config)?,
        (None, None) => of_name(&own_name()?, config)?,
    };
    if !account.maildir.join("cur").is_dir() {
        let text = format!("{} is no Maildir", account.maildir.display());
        return Err(Failure::new(exit::NOINPUT, text));
    }
    Ok(account)
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
        name: user.map_or_else(|| uid.0.to_string(), |user| user.name),
        owner,
        maildir,
        index_dir: None,
    })
}

/// As the server finds it at a login.
fn of_name(name: &str, config: &Config) -> Result<Account, Failure> {
    for backend in &config.auth.backends {
        let found = match (backend, &config.auth.passwd_file) {
            (Backend::Pam, _) => of_unix(name)?,
            (Backend::PasswdFile, Some(path)) => {
                let lowercase = config.auth.lowercase_names;
                let failed = |e| Failure::new(exit::IOERR, format!("{}: {e}", path.display()));
                let input = File::open(path).map_err(failed)?;
                match find(BufReader::new(input), name, lowercase).map_err(failed)? {
                    Some(entry) => Some(of_entry(name, &entry)?),
                    None => None,
                }
            }
            (Backend::PasswdFile, None) => None,
        };
        if let Some((owner, home, mail)) = found {
            return placed(name, owner, &home, mail.as_deref(), config);
        }
    }
    let text = format!("there is no account {name}");
    Err(Failure::new(exit::NOUSER, text))
}

type Found = (Credentials, PathBuf, Option<String>);

fn of_unix(name: &str) -> Result<Option<Found>, Failure> {
    let Some(user) = identity::user_by_name(name).map_err(os)? else {
        return Ok(None);
    };
    Ok(Some((user.credentials().map_err(os)?, user.home, None)))
}

fn of_entry(name: &str, entry: &Entry) -> Result<Found, Failure> {
    let incomplete = || Failure::new(exit::NOUSER, format!("account {name} has no uid or gid"));
    let user = match (entry.uid.is_empty(), entry.uid.parse()) {
        (true, _) => identity::user_by_name(name).map_err(os)?,
        (false, Ok(uid)) => identity::user_by_id(UserId(uid)).map_err(os)?,
        (false, Err(_)) => identity::user_by_name(&entry.uid).map_err(os)?,
    };
    let uid = match (entry.uid.parse(), &user) {
        (Ok(uid), _) => UserId(uid),
        (Err(_), Some(user)) => user.uid,
        (Err(_), None) => return Err(incomplete()),
    };
    let gid = match (entry.gid.parse(), &user) {
        (Ok(gid), _) => GroupId(gid),
        (Err(_), Some(user)) if entry.gid.is_empty() => user.gid,
        (Err(_), _) => identity::group_by_name(&entry.gid)
            .map_err(os)?
            .ok_or_else(incomplete)?,
    };
    let groups = match &user {
        Some(user) => identity::groups_of(&user.name, gid).map_err(os)?,
        None => vec![gid],
    };
    let home = match (entry.home.is_empty(), user) {
        (true, Some(user)) => user.home,
        _ => PathBuf::from(&entry.home),
    };
    let owner = Credentials { uid, gid, groups };
    Ok((owner, home, entry.mail.clone()))
}

/// The line of `name` in a file as Dovecot's passwd-file is.
fn find(mut input: impl BufRead, name: &str, lowercase: bool) -> io::Result<Option<Entry>> {
    let same = |found: &str| match lowercase {
        true => found.eq_ignore_ascii_case(name),
        false => found == name,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut input).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            continue;
        };
        let mut fields = text.trim_end_matches(['\r', '\n']).splitn(8, ':');
        if text.starts_with('#') || !fields.next().is_some_and(same) {
            continue;
        }
        let mut field = |skip: usize| fields.nth(skip).unwrap_or_default().to_owned();
        let mut entry = Entry {
            uid: field(1),
            gid: field(0),
            home: field(1),
            mail: None,
        };
        for extra in field(1).split_ascii_whitespace() {
            match extra.split_once('=') {
                Some(("userdb_mail", value)) => {
                    // Behind the path stands where Dovecot has its own files.
                    let path = value.strip_prefix("maildir:").unwrap_or(value);
                    entry.mail = path.split(':').next().map(str::to_owned);
                }
                Some(("userdb_home", value)) => entry.home = value.to_owned(),
                Some(("userdb_uid", value)) => entry.uid = value.to_owned(),
                Some(("userdb_gid", value)) => entry.gid = value.to_owned(),
                _ => {}
            }
        }
        return Ok(Some(entry));
    }
}

/// By the account's own section, else by the account file, else by `[mail]`.
fn placed(
    name: &str,
    owner: Credentials,
    home: &Path,
    mail: Option<&str>,
    config: &Config,
) -> Result<Account, Failure> {
    let wrong = |e| Failure::new(exit::CONFIG, format!("mail of {name}: {e}"));
    let own = config.users.get(name).and_then(|own| own.maildir.clone());
    let template = match (own, mail) {
        (Some(own), _) => own,
        (None, Some(text)) => MaildirTemplate::parse(text).map_err(wrong)?,
        (None, None) => config.mail.maildir.clone(),
    };
    let index = config.mail.index_dir.as_ref();
    let index_dir = index.map(|i| i.expand_own(name, home)).transpose();
    Ok(Account {
        name: name.to_owned(),
        owner,
        maildir: template.expand(name, home).map_err(wrong)?,
        index_dir: index_dir.map_err(wrong)?,
    })
}

impl Account {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_account_file() {
        let text = b"# joe:x:1:1::/no::\njoey:x:5:5::/other::\n\
            joe:{PLAIN}x:5000:5001::/home/joe:/bin/sh:userdb_mail=maildir:/m/joe:INDEX=/i a=b\n";
        let found = find(&text[..], "Joe", true).unwrap().unwrap();
        let expected = Entry {
            uid: "5000".into(),
            gid: "5001".into(),
            home: "/home/joe".into(),
            mail: Some("/m/joe".into()),
        };
        assert_eq!(found, expected);
        assert_eq!(find(&text[..], "Joe", false).unwrap(), None);
        let short = find(&b"ann:x\n"[..], "ann", true).unwrap();
        assert_eq!(short, Some(Entry::default()));
    }
}
