//! Who shares mailboxes with whom, so that `LIST "" "~%"` need not look into
//! every home.
//!
//! A hint and no more: what somebody may see, the owner's worker says. It is
//! kept in a text file, which `roostctl acl rebuild` makes anew.

mod file;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roost_os::dir;
use tokio::sync::Notify;

/// Octets of an account's name or an identifier.
const MAX_NAME: usize = 255;
/// Identifiers of one account.
const MAX_IDENTIFIERS: usize = 1000;
/// Lines of the file.
const MAX_LINES: usize = 1_000_000;
/// Answers to one question.
const MAX_OWNERS: usize = 1000;
/// Owners looked at with each of the asker's identifiers: nothing else is done
/// meanwhile.
const MAX_VISITED: usize = 20_000;
/// Changes that come so close together are written at once.
const PAUSE: Duration = Duration::from_millis(200);

/// The registry; clones are the same one.
#[derive(Clone)]
pub struct Shares(Arc<Shared>);

struct Shared {
    dir: PathBuf,
    table: Mutex<Table>,
    changed: Notify,
}

#[derive(Default)]
struct Table {
    by_owner: BTreeMap<String, BTreeSet<String>>,
    /// By [`key`].
    by_identifier: HashMap<String, BTreeSet<String>>,
    lines: usize,
    /// Of accounts whose names have none.
    default_domain: Option<String>,
    /// Something is not in the file yet.
    dirty: bool,
}

/// Who asks.
pub struct Asker<'a> {
    /// The canonical name of the account.
    pub account: &'a str,
    pub groups: &'a [String],
}

impl Shares {
    /// Reads the file in `dir`. What cannot be read is logged: there is
    /// service without it.
    pub fn load(dir: PathBuf, default_domain: Option<&str>) -> Self {
        let mut table = Table {
            default_domain: default_domain.map(str::to_owned),
            ..Table::default()
        };
        match file::read(&dir) {
            Ok(lines) => {
                for (owner, identifier) in lines {
                    table.add(&owner, &identifier);
                }
            }
            Err(error) => log::error!("{}: {error}", dir.join(file::NAME).display()),
        }
        Self(Arc::new(Shared {
            dir,
            table: Mutex::new(table),
            changed: Notify::new(),
        }))
    }

    /// Writes changes down, for ever.
    pub async fn keep(self) {
        loop {
            self.0.changed.notified().await;
            tokio::time::sleep(PAUSE).await;
            let shares = self.clone();
            // A panic there is logged, and the next change tries again.
            let _ = tokio::task::spawn_blocking(move || shares.flush()).await;
        }
    }

    /// Writes changes down now; blocks.
    pub fn flush(&self) {
        let text = {
            let mut table = self.lock();
            if !std::mem::take(&mut table.dirty) {
                return;
            }
            file::text(table.by_owner.iter())
        };
        if let Err(error) = dir::open(&self.0.dir).and_then(|dir| file::write(&dir, &text)) {
            log::error!("{}: {error}", self.0.dir.join(file::NAME).display());
            self.lock().dirty = true;
        }
    }

    /// From now on `owner` shares with these and nobody else.
    pub fn set(&self, owner: &str, identifiers: &[String]) {
        if !is_name(owner) {
            return;
        }
        let mut table = self.lock();
        let wanted: BTreeSet<String> = identifiers
            .iter()
            .filter_map(|text| normal(text))
            .take(MAX_IDENTIFIERS)
            .collect();
        let known = table.by_owner.get(owner);
        if known.map_or(wanted.is_empty(), |known| *known == wanted) {
            return;
        }
        table.remove(owner);
        for identifier in &wanted {
            table.add(owner, identifier);
        }
        table.dirty = true;
        drop(table);
        self.0.changed.notify_one();
    }

    /// Names without a domain have another one from now on.
    pub fn set_default_domain(&self, domain: Option<&str>) {
        let mut table = self.lock();
        if table.default_domain.as_deref() == domain {
            return;
        }
        let old = std::mem::take(&mut *table);
        table.default_domain = domain.map(str::to_owned);
        table.dirty = old.dirty;
        for (owner, identifiers) in &old.by_owner {
            for identifier in identifiers {
                table.add(owner, identifier);
            }
        }
    }

    /// Nobody shares anything any more.
    pub fn forget(&self) {
        let mut table = self.lock();
        *table = Table {
            dirty: true,
            default_domain: table.default_domain.take(),
            ..Table::default()
        };
        drop(table);
        self.0.changed.notify_one();
    }

    /// The owners who share something with the asker, as it would write them;
    /// sorted. Not those who take from it all that they give.
    pub fn with(&self, asker: &Asker<'_>) -> Vec<String> {
        let table = self.lock();
        let own = parts(asker.account).1;
        let (given, denied) = table.owners(asker);
        let mut found = BTreeSet::new();
        for owners in given {
            let owners = owners
                .iter()
                .take(MAX_VISITED)
                .filter(|owner| *owner != asker.account)
                .filter(|owner| !denied.iter().any(|denied| denied.contains(*owner)))
                .map(|owner| match parts(owner) {
                    (local, of) if of == own => local.to_owned(),
                    _ => owner.clone(),
                });
            found.extend(owners.take(MAX_OWNERS));
        }
        found.into_iter().take(MAX_OWNERS).collect()
    }

    /// Whether `owner`, by the canonical name, is one of [`with`](Self::with).
    pub fn is_shared(&self, owner: &str, asker: &Asker<'_>) -> bool {
        let table = self.lock();
        let (given, denied) = table.owners(asker);
        let has = |all: &[&BTreeSet<String>]| all.iter().any(|owners| owners.contains(owner));
        has(&given) && !has(&denied)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The owners who give the asker something, and those who take something
    /// from it, for each of its identifiers.
    fn owners(&self, asker: &Asker<'_>) -> (Vec<&BTreeSet<String>>, Vec<&BTreeSet<String>>) {
        let (local, own) = parts(asker.account);
        let domain = own.or(self.default_domain.as_deref());
        let mut keys = vec!["anyone".to_owned(), whole(local, domain)];
        keys.push(format!("anyone@{}", domain.unwrap_or_default()));
        keys.extend(asker.groups.iter().map(|group| format!("#{group}")));
        if let Some(domain) = domain {
            keys.extend(asker.groups.iter().map(|g| format!("#{g}@{domain}")));
        }
        let of = |key: &str| self.by_identifier.get(key);
        let given = keys.iter().filter_map(|key| of(key));
        let denied = keys.iter().filter_map(|key| of(&format!("-{key}")));
        (given.collect(), denied.collect())
    }

    fn add(&mut self, owner: &str, identifier: &str) {
        if self.lines >= MAX_LINES {
            return;
        }
        let identifiers = self.by_owner.entry(owner.to_owned()).or_default();
        if identifiers.insert(identifier.to_owned()) {
            self.lines += 1;
            let key = self.key(owner, identifier);
            let owners = self.by_identifier.entry(key);
            owners.or_default().insert(owner.to_owned());
        }
    }

    fn remove(&mut self, owner: &str) {
        for identifier in self.by_owner.remove(owner).unwrap_or_default() {
            self.lines -= 1;
            let key = self.key(owner, &identifier);
            if let Some(owners) = self.by_identifier.get_mut(&key) {
                owners.remove(owner);
                if owners.is_empty() {
                    self.by_identifier.remove(&key);
                }
            }
        }
    }

    /// An identifier of `owner`'s as those are looked for whom it means: a name
    /// without a domain, and `anyone@`, are of the owner's.
    fn key(&self, owner: &str, identifier: &str) -> String {
        let name = identifier.strip_prefix('-').unwrap_or(identifier);
        let near = name == "anyone@" || name != "anyone" && !name.contains(['#', '@']);
        let domain = parts(owner).1.or(self.default_domain.as_deref());
        match domain {
            Some(_) if near => whole(identifier.trim_end_matches('@'), domain),
            _ => identifier.to_owned(),
        }
    }
}

/// A name with its domain.
fn whole(local: &str, domain: Option<&str>) -> String {
    match domain {
        Some(domain) => format!("{local}@{domain}"),
        None => local.to_owned(),
    }
}

/// Local part and domain.
fn parts(account: &str) -> (&str, Option<&str>) {
    match account.rsplit_once('@') {
        Some((local, domain)) => (local, Some(domain)),
        None => (account, None),
    }
}

/// One word of printable characters.
fn is_name(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    !text.is_empty() && text.len() <= MAX_NAME && !text.contains(odd)
}

/// An identifier in its one spelling, with the `-` of who is denied what others
/// get; `None` for what shares with nobody else,
/// and for what could not stand in the file. Groups may have spaces.
fn normal(text: &str) -> Option<String> {
    if let Some(denied) = text.strip_prefix('-') {
        let denied = normal(denied).filter(|name| !name.starts_with('-'))?;
        return Some(format!("-{denied}"));
    }
    let text = match text.split_once('=') {
        Some(("user", name)) => name.to_owned(),
        Some(("group" | "group-override", name)) => format!("#{name}"),
        _ if text == "authenticated" => "anyone".to_owned(),
        _ => text.to_owned(),
    };
    let good = !text.is_empty() && text.len() <= MAX_NAME && !text.contains(char::is_control);
    (good && text.trim() == text && text != "owner").then_some(text)
}

#[cfg(test)]
mod tests;
