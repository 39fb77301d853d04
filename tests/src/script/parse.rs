//! Reading conversation files. Every complaint names file and line.

use std::collections::BTreeMap;
use std::path::Path;

/// One conversation: its head and its steps.
#[derive(Debug, Default)]
pub struct Script {
    pub file: String,
    pub line: usize,
    pub name: String,
    pub rfc: String,
    /// Capabilities without which the conversation is left out on a peer.
    pub needs: Vec<String>,
    /// Messages appended to INBOX beforehand.
    pub mail: Vec<String>,
    /// Peers that answer otherwise, and why.
    pub differs: BTreeMap<String, String>,
    /// Sessions start without login.
    pub no_login: bool,
    /// Whose sessions are not the conversation's own user's.
    pub users: BTreeMap<char, User>,
    /// Settings of the user's account, `key = value`; Roost only.
    pub settings: Vec<String>,
    pub steps: Vec<Step>,
}

/// Another user of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What the variable is called that has the account's name.
    pub name: String,
    /// The account is `name` itself, for all conversations one.
    pub common: bool,
    pub groups: Vec<String>,
}

impl User {
    /// The account, in a conversation that is played as `own`.
    pub fn account(&self, own: &str) -> String {
        match self.common {
            true => self.name.clone(),
            false => format!("{own}-{}", self.name),
        }
    }

    /// `BC bob staff,sales` or `P =public`.
    fn parse(text: &str) -> Option<(Vec<char>, Self)> {
        let mut words = text.split_whitespace();
        let sessions: Vec<char> = words.next()?.chars().collect();
        let name = words.next()?;
        let groups = words.next().unwrap_or_default().split(',');
        let user = Self {
            name: name.trim_start_matches('=').to_owned(),
            common: name.starts_with('='),
            groups: groups
                .filter(|g| !g.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        let fits = sessions.iter().all(char::is_ascii_uppercase) && words.next().is_none();
        fits.then_some((sessions, user))
    }
}

#[derive(Debug)]
pub struct Step {
    pub line: usize,
    pub session: char,
    pub kind: StepKind,
}

#[derive(Debug)]
pub enum StepKind {
    /// `A> command`: sent with a tag, answered before the next step.
    Command(String),
    /// `A>> command`: sent with a tag, not waited for.
    Pipelined(String),
    /// `A>~ bytes`: sent as it stands, no tag.
    Raw(String),
    /// `A: pattern`: among the untagged responses of the last answer.
    Expect(String),
    /// `A! pattern`: not among them.
    Never(String),
    /// `A.`: nothing else untagged came than what was expected.
    NothingElse,
    /// `A= OK [CODE] ...`: how the last answer's tagged response begins.
    Tagged(String),
    /// `A< pattern`: a response that comes by itself now.
    Wait(String),
    /// `A<= OK`: waits for the tagged response of the oldest open command.
    WaitTagged(String),
    /// `A closed`: the server has ended this connection.
    Closed,
    /// `A$ lock set Work`: `roostctl` on the account of the session's user.
    Ctl(String),
}

pub fn parse_file(path: &Path) -> Result<Vec<Script>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let file = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut scripts: Vec<Script> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let number = i + 1;
        let fail = |what: &str| Err(format!("{file}:{number}: {what}"));
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("test:") {
            scripts.push(Script {
                file: file.clone(),
                line: number,
                name: name.trim().to_owned(),
                ..Script::default()
            });
            continue;
        }
        let Some(script) = scripts.last_mut() else {
            return fail("a conversation begins with `test: NAME`");
        };
        if head(script, line) {
            continue;
        }
        match step(line) {
            Some((session, kind)) => script.steps.push(Step {
                line: number,
                session,
                kind,
            }),
            None => return fail("neither a head line nor a step"),
        }
    }
    if let Some(s) = scripts
        .iter()
        .find(|s| s.steps.is_empty() || s.rfc.is_empty())
    {
        return Err(format!("{file}:{}: no steps or no `rfc:` line", s.line));
    }
    Ok(scripts)
}

fn head(script: &mut Script, line: &str) -> bool {
    let Some((key, value)) = line.split_once(": ") else {
        return false;
    };
    let value = value.trim();
    let words = || {
        value
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    match key {
        "rfc" => script.rfc = value.to_owned(),
        "needs" => script.needs.extend(words()),
        "mail" => script.mail.extend(words()),
        "dovecot" | "roost" => {
            script.differs.insert(key.to_owned(), value.to_owned());
        }
        "login" if value == "no" => script.no_login = true,
        "user" => match User::parse(value) {
            Some((sessions, user)) => {
                let users = sessions.into_iter().map(|s| (s, user.clone()));
                script.users.extend(users);
            }
            None => return false,
        },
        "setting" => script.settings.push(value.to_owned()),
        _ => return false,
    }
    true
}

fn step(line: &str) -> Option<(char, StepKind)> {
    let session = line.chars().next().filter(char::is_ascii_uppercase)?;
    let rest = &line[1..];
    let after = |prefix: &str| {
        rest.strip_prefix(prefix)
            .map(|t| t.strip_prefix(' ').unwrap_or(t).to_owned())
    };
    let kind = if let Some(t) = after(">>") {
        StepKind::Pipelined(t)
    } else if let Some(t) = after(">~") {
        StepKind::Raw(t)
    } else if let Some(t) = after(">") {
        StepKind::Command(t)
    } else if let Some(t) = after("<=") {
        StepKind::WaitTagged(t)
    } else if let Some(t) = after("<") {
        StepKind::Wait(t)
    } else if let Some(t) = after(":") {
        StepKind::Expect(t)
    } else if let Some(t) = after("!") {
        StepKind::Never(t)
    } else if let Some(t) = after("=") {
        StepKind::Tagged(t)
    } else if let Some(t) = after("$") {
        StepKind::Ctl(t)
    } else if rest == "." {
        StepKind::NothingElse
    } else if rest == " closed" {
        StepKind::Closed
    } else {
        return None;
    };
    Some((session, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_file_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.imap");
        std::fs::write(&path, "test: a\nrfc: RFC 9051 §1\nA> NOOP\nwhat\n").unwrap();
        assert!(parse_file(&path).unwrap_err().starts_with("x.imap:4:"));
        std::fs::write(&path, "A> NOOP\n").unwrap();
        assert!(parse_file(&path).unwrap_err().starts_with("x.imap:1:"));
    }

    #[test]
    fn users_of_sessions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.imap");
        let head = "test: a\nrfc: RFC 9051 §1\n";
        let steps = "A> NOOP\n";
        let users = "user: BC bob staff,sales\nuser: P =public\nsetting: quota_messages = 1\n";
        std::fs::write(&path, format!("{head}{users}{steps}")).unwrap();
        let script = parse_file(&path).unwrap().remove(0);
        assert_eq!(script.users[&'B'], script.users[&'C']);
        assert_eq!(script.users[&'B'].account("c1"), "c1-bob");
        assert_eq!(script.users[&'B'].groups, ["staff", "sales"]);
        assert_eq!(script.users[&'P'].account("c1"), "public");
        assert_eq!(script.settings, ["quota_messages = 1"]);
        std::fs::write(&path, format!("{head}user: b bob\n{steps}")).unwrap();
        assert!(parse_file(&path).unwrap_err().starts_with("x.imap:3:"));
    }

    #[test]
    fn steps_of_every_kind() {
        for (line, ok) in [
            ("A> NOOP", true),
            ("B>> IDLE", true),
            ("B>~ DONE", true),
            ("A. ", false),
            ("A.", true),
            ("A closed", true),
            ("A$ lock set Work", true),
            ("a> x", false),
        ] {
            assert_eq!(step(line).is_some(), ok, "{line}");
        }
    }
}
