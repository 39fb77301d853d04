//! Dovecot's own tool, for what stands in Dovecot's index alone. It runs as the
//! mail's owner and needs no running Dovecot.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use roost_types::{Keyword, Uid, UidSet};

use crate::account::Account;
use crate::child::{self, Trouble};
use crate::{Failure, exit};

/// Octets of UIDs in one command.
const MAX_UIDS: usize = 32 << 10;
/// Octets that it says at once, where that is kept.
const MAX_OUTPUT: usize = 64 << 20;
/// Octets of the flags of one message.
const MAX_LINE: usize = 1 << 20;
/// Without a word, before it is given up.
const SILENCE: Duration = Duration::from_secs(300);

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
        let mut output = Vec::new();
        doveconf.args(["-h", "mail_location"]);
        let ended = child::run(
            &mut doveconf,
            SILENCE,
            &mut child::up_to(MAX_OUTPUT, &mut output),
        );
        let ended = match ended {
            Ok(ended) => ended,
            Err(trouble) if trouble.is_missing() => return Ok(None),
            Err(trouble) => return Err(failed("doveconf", &trouble)),
        };
        let location = String::from_utf8_lossy(&output).trim().to_owned();
        doveadm.place = match ended.status.success() {
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
        command.envs(environment);
        command
    }

    /// Does it; an error is told in its own words. `partly`: some output is better
    /// than none.
    fn run(
        &self,
        words: &[&str],
        partly: bool,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), Failure> {
        let what = format!("doveadm {}", words.first().copied().unwrap_or_default());
        let mut command = self.command("doveadm");
        let mut some = false;
        let mut take = |chunk: &[u8]| {
            some = true;
            take(chunk)
        };
        command.args(&self.place).args(words);
        let ended = child::run(&mut command, SILENCE, &mut take).map_err(|e| failed(&what, &e))?;
        if ended.status.success() || (partly && some) {
            return Ok(());
        }
        let code = ended.code().unwrap_or(exit::UNAVAILABLE);
        Err(Failure::new(
            code,
            format!("{what}: {}", ended.errors.trim()),
        ))
    }

    /// Every keyword in the mailbox with this GUID, and who carries it. `messages`:
    /// there are some.
    ///
    /// # Errors
    /// `DATAERR` where it knows of none of them.
    pub fn keywords(&self, guid: &str, messages: bool) -> Result<Vec<(Keyword, UidSet)>, Failure> {
        let what = "uid flags";
        let words = [
            "-f",
            "tab",
            "fetch",
            "--",
            what,
            "mailbox-guid",
            guid,
            "all",
        ];
        let mut keywords = Keywords::default();
        self.run(&words, false, &mut |chunk| keywords.take(chunk))?;
        match messages && !keywords.any {
            true => Err(Failure::new(
                exit::DATAERR,
                format!("Dovecot finds no messages in the mailbox with the GUID {guid}"),
            )),
            false => Ok(keywords.all),
        }
    }

    /// Names of mailboxes, as Dovecot has them, by their GUIDs; of those that
    /// it can open.
    pub fn names(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut output = Vec::new();
        let words = ["-f", "tab", "mailbox", "status", "guid", "--", "*"];
        self.run(&words, true, &mut child::up_to(MAX_OUTPUT, &mut output))?;
        let text = String::from_utf8_lossy(&output);
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
                "--",
                keyword.as_str(),
                "mailbox-guid",
                guid,
                "uid",
                &listed,
            ];
            self.run(&words, false, &mut |_| true)?;
        }
        Ok(())
    }

    /// No change from now on has a number below `floor`.
    pub fn raise_modseq(&self, name: &str, floor: u64) -> Result<(), Failure> {
        let floor = floor.to_string();
        let option = "--min-highest-modseq";
        let words = ["mailbox", "update", option, &floor, "--", name];
        self.run(&words, false, &mut |_| true)
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

fn failed(what: &str, trouble: &Trouble) -> Failure {
    Failure::new(exit::OSERR, format!("{what}: {trouble}"))
}

/// Of `uid TAB flags`, below a heading.
#[derive(Default)]
struct Keywords {
    all: Vec<(Keyword, UidSet)>,
    /// There is a message, with keywords or not.
    any: bool,
    line: Vec<u8>,
    below_heading: bool,
}

impl Keywords {
    /// False where a line is too long.
    fn take(&mut self, chunk: &[u8]) -> bool {
        let mut pieces = chunk.split(|&b| b == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            self.line.extend_from_slice(piece);
            if self.line.len() > MAX_LINE {
                return false;
            }
            if pieces.peek().is_some() {
                let line = std::mem::take(&mut self.line);
                if std::mem::replace(&mut self.below_heading, true) {
                    self.message(&String::from_utf8_lossy(&line));
                }
            }
        }
        true
    }

    fn message(&mut self, line: &str) {
        let Some((uid, flags)) = line.split_once('\t') else {
            return;
        };
        let Some(uid) = uid.parse().ok().and_then(Uid::new) else {
            return;
        };
        self.any = true;
        for flag in flags.split(' ').filter(|flag| !flag.starts_with('\\')) {
            let Ok(keyword) = Keyword::new(flag) else {
                continue;
            };
            match self.all.iter_mut().find(|(known, _)| *known == keyword) {
                Some((_, uids)) => uids.insert(uid),
                None => {
                    let mut uids = UidSet::new();
                    uids.insert(uid);
                    self.all.push((keyword, uids));
                }
            }
        }
    }
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
        // However it comes.
        for size in 1..=text.len() {
            let mut keywords = Keywords::default();
            assert!(
                text.as_bytes()
                    .chunks(size)
                    .all(|chunk| keywords.take(chunk))
            );
            let seen = keywords.all.iter();
            let seen: Vec<String> = seen.map(|(k, uids)| format!("{k} {uids}")).collect();
            assert_eq!(seen, ["k1 1,3", "$Label1 1"]);
            assert!(keywords.any);
        }
        let mut none = Keywords::default();
        assert!(none.take(b"uid\tflags\n") && !none.any);
        assert!(!none.take(&vec![b'x'; MAX_LINE + 1]));
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
