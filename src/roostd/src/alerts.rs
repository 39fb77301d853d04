//! Texts that administrators have shown to clients as `[ALERT]`.
//!
//! One for an account goes when it has been shown, others stay until they are
//! removed. They are kept in a text file, so that none is lost.

mod file;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roost_ipc::{AlertKind, AlertRow};
use roost_types::UnixTime;

use crate::names::Names;

/// Alerts at once.
const MAX_ALERTS: usize = 1000;
/// Those for domains and for everybody, and those for one account: all for one
/// session fit one message.
const MAX_LASTING: usize = 50;
const MAX_OF_ACCOUNT: usize = 20;
/// Octets of a text: a line that every client reads.
const MAX_TEXT: usize = 400;
/// Octets of an account's name or a domain.
const MAX_NAME: usize = 255;

/// Clones are the same.
#[derive(Clone)]
pub struct Alerts(Arc<Shared>);

struct Shared {
    dir: PathBuf,
    table: Mutex<Table>,
    /// Held while the file is written, so that the newest is the last.
    writing: Mutex<()>,
}

#[derive(Default)]
struct Table {
    all: BTreeMap<u64, AlertRow>,
    last: u64,
    /// Something is not in the file yet.
    dirty: bool,
}

/// An account, as far as it matters whom an alert is for.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    pub account: &'a str,
    pub names: &'a Names,
}

impl Owner<'_> {
    pub fn gets(&self, alert: &AlertRow) -> bool {
        match alert.kind {
            AlertKind::Account => self.names.same(&alert.name, self.account),
            AlertKind::Domain => {
                let domain = self.names.domain(self.account);
                domain.is_some_and(|domain| domain.eq_ignore_ascii_case(&alert.name))
            }
            AlertKind::Server => true,
        }
    }
}

impl Alerts {
    /// Reads the file in `dir`, and writes it anew where it was damaged. What
    /// cannot be read is logged: there is service without it.
    pub fn load(dir: PathBuf) -> Self {
        let (rows, damaged) = file::read(&dir).unwrap_or_else(|error| {
            log::error!("{}: {error}", dir.join(file::NAME).display());
            (Vec::new(), false)
        });
        let all: BTreeMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
        let table = Table {
            last: all.keys().next_back().copied().unwrap_or(0),
            all,
            dirty: damaged,
        };
        let alerts = Self(Arc::new(Shared {
            dir,
            table: Mutex::new(table),
            writing: Mutex::new(()),
        }));
        // Logged where it fails, and tried again with the next change.
        let _ = alerts.flush();
        alerts
    }

    /// # Errors
    /// Why it cannot be.
    pub fn post(
        &self,
        kind: AlertKind,
        name: &str,
        text: &str,
        names: &Names,
    ) -> Result<AlertRow, &'static str> {
        let named = match kind {
            AlertKind::Server => name.is_empty(),
            AlertKind::Account | AlertKind::Domain => is_name(name),
        };
        if !named {
            return Err("that can be the name of no account or domain");
        }
        if !is_text(text) {
            return Err("the text must be one line of 1 to 400 octets without control characters");
        }
        let mut table = self.lock();
        let like = |row: &&AlertRow| match kind {
            AlertKind::Account => row.kind == kind && names.same(&row.name, name),
            AlertKind::Domain | AlertKind::Server => row.kind != AlertKind::Account,
        };
        let most = match kind {
            AlertKind::Account => MAX_OF_ACCOUNT,
            AlertKind::Domain | AlertKind::Server => MAX_LASTING,
        };
        if table.all.len() >= MAX_ALERTS || table.all.values().filter(like).count() >= most {
            return Err("there are too many alerts: remove some");
        }
        let id = table.last.saturating_add(1);
        let row = AlertRow {
            id,
            kind,
            name: names.spelled(name),
            posted: u64::try_from(UnixTime::now().0).unwrap_or(0),
            text: text.to_owned(),
        };
        table.last = id;
        table.all.insert(id, row.clone());
        table.dirty = true;
        Ok(row)
    }

    /// By number, the oldest first.
    pub fn all(&self) -> Vec<AlertRow> {
        self.lock().all.values().cloned().collect()
    }

    /// Those that a new session of the account is shown.
    pub fn of(&self, owner: Owner<'_>) -> Vec<AlertRow> {
        let table = self.lock();
        let meant = table.all.values().filter(|row| owner.gets(row));
        meant.cloned().collect()
    }

    /// False where there is none of that number.
    pub fn remove(&self, id: u64) -> bool {
        let mut table = self.lock();
        let there = table.all.remove(&id).is_some();
        table.dirty |= there;
        there
    }

    /// A session of the owner has shown it: true if it is over with that.
    pub fn shown(&self, id: u64, owner: Owner<'_>) -> bool {
        let own = |row: &AlertRow| row.kind == AlertKind::Account && owner.gets(row);
        let is_own = self.lock().all.get(&id).is_some_and(own);
        is_own && self.remove(id)
    }

    /// Writes changes down; blocks.
    pub fn flush(&self) -> io::Result<()> {
        let _writing = self
            .0
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let text = {
            let mut table = self.lock();
            if !std::mem::take(&mut table.dirty) {
                return Ok(());
            }
            file::text(table.all.values())
        };
        file::write(&self.0.dir, &text).inspect_err(|error| {
            log::error!("{}: {error}", self.0.dir.join(file::NAME).display());
            self.lock().dirty = true;
        })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One word of printable characters.
pub fn is_name(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    !text.is_empty() && text.len() <= MAX_NAME && !text.contains(odd)
}

fn is_text(text: &str) -> bool {
    let blank = text.trim().is_empty();
    !blank && text.len() <= MAX_TEXT && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn alerts() -> (tempfile::TempDir, Alerts) {
        let dir = tempfile::tempdir().unwrap();
        let alerts = Alerts::load(dir.path().to_owned());
        (dir, alerts)
    }

    fn names() -> Names {
        Names {
            default_domain: Some("Example.org".into()),
            lowercase: true,
        }
    }

    fn shown(alerts: &Alerts, id: u64, account: &str) -> bool {
        let names = &names();
        alerts.shown(id, Owner { account, names })
    }

    fn ids(alerts: &Alerts, account: &str) -> Vec<u64> {
        let names = &names();
        let rows = alerts.of(Owner { account, names });
        rows.iter().map(|row| row.id).collect()
    }

    #[test]
    fn everybody_gets_his_own() {
        let (dir, alerts) = alerts();
        alerts
            .post(AlertKind::Account, "alice", "one", &names())
            .unwrap();
        alerts
            .post(AlertKind::Domain, "example.ORG", "two", &names())
            .unwrap();
        alerts
            .post(AlertKind::Server, "", "three  \"3\"", &names())
            .unwrap();
        alerts.flush().unwrap();
        let again = Alerts::load(dir.path().to_owned());
        for alerts in [&alerts, &again] {
            assert_eq!(ids(alerts, "alice"), [1, 2, 3]);
            assert_eq!(ids(alerts, "bob@example.org"), [2, 3]);
            assert_eq!(ids(alerts, "alice@other.example"), [3]);
            assert_eq!(alerts.all()[2].text, "three  \"3\"");
        }
        assert!(!shown(&again, 1, "bob"), "not his");
        assert!(!shown(&again, 3, "alice"), "it stays");
        assert!(shown(&again, 1, "alice") && !shown(&again, 1, "alice"));
        assert!(again.remove(2) && !again.remove(2));
        again.flush().unwrap();
        let last = Alerts::load(dir.path().to_owned());
        assert_eq!(ids(&last, "alice"), [3]);
        let next = last.post(AlertKind::Server, "", "four", &names()).unwrap();
        assert_eq!(next.id, 4);
    }

    #[test]
    fn an_account_is_reached_by_each_of_its_names() {
        let (_dir, alerts) = alerts();
        for name in [
            "Alice",
            "alice@EXAMPLE.org",
            "bob@example.org",
            "alice@x.org",
        ] {
            alerts
                .post(AlertKind::Account, name, "text", &names())
                .unwrap();
        }
        assert_eq!(alerts.all()[0].name, "alice");
        assert_eq!(ids(&alerts, "alice"), [1, 2]);
        assert_eq!(ids(&alerts, "alice@example.org"), [1, 2]);
        assert_eq!(ids(&alerts, "bob"), [3]);
        assert!(shown(&alerts, 2, "alice"));
        assert!(!shown(&alerts, 4, "alice"), "another's");
        for _ in 1..MAX_OF_ACCOUNT {
            alerts
                .post(AlertKind::Account, "ALICE", "text", &names())
                .unwrap();
        }
        let many = alerts.post(AlertKind::Account, "alice@example.org", "text", &names());
        assert!(many.is_err());
    }

    #[test]
    fn what_would_break_a_line_is_refused() {
        let (_dir, alerts) = alerts();
        for text in ["", " ", "a\r\n* BYE", "\u{85}", &"x".repeat(401)] {
            assert!(
                alerts.post(AlertKind::Server, "", text, &names()).is_err(),
                "{text}"
            );
        }
        for name in ["", "a b", "a\n", &"x".repeat(256)] {
            let posted = alerts.post(AlertKind::Account, name, "text", &names());
            assert!(posted.is_err(), "{name}");
        }
        assert!(
            alerts
                .post(AlertKind::Server, "x", "text", &names())
                .is_err()
        );
        assert!(alerts.all().is_empty());
    }

    #[test]
    fn there_is_room_for_so_many() {
        let (_dir, alerts) = alerts();
        for n in 0..MAX_LASTING {
            let (kind, name) = match n % 2 {
                0 => (AlertKind::Server, ""),
                _ => (AlertKind::Domain, "d.example"),
            };
            alerts.post(kind, name, "text", &names()).unwrap();
        }
        assert!(
            alerts
                .post(AlertKind::Server, "", "text", &names())
                .is_err()
        );
        for _ in 0..MAX_OF_ACCOUNT {
            alerts
                .post(AlertKind::Account, "a", "text", &names())
                .unwrap();
        }
        assert!(
            alerts
                .post(AlertKind::Account, "a", "text", &names())
                .is_err()
        );
        alerts
            .post(AlertKind::Account, "b", "text", &names())
            .unwrap();
        assert!(ids(&alerts, "a").len() * (MAX_TEXT + 50) < 48 << 10);
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let (dir, _) = alerts();
        let good = "7 account alice 1763863922 all is well\n";
        let bad = [
            "x account alice 1 text",
            "1 someone alice 1 text",
            "1 server alice 1 text",
            "1 domain d.example x text",
            "1 account a 1",
            "",
        ];
        let text = format!("{good}{}\n", bad.join("\n"));
        fs::write(dir.path().join(file::NAME), &text).unwrap();
        let alerts = Alerts::load(dir.path().to_owned());
        assert_eq!(ids(&alerts, "alice"), [7]);
        assert_eq!(alerts.all().len(), 1);
        let aside = fs::read_to_string(dir.path().join("alerts.damaged")).unwrap();
        assert_eq!(aside, text);
        // Nothing has changed since; the next server has it, too.
        let again = Alerts::load(dir.path().to_owned());
        assert_eq!(ids(&again, "alice"), [7]);
        alerts
            .post(AlertKind::Server, "", "again", &names())
            .unwrap();
        alerts.flush().unwrap();
        assert_eq!(Alerts::load(dir.path().to_owned()).all().len(), 2);
    }
}
