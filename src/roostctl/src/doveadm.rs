//! Dovecot's own tool, for what stands in Dovecot's index alone. It runs as the
//! mail's owner and needs no running Dovecot.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use roost_types::{Keyword, Uid, UidSet};

use crate::account::Account;
use crate::{Failure, exit};

/// Octets of UIDs in one command.
const MAX_UIDS: usize = 32 << 10;

pub struct Doveadm {
    config: Option<PathBuf>,
    environment: [(&'static str, OsString); 2],
    /// Where the account's mail is, whatever Dovecot's settings say.
    place: Vec<String>,
}

impl Doveadm {
    /// For one account, whose identity this process has taken on. `None` where
    /// there is no Dovecot.
    pub fn of(account: &Account, config: Option<&Path>) -> Result<Option<Self>, Failure> {
        let home = account.home.clone().unwrap_or_else(|| "/".into());
        let mut doveadm = Self {
            config: config.map(Path::to_owned),
            environment: [
                ("HOME", home.into_os_string()),
                ("USER", account.name.clone().into()),
            ],
            place: Vec::new(),
        };
        let path = account.maildir.display().to_string();
        let mut doveconf = doveadm.command("doveconf");
        let output = match doveconf.args(["-h", "mail_location"]).output() {
            Ok(output) => output,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Failure::new(exit::OSERR, format!("doveconf: {e}"))),
        };
        let location = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        doveadm.place = match output.status.success() {
            true => vec![
                "-o".into(),
                format!("mail_location={}", placed(&location, &path)),
            ],
            // 2.4 has no such setting.
            false => [
                "mail_driver=maildir".to_owned(),
                format!("mail_path={path}"),
            ]
            .into_iter()
            .flat_map(|setting| ["-o".to_owned(), setting])
            .collect(),
        };
        Ok(Some(doveadm))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(config) = &self.config {
            command.arg("-c").arg(config);
        }
        let environment = self.environment.iter().map(|(key, value)| (key, value));
        command.envs(environment).stdin(Stdio::null());
        command
    }

    /// What it prints; an error is told in its own words.
    pub fn run(&self, words: &[&str]) -> Result<String, Failure> {
        self.run_to(words, false)
    }

    /// `partly`: some output is better than none.
    fn run_to(&self, words: &[&str], partly: bool) -> Result<String, Failure> {
        let mut command = self.command("doveadm");
        let output = match command.args(&self.place).args(words).output() {
            Ok(output) => output,
            Err(e) => return Err(Failure::new(exit::OSERR, format!("doveadm: {e}"))),
        };
        let enough = output.status.success() || (partly && !output.stdout.is_empty());
        if !enough {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let code = output
                .status
                .code()
                .and_then(|code| u8::try_from(code).ok());
            let what = words.first().copied().unwrap_or_default();
            let text = format!("doveadm {what}: {said}");
            return Err(Failure::new(code.unwrap_or(exit::UNAVAILABLE), text));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Every keyword in the mailbox with this GUID, and who carries it.
    pub fn keywords(&self, guid: &str) -> Result<Vec<(Keyword, UidSet)>, Failure> {
        let words = [
            "-f",
            "tab",
            "fetch",
            "uid flags",
            "mailbox-guid",
            guid,
            "all",
        ];
        Ok(keywords(&self.run(&words)?))
    }

    /// Names of mailboxes, as Dovecot has them, by their GUIDs; of those that
    /// it can open.
    pub fn names(&self) -> Result<Vec<(String, String)>, Failure> {
        let text = self.run_to(&["-f", "tab", "mailbox", "status", "guid", "*"], true)?;
        let pairs = text.lines().skip(1).filter_map(|line| {
            let (name, guid) = line.rsplit_once('\t')?;
            Some((guid.to_owned(), untabbed(name)))
        });
        Ok(pairs.collect())
    }

    /// Adds or removes a keyword.
    pub fn mark(
        &self,
        guid: &str,
        act: &str,
        keyword: &Keyword,
        uids: &UidSet,
    ) -> Result<(), Failure> {
        for listed in lists(uids) {
            let words = [
                "flags",
                act,
                keyword.as_str(),
                "mailbox-guid",
                guid,
                "uid",
                &listed,
            ];
            self.run(&words)?;
        }
        Ok(())
    }

    /// No change from now on has a number below `floor`.
    pub fn raise_modseq(&self, name: &str, floor: u64) -> Result<(), Failure> {
        let floor = floor.to_string();
        self.run(&["mailbox", "update", "--min-highest-modseq", &floor, name])?;
        Ok(())
    }
}

/// Dovecot's location, with this path.
fn placed(location: &str, path: &str) -> String {
    let options = location
        .strip_prefix("maildir:")
        .map(|rest| rest.split_once(':'));
    match options.flatten() {
        Some((_, options)) => format!("maildir:{path}:{options}"),
        None => format!("maildir:{path}"),
    }
}

/// Of `uid TAB flags`, below a heading.
fn keywords(text: &str) -> Vec<(Keyword, UidSet)> {
    let mut all: Vec<(Keyword, UidSet)> = Vec::new();
    for line in text.lines().skip(1) {
        let Some((uid, flags)) = line.split_once('\t') else {
            continue;
        };
        let Some(uid) = uid.parse().ok().and_then(Uid::new) else {
            continue;
        };
        for flag in flags.split(' ').filter(|flag| !flag.starts_with('\\')) {
            let Ok(keyword) = Keyword::new(flag) else {
                continue;
            };
            match all.iter_mut().find(|(known, _)| *known == keyword) {
                Some((_, uids)) => uids.insert(uid),
                None => {
                    let mut uids = UidSet::new();
                    uids.insert(uid);
                    all.push((keyword, uids));
                }
            }
        }
    }
    all
}

/// `1:3,7`, in pieces that fit into a command line.
fn lists(uids: &UidSet) -> Vec<String> {
    let mut lists = Vec::new();
    let mut list = String::new();
    for (first, last) in uids.ranges() {
        if list.len() > MAX_UIDS {
            lists.push(std::mem::take(&mut list));
        }
        let comma = if list.is_empty() { "" } else { "," };
        list.push_str(&format!("{comma}{first}:{last}"));
    }
    if !list.is_empty() {
        lists.push(list);
    }
    lists
}

/// What stands for tabs in a column.
fn untabbed(text: &str) -> String {
    text.replace("\u{1}t", "\t").replace("\u{1}1", "\u{1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_as_doveadm_prints_them() {
        let text = "uid\tflags\n1\t\\Recent k1 $Label1\n3\tK1\n4\t\nx\ty\n";
        let seen: Vec<String> = keywords(text)
            .iter()
            .map(|(keyword, uids)| format!("{keyword} {uids}"))
            .collect();
        assert_eq!(seen, ["k1 1,3", "$Label1 1"]);
    }

    #[test]
    fn the_place_keeps_dovecots_options() {
        let placed = |location| placed(location, "/m/a");
        assert_eq!(
            placed("maildir:~/Maildir:INDEX=/i/%u"),
            "maildir:/m/a:INDEX=/i/%u"
        );
        assert_eq!(placed("maildir:~/Maildir"), "maildir:/m/a");
        assert_eq!(placed(""), "maildir:/m/a");
        assert_eq!(placed("mbox:~/mail:INBOX=/var/mail/%u"), "maildir:/m/a");
    }

    #[test]
    fn many_uids_are_several_lists() {
        let mut uids = UidSet::new();
        for uid in (1..60_000).step_by(2) {
            uids.insert(Uid::new(uid).unwrap());
        }
        let lists = lists(&uids);
        assert!(lists.len() > 1 && lists[0].starts_with("1:1,3:3,"));
        assert!(lists.iter().all(|list| list.len() < MAX_UIDS + 30));
    }
}
