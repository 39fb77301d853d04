//! The account file in Dovecot's passwd-file format, read anew when it
//! changes.
//!
//! A line that cannot be used is skipped and reported with its number; the
//! other accounts keep working.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::sasl::scram::{DEFAULT_ITERATIONS, Secrets, hmac};
use crate::scheme::Stored;

use roost_accounts::{Defaults, LineError, Lines};

/// An account of the file, with a password that can be checked.
pub type Entry = roost_accounts::Entry<Stored>;

/// The most accounts taken from one file.
const MAX_ENTRIES: usize = 1_000_000;
/// Problems reported one by one after a reading; the rest are only counted.
const MAX_REPORTED: usize = 20;

/// The accounts of one reading of the file.
#[derive(Default)]
pub struct Table {
    by_name: HashMap<String, usize>,
    entries: Vec<Arc<Entry>>,
    problems: Vec<String>,
    skipped: usize,
    scram: ScramShape,
}

/// What SCRAM secrets look like in this file, so that made-up ones look alike.
#[derive(Clone, Copy)]
struct ScramShape {
    salt_len: usize,
    iterations: u32,
}

impl Default for ScramShape {
    fn default() -> Self {
        Self {
            salt_len: 16,
            iterations: DEFAULT_ITERATIONS,
        }
    }
}

impl Table {
    /// `lowercase` says whether case counts in names, `defaults` what is not in
    /// a line.
    pub fn read(input: impl BufRead, lowercase: bool, defaults: &Defaults) -> io::Result<Self> {
        let mut table = Self::default();
        let mut lines = Lines::new(input);
        let mut shaped = false;
        while let Some((number, line)) = lines.next()? {
            let parsed = match line {
                Some(line) => Entry::parse(line, lowercase, Stored::parse),
                None => Err(LineError::TooLong),
            };
            let filled = |entry: Option<Entry>| entry.map(|e| e.filled(defaults)).transpose();
            match parsed.and_then(filled) {
                Ok(Some(entry)) => {
                    if let (Stored::Scram(secrets), false) = (&entry.password, shaped) {
                        shaped = true;
                        table.scram = ScramShape {
                            salt_len: secrets.salt().len(),
                            iterations: secrets.iterations(),
                        };
                    }
                    table.add(number, entry);
                }
                Ok(None) => {}
                Err(error) => table.problem(number, &error),
            }
        }
        Ok(table)
    }

    fn add(&mut self, number: usize, entry: Entry) {
        if self.by_name.contains_key(&entry.name) {
            return self.problem(number, &LineError::Duplicate);
        }
        if self.entries.len() >= MAX_ENTRIES {
            return self.problem(number, &LineError::TooMany);
        }
        self.by_name.insert(entry.name.clone(), self.entries.len());
        self.entries.push(Arc::new(entry));
    }

    fn problem(&mut self, number: usize, error: &LineError) {
        self.skipped += 1;
        if self.problems.len() < MAX_REPORTED {
            self.problems.push(format!("line {number}: {error}"));
        }
    }

    /// The first of `keys` that is an account.
    pub fn find(&self, keys: impl Iterator<Item = String>) -> Option<Arc<Entry>> {
        keys.filter_map(|key| self.by_name.get(&key))
            .find_map(|&at| self.entries.get(at))
            .cloned()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// An account to check a password against in vain when there is no such
    /// account; always the same one for the same name, so that a name's
    /// answers take one time. `seed` is secret.
    pub fn decoy(&self, seed: &[u8; 32]) -> Option<Arc<Entry>> {
        let number = u64::from_le_bytes(*seed.first_chunk()?);
        let at = number.checked_rem(u64::try_from(self.entries.len()).ok()?)?;
        self.entries.get(usize::try_from(at).ok()?).cloned()
    }

    /// Secrets for an exchange about an account that has none. `key` is the
    /// server's secret.
    pub fn made_up_secrets(&self, key: &[u8], name: &str) -> Secrets {
        let seed = hmac(key, name.as_bytes());
        Secrets::unmatchable(&seed, self.scram.salt_len, self.scram.iterations)
    }

    /// Secrets for an account whose password is stored in clear, with the salt
    /// that the name would have if there were no such account.
    pub fn derived_secrets(&self, key: &[u8], name: &str, password: &[u8]) -> Secrets {
        let made_up = self.made_up_secrets(key, name);
        Secrets::derive(password, made_up.salt(), self.scram.iterations)
    }
}

/// What tells that the file is another one or has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// The file with what was last read of it. Calls block on the disk.
pub struct PasswdFile {
    path: PathBuf,
    lowercase: bool,
    defaults: Defaults,
    last: Mutex<Option<(Stamp, Arc<Table>)>>,
}

impl PasswdFile {
    pub fn new(path: impl Into<PathBuf>, lowercase: bool, defaults: Defaults) -> Self {
        Self {
            path: path.into(),
            lowercase,
            defaults,
            last: Mutex::new(None),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this one reads the file as another one would.
    pub fn is(&self, path: &Path, lowercase: bool, defaults: &Defaults) -> bool {
        self.path == path && self.lowercase == lowercase && self.defaults == *defaults
    }

    /// The accounts as of now; costs one `stat` while nothing changes.
    pub fn current(&self) -> io::Result<Arc<Table>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&std::fs::metadata(&self.path)?);
        if let Some((seen, table)) = &*last
            && *seen == stamp
        {
            return Ok(Arc::clone(table));
        }
        let file = File::open(&self.path)?;
        let stamp = Stamp::of(&file.metadata()?);
        let table = Arc::new(Table::read(
            BufReader::new(file),
            self.lowercase,
            &self.defaults,
        )?);
        self.report(&table);
        *last = Some((stamp, Arc::clone(&table)));
        Ok(table)
    }

    fn report(&self, table: &Table) {
        let path = self.path.display();
        for problem in &table.problems {
            log::warn!("{path}: {problem}");
        }
        if table.skipped > table.problems.len() {
            let more = table.skipped - table.problems.len();
            log::warn!("{path}: {more} more lines skipped");
        }
        log::info!("{path}: {} accounts read", table.len());
    }
}

#[cfg(test)]
mod tests;
