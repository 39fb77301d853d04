//! The lines of a passwd-file: which of them Roost refuses.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;

use roost_accounts::{Defaults, Entry, LineError, Lines, knows_scheme, scheme_of};

use super::super::proposal::{Fate, Proposal};

/// Lines told one by one.
const MAX_TOLD: usize = 20;

pub fn look(proposal: &mut Proposal, path: &Path) {
    let setting = path.display().to_string();
    match refused(path) {
        Ok(lines) => {
            for (number, error) in lines.iter().take(MAX_TOLD) {
                let text = format!("{error}: who stands there does not get in");
                proposal.note(&format!("{setting} line {number}"), Fate::Blocks, &text);
            }
            if lines.len() > MAX_TOLD {
                let text = format!("{} more lines are refused", lines.len() - MAX_TOLD);
                proposal.note(&setting, Fate::Blocks, &text);
            }
        }
        // The configuration may be of another host.
        Err(e) if e.kind() == ErrorKind::NotFound => {
            proposal.note(
                &setting,
                Fate::Kept,
                "not here: its lines were not looked at",
            );
        }
        Err(e) => proposal.note(&setting, Fate::Blocks, &e.to_string()),
    }
}

/// Lines that name another place than `defaults`, which held for all.
pub fn look_for_places(proposal: &mut Proposal, path: &Path, defaults: &Defaults) {
    // Whether it can be read has been told.
    for number in other_places(path, defaults).unwrap_or_default() {
        let setting = format!("{} line {number}", path.display());
        let text = "uid, gid, home and userdb_mail count here, where Dovecot's static userdb \
                    did not look: take them out";
        proposal.note(&setting, Fate::Blocks, text);
    }
}

fn other_places(path: &Path, defaults: &Defaults) -> io::Result<Vec<usize>> {
    let mut lines = Lines::new(BufReader::new(File::open(path)?));
    let mut others = Vec::new();
    while let Some((number, line)) = lines.next()? {
        let parsed = line.map(|line| Entry::parse(line, true, password));
        let Some(Ok(Some(entry))) = parsed else {
            continue;
        };
        let home = defaults.home.as_ref();
        let home = home.and_then(|home| home.expand(&entry.name, Path::new("")).ok());
        let is_other = entry.uid.is_some() && entry.uid != defaults.uid
            || entry.gid.is_some() && entry.gid != defaults.gid
            || entry.home.is_some() && entry.home != home
            || entry.mail.is_some();
        if is_other && others.len() < MAX_TOLD {
            others.push(number);
        }
    }
    Ok(others)
}

/// The names that stand in a file, if `deny_users` can have them all.
pub fn names(path: &Path) -> Option<Vec<String>> {
    /// As many as a list in `roost.conf` bears well.
    const MAX_NAMES: usize = 256;
    let mut lines = Lines::new(BufReader::new(File::open(path).ok()?));
    let mut names = Vec::new();
    while let Some((_, line)) = lines.next().ok()? {
        let line = std::str::from_utf8(line?).ok()?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split(':').next().unwrap_or_default();
        let good = |c: char| c.is_alphanumeric() || "._-+@".contains(c);
        if name.is_empty() || !name.chars().all(good) || names.len() >= MAX_NAMES {
            return None;
        }
        names.push(name.to_owned());
    }
    Some(names)
}

fn refused(path: &Path) -> io::Result<Vec<(usize, LineError)>> {
    let mut lines = Lines::new(BufReader::new(File::open(path)?));
    let mut refused = Vec::new();
    while let Some((number, line)) = lines.next()? {
        let parsed = match line {
            Some(line) => Entry::parse(line, true, password).map(drop),
            None => Err(LineError::TooLong),
        };
        if let Err(error) = parsed {
            refused.push((number, error));
        }
    }
    Ok(refused)
}

/// As far as it can be told without the authenticator.
fn password(field: &str) -> Result<(), String> {
    match scheme_of(field) {
        _ if field.is_empty() => Err("no password".to_owned()),
        Some(scheme) if !knows_scheme(scheme) => {
            let scheme: String = scheme.chars().take(40).collect();
            Err(format!("unsupported password scheme {scheme}"))
        }
        _ => Ok(()),
    }
}
