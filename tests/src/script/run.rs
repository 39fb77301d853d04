//! Playing a conversation against a server.

use super::parse::{Script, Step, StepKind};
use super::pattern::{Vars, matches, normalize, normalize_pattern};
use crate::client::{Answer, Client};
use crate::mail;
use crate::process::{Finish, executables};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// Where a conversation is played, as whom.
pub struct Target<'a> {
    /// `roost` or the peer's name, as in the scripts' head lines.
    pub server: &'a str,
    pub addr: SocketAddr,
    pub user: &'a str,
    pub password: &'a str,
    /// Of the server, for `roostctl`.
    pub config: Option<&'a Path>,
}

/// What became of a conversation.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// The peer lacks a capability.
    LeftOut(String),
}

struct Party {
    client: Client,
    open: VecDeque<String>,
    last: Option<Answer>,
    /// Indexes of the last answer's responses that were expected.
    used: Vec<usize>,
}

pub fn run(script: &Script, target: &Target<'_>) -> Result<Outcome, String> {
    let at =
        |line: usize, what: String| format!("{}:{line} ({}): {what}", script.file, script.name);
    let mut setup = Client::login(target.addr, target.user, target.password)
        .map_err(|e| at(script.line, format!("cannot log in: {e}")))?;
    let capability = setup
        .ok("CAPABILITY")
        .map_err(|e| at(script.line, e.to_string()))?;
    let has: Vec<String> = capability
        .lines()
        .flat_map(|l| {
            l.split_whitespace()
                .map(str::to_uppercase)
                .collect::<Vec<_>>()
        })
        .collect();
    if let Some(lack) = script
        .needs
        .iter()
        .find(|n| !has.contains(&n.to_uppercase()))
    {
        return Ok(Outcome::LeftOut(lack.clone()));
    }
    fill(&mut setup, &script.mail).map_err(|e| at(script.line, e.to_string()))?;
    let _ = setup.command("LOGOUT");
    drop(setup);

    let mut parties = BTreeMap::new();
    let mut vars = credentials(target);
    let users = script.users.values();
    vars.extend(users.map(|user| (user.name.clone(), user.account(target.user))));
    for step in &script.steps {
        let user = match script.users.get(&step.session) {
            Some(user) => user.account(target.user),
            None => target.user.to_owned(),
        };
        if let StepKind::Ctl(text) = &step.kind {
            ctl(target, &user, &substitute(text, &vars)).map_err(|what| at(step.line, what))?;
            continue;
        }
        if !matches!(step.kind, StepKind::Pipelined(_) | StepKind::Raw(_)) {
            flush(&mut parties).map_err(|e| at(step.line, e.to_string()))?;
        }
        let party = match parties.entry(step.session) {
            std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
            std::collections::btree_map::Entry::Vacant(e) => {
                let client = if script.no_login {
                    Client::connect(target.addr)
                } else {
                    Client::login(target.addr, &user, target.password)
                };
                let client = client.map_err(|e| at(step.line, e.to_string()))?;
                let greeting = Answer {
                    untagged: vec![client.greeting.clone().into_bytes()],
                    tagged: String::new(),
                };
                e.insert(Party {
                    client,
                    open: VecDeque::new(),
                    last: Some(greeting),
                    used: Vec::new(),
                })
            }
        };
        play(party, step, &mut vars).map_err(|what| at(step.line, what))?;
    }
    Ok(Outcome::Passed)
}

/// `roostctl` with what stands in the script, for one account.
fn ctl(target: &Target<'_>, user: &str, text: &str) -> Result<(), String> {
    let config = target
        .config
        .ok_or("there is no roostctl for this server")?;
    let output = Command::new(executables().join("roostctl"))
        .arg("-c")
        .arg(config)
        .args(["-u", user])
        .args(text.split_whitespace())
        .finish()
        .map_err(|e| e.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// What is sent without waiting goes out in one packet.
fn flush(parties: &mut BTreeMap<char, Party>) -> io::Result<()> {
    parties.values_mut().try_for_each(|p| p.client.flush())
}

/// The variables that every conversation has: who it is played as, and the
/// same in base64 as SASL mechanisms send it.
fn credentials(target: &Target<'_>) -> Vars {
    let (user, password) = (target.user, target.password);
    let encode = |text: &str| BASE64_STANDARD.encode(text);
    [
        ("user", user.to_owned()),
        ("password", password.to_owned()),
        ("user64", encode(user)),
        ("password64", encode(password)),
        ("plain", encode(&format!("\0{user}\0{password}"))),
        (
            "plain_as_self",
            encode(&format!("{user}\0{user}\0{password}")),
        ),
        (
            "plain_as_root",
            encode(&format!("root\0{user}\0{password}")),
        ),
        ("plain_wrong", encode(&format!("\0{user}\0wrong"))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Messages with fixed dates, one for each day from 11 January 2024.
fn fill(client: &mut Client, names: &[String]) -> io::Result<()> {
    let mut day = 10;
    for name in names {
        for message in mail::named(name).map_err(io::Error::other)? {
            day += 1;
            let date = format!("\"{day:2}-Jan-2024 10:00:00 +0000\"");
            let answer = client.append("INBOX", &date, &message)?;
            if !answer.ok() {
                return Err(io::Error::other(format!("setup APPEND: {}", answer.tagged)));
            }
        }
    }
    Ok(())
}

fn play(party: &mut Party, step: &Step, vars: &mut Vars) -> Result<(), String> {
    let io = |e: io::Error| e.to_string();
    match &step.kind {
        StepKind::Command(text) => {
            let tag = transmit(party, text, vars, true)?;
            party.client.flush().map_err(io)?;
            let answer = party.client.wait(&tag).map_err(io)?;
            party.used = vec![];
            party.last = Some(answer);
        }
        StepKind::Pipelined(text) => {
            let tag = transmit(party, text, vars, true)?;
            party.open.push_back(tag);
        }
        StepKind::Raw(text) => {
            transmit(party, text, vars, false)?;
        }
        StepKind::Expect(pattern) => expect(party, pattern, vars)?,
        StepKind::Never(pattern) => never(party, pattern, vars)?,
        StepKind::NothingElse => nothing_else(party)?,
        StepKind::Tagged(pattern) => {
            let last = party.last.as_ref().ok_or("no answer yet")?;
            tagged(pattern, &last.tagged, vars)?;
        }
        StepKind::Wait(pattern) => {
            let pattern = normalize_pattern(pattern);
            let mut seen = Vec::new();
            loop {
                let response = party
                    .client
                    .response()
                    .map_err(|e| format!("waiting for {pattern}: {e}; came: {seen:?}"))?;
                let text = normalize(&response);
                if matches(&pattern, &text, vars) {
                    break;
                }
                seen.push(text);
            }
        }
        StepKind::WaitTagged(pattern) => {
            let tag = party.open.pop_front().ok_or("no command is open")?;
            let answer = party.client.wait(&tag).map_err(io)?;
            tagged(pattern, &answer.tagged, vars)?;
            party.used = vec![];
            party.last = Some(answer);
        }
        StepKind::Closed => {
            if !party.client.is_closed_by_server() {
                return Err("the connection is still open".into());
            }
        }
        // Of no connection; see `run`.
        StepKind::Ctl(_) => {}
    }
    Ok(())
}

/// Has `text` sent with variables and `{{message}}` literals filled in, with
/// the next flush.
fn transmit(party: &mut Party, text: &str, vars: &Vars, with_tag: bool) -> Result<String, String> {
    let mut line = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let (head, tail) = rest.split_at(open);
        let (inner, after) = tail[2..].split_once("}}").ok_or("`{{` without `}}`")?;
        line.extend_from_slice(substitute(head, vars).as_bytes());
        let (binary, inner) = match inner.strip_prefix('~') {
            Some(i) => ("~", i),
            None => ("", inner),
        };
        let content = mail::inline(&substitute(inner, vars))?;
        line.extend_from_slice(format!("{binary}{{{}+}}\r\n", content.len()).as_bytes());
        line.extend_from_slice(&content);
        rest = after;
    }
    line.extend_from_slice(substitute(rest, vars).as_bytes());
    Ok(if with_tag {
        party.client.queue(&line)
    } else {
        line.extend_from_slice(b"\r\n");
        party.client.queue_raw(&line);
        String::new()
    })
}

fn substitute(text: &str, vars: &Vars) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let name_end = rest[at + 1..]
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map_or(rest.len(), |i| at + 1 + i);
        match vars.get(&rest[at + 1..name_end]) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[at..name_end]),
        }
        rest = &rest[name_end..];
    }
    out + rest
}

fn expect(party: &mut Party, pattern: &str, vars: &mut Vars) -> Result<(), String> {
    let last = party.last.as_ref().ok_or("no answer yet")?;
    let wanted = normalize_pattern(pattern);
    let found = last
        .untagged
        .iter()
        .enumerate()
        .find(|(i, r)| !party.used.contains(i) && matches(&wanted, &normalize(r), vars));
    match found {
        Some((i, _)) => {
            party.used.push(i);
            Ok(())
        }
        None => Err(format!("expected {wanted}\n  came: {}", shown(last))),
    }
}

fn never(party: &Party, pattern: &str, vars: &Vars) -> Result<(), String> {
    let last = party.last.as_ref().ok_or("no answer yet")?;
    let unwanted = normalize_pattern(pattern);
    let hit = last
        .untagged
        .iter()
        .any(|r| matches(&unwanted, &normalize(r), &mut vars.clone()));
    if hit {
        return Err(format!(
            "must not come: {unwanted}\n  came: {}",
            shown(last)
        ));
    }
    Ok(())
}

fn nothing_else(party: &Party) -> Result<(), String> {
    let last = party.last.as_ref().ok_or("no answer yet")?;
    let extra: Vec<_> = last
        .untagged
        .iter()
        .enumerate()
        .filter(|(i, _)| !party.used.contains(i))
        .map(|(_, r)| normalize(r))
        .collect();
    if extra.is_empty() {
        Ok(())
    } else {
        Err(format!("not expected: {extra:?}"))
    }
}

fn tagged(pattern: &str, found: &str, vars: &mut Vars) -> Result<(), String> {
    let wanted = normalize_pattern(&format!("{pattern}..."));
    if matches(&wanted, &normalize(found.as_bytes()), vars) {
        Ok(())
    } else {
        Err(format!("expected {pattern}, tagged response is {found}"))
    }
}

fn shown(answer: &Answer) -> String {
    let mut lines: Vec<_> = answer.untagged.iter().map(|r| normalize(r)).collect();
    lines.push(answer.tagged.clone());
    lines.join("\n        ")
}
