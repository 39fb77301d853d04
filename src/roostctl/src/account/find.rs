//! Which account a name means, as the server finds it at a login.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use roost_accounts::{Defaults, Domains, Entry, Id, Lines, LoginName};
use roost_config::{Backend, Config};
use roost_os::identity::{self, Credentials, User};
use roost_os::{GroupId, UserId};
use roost_types::QuotaLimits;

use super::os;
use crate::{Failure, exit, out};

/// An account before anybody has looked for its mail.
#[derive(PartialEq, Eq, Debug)]
pub struct Found {
    /// As the server calls it, whatever was typed.
    pub name: String,
    pub owner: Credentials,
    pub home: PathBuf,
    /// Where the account file says that its mail is.
    pub mail: Option<String>,
    /// What it says of quotas.
    pub quota: Option<QuotaLimits>,
}

pub fn by_name(raw: &str, config: &Config) -> Result<Found, Failure> {
    let unknown = |why: &dyn std::fmt::Display| {
        Failure::new(exit::NOUSER, format!("there is no account {raw}: {why}"))
    };
    let domains = Domains {
        local: None,
        default: config.server.default_domain.as_deref(),
    };
    let name = LoginName::parse(raw, domains, config.auth.lowercase_names)
        .map_err(|error| unknown(&error))?;
    for backend in &config.auth.backends {
        let found = match (backend, &config.auth.passwd_file) {
            (Backend::Pam, _) => of_unix(&name)?,
            (Backend::PasswdFile, Some(path)) => in_file(path, &name, config)?,
            (Backend::PasswdFile, None) => None,
        };
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(unknown(&"no backend knows it"))
}

fn of_unix(name: &LoginName) -> Result<Option<Found>, Failure> {
    let user = name.unix_account().map(identity::user_by_name);
    let user = user.transpose().map_err(os)?.flatten();
    user.map(found_unix).transpose()
}

fn found_unix(user: User) -> Result<Found, Failure> {
    Ok(Found {
        owner: user.credentials().map_err(os)?,
        name: user.name,
        home: user.home,
        mail: None,
        quota: None,
    })
}

fn in_file(path: &Path, name: &LoginName, config: &Config) -> Result<Option<Found>, Failure> {
    let failed = |e| Failure::new(exit::IOERR, format!("{}: {e}", path.display()));
    let input = match File::open(path) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => return own(path, name).map(Some),
        other => other.map_err(failed)?,
    };
    let lowercase = config.auth.lowercase_names;
    let defaults = &config.auth.defaults;
    let entry = find(BufReader::new(input), name, lowercase, defaults).map_err(failed)?;
    entry
        .map(|entry| of_entry(entry, name.unix_account()))
        .transpose()
}

/// For whom the account file, with everybody's passwords, is closed: his Unix
/// account alone.
fn own(path: &Path, name: &LoginName) -> Result<Found, Failure> {
    let path = path.display();
    match of_unix(name)? {
        Some(found) if found.owner.uid == identity::current_user() => {
            out::tell(&format!(
                "{path} is closed to you: taking your Unix account for the account \
                 (--maildir names other mail)"
            ));
            Ok(found)
        }
        _ => {
            let text = format!("{path} is closed to you: others' accounts are root's business");
            Err(Failure::new(exit::NOPERM, text))
        }
    }
}

/// The first line of the best of the name's keys. A password that the server
/// could not check keeps nobody from looking after the mail.
fn find(
    input: impl BufRead,
    name: &LoginName,
    lowercase: bool,
    defaults: &Defaults,
) -> io::Result<Option<Entry<()>>> {
    let keys: Vec<String> = name.keys().collect();
    let mut best: Option<(usize, Entry<()>)> = None;
    let mut lines = Lines::new(input);
    while let Some((_, line)) = lines.next()? {
        let parsed = line.map(|line| Entry::parse(line, lowercase, |_| Ok::<_, Infallible>(())));
        // The server reports lines that it refuses.
        let filled = parsed
            .and_then(Result::ok)
            .flatten()
            .map(|e| e.filled(defaults));
        let Some(Ok(entry)) = filled else {
            continue;
        };
        let Some(rank) = keys.iter().position(|key| *key == entry.name) else {
            continue;
        };
        if best.as_ref().is_none_or(|(known, _)| rank < *known) {
            best = Some((rank, entry));
        }
    }
    Ok(best.map(|(_, entry)| entry))
}

fn of_entry(entry: Entry<()>, unix: Option<&str>) -> Result<Found, Failure> {
    let incomplete =
        |what: &str| Failure::new(exit::NOUSER, format!("account {}: no {what}", entry.name));
    let known = |name: &str| identity::user_by_name(name).map_err(os);
    let user = match (&entry.uid, unix) {
        (Some(Id::Number(n)), _) => identity::user_by_id(UserId(*n)).map_err(os)?,
        (Some(Id::Name(name)), _) => known(name)?,
        (None, Some(name)) => known(name)?,
        (None, None) => None,
    };
    let uid = match (&entry.uid, &user) {
        (Some(Id::Number(n)), _) => UserId(*n),
        (_, Some(user)) => user.uid,
        (_, None) => return Err(incomplete("uid")),
    };
    let gid = match (&entry.gid, &user) {
        (Some(Id::Number(n)), _) => GroupId(*n),
        (Some(Id::Name(name)), _) => identity::group_by_name(name)
            .map_err(os)?
            .ok_or_else(|| incomplete("gid"))?,
        (None, Some(user)) => user.gid,
        (None, None) => return Err(incomplete("gid")),
    };
    let groups = match &user {
        Some(user) => identity::groups_of(&user.name, gid).map_err(os)?,
        None => vec![gid],
    };
    let own = user.filter(|user| unix == Some(user.name.as_str()));
    let home = entry.home.clone().or(own.map(|user| user.home));
    let home = home.filter(|home| home.is_absolute());
    Ok(Found {
        home: home.ok_or_else(|| incomplete("home"))?,
        owner: Credentials { uid, gid, groups },
        name: entry.name,
        mail: entry.mail,
        quota: entry.quota,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# joe:x:1:1::/no::\n\
        joe:{PLAIN}x:1:1::/proxy::proxy=y\n\
        joe:{PLAIN}x:2:2::/mbox::userdb_mail=mbox:~/m\n\
        JOE:{PLAIN}x:5000:5001::/home/joe:/bin/sh:userdb_mail=maildir:/m/joe:INDEX=/i a=b\n\
        joe:{PLAIN}x:7:7::/second::\n\
        ann:{PLAIN}x:8:8::/bare::\n\
        bea:{PLAIN}x\n\
        kim:{PLAIN}x:0\n\
        ann@example.org:{UNKNOWN}x:9:9::/full::\n";

    fn config(dir: &Path, text: &str) -> Config {
        let passwd = dir.join("passwd");
        std::fs::write(&passwd, FILE).unwrap();
        let text = format!(
            "[auth]\nbackend = passwd-file\npasswd_file = {}\n{text}",
            passwd.display()
        );
        Config::parse(text.as_bytes(), Path::new("test.conf")).unwrap()
    }

    #[test]
    fn the_line_is_the_one_that_the_server_takes() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), "");
        let joe = by_name("Joe", &config).unwrap();
        assert_eq!(joe.name, "joe");
        assert_eq!(
            (joe.owner.uid, joe.owner.gid),
            (UserId(5000), GroupId(5001))
        );
        assert_eq!(joe.home, Path::new("/home/joe"));
        assert_eq!(joe.mail.as_deref(), Some("/m/joe"));
        for strange in ["nobody-here", "joe@elsewhere.example", "a b"] {
            let failure = by_name(strange, &config).unwrap_err();
            assert_eq!(failure.code, exit::NOUSER, "{strange}");
        }
    }

    #[test]
    fn what_a_line_leaves_out_is_in_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(
            dir.path(),
            "mail_uid = 7001\nmail_gid = 7002\nmail_home = /srv/%n\n",
        );
        let bea = by_name("bea", &config).unwrap();
        assert_eq!(
            (bea.owner.uid, bea.owner.gid),
            (UserId(7001), GroupId(7002))
        );
        assert_eq!(bea.home, Path::new("/srv/bea"));
        assert_eq!(by_name("joe", &config).unwrap().owner.uid, UserId(5000));
        // The home of a uid's Unix account is not everybody's who has that uid.
        let root = by_name("kim", &config).unwrap();
        assert_eq!(root.home, Path::new("/srv/kim"));
    }

    #[test]
    fn names_have_the_default_domain() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), "[server]\ndefault_domain = Example.org\n");
        for typed in ["ann", "Ann@example.org"] {
            assert_eq!(by_name(typed, &config).unwrap().name, "ann@example.org");
        }
        assert_eq!(by_name("JOE@example.org", &config).unwrap().name, "joe");
    }

    #[test]
    fn the_place_is_that_of_the_accounts_own_name() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(
            dir.path(),
            "[mail]\nindex_dir = /i/%u\n[user joe]\nmaildir = /own/%u\n",
        );
        let account = super::super::placed(by_name("JOE", &config).unwrap(), &config).unwrap();
        assert_eq!(account.maildir, Path::new("/own/joe"));
        assert_eq!(account.index_dir.as_deref(), Some(Path::new("/i/joe")));
    }
}
