//! A command for every account: each by a process of its own, which takes on
//! the owner's identity.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::Command;
use std::time::Duration;

use roost_os::identity;

use super::rebuild;
use crate::args::Common;
use crate::child::{self, Ended};
use crate::table::Table;
use crate::{Failure, account, exit, out};

/// Without a word; the process gives up those that it waits for before.
const SILENCE: Duration = Duration::from_secs(600);
/// Octets that are printed of one account.
const MAX_OUTPUT: usize = 256 << 20;

/// Root has named neither an account nor a Maildir.
pub fn is_meant(common: &Common) -> bool {
    common.user.is_none() && common.maildir.is_none() && identity::is_root()
}

/// What is not the same for a process that does it for one account: only that
/// there is no such mail, or no such account, has those codes.
pub fn of_one(done: Result<u8, Failure>) -> Result<u8, Failure> {
    done.map_err(|failure| failure.instead_of(&[exit::NOINPUT, exit::NOUSER], exit::IOERR))
}

/// What came of all.
struct Sum {
    code: u8,
    found: usize,
    without_mail: usize,
    incomplete: usize,
}

/// Accounts without mail are counted. Returns the worst of their codes, or `DATAERR` where no mail was found at all.
pub fn run(
    common: &Common,
    words: &[OsString],
    columns: &'static [&'static str],
) -> Result<u8, Failure> {
    let os = |e| Failure::new(exit::OSERR, e);
    let config = account::config(common)?;
    let program = std::env::current_exe().map_err(os)?;
    let mut table = Table::new(common.json, columns);
    let mut sum = Sum {
        code: exit::OK,
        found: 0,
        without_mail: 0,
        incomplete: 0,
    };
    for name in rebuild::accounts(&config)? {
        let mut command = Command::new(&program);
        command.args(words).arg("-u").arg(&name);
        if common.json {
            command.arg("--json");
        }
        if let Some(path) = &common.config {
            command.arg("-c").arg(path);
        }
        sum.add(&mut command, &name, SILENCE, &mut table);
    }
    table.end();
    Ok(sum.told())
}

impl Sum {
    /// One account more; one with which something is wrong holds up no other.
    fn add(&mut self, command: &mut Command, name: &str, silence: Duration, table: &mut Table) {
        let mut output = Vec::new();
        let ended = child::run(command, silence, &mut child::up_to(MAX_OUTPUT, &mut output));
        match ended {
            Ok(ended) => self.count(&ended),
            Err(trouble) => {
                out::tell(&format!("{name}: given up: {trouble}"));
                self.worse(exit::IOERR);
            }
        }
        table.rows_of(&String::from_utf8_lossy(&output));
    }

    fn count(&mut self, ended: &Ended) {
        match ended.code() {
            Some(exit::NOINPUT) => {
                self.without_mail += 1;
                return;
            }
            Some(exit::NOUSER) => {
                self.incomplete += 1;
                self.worse(exit::DATAERR);
            }
            Some(exit::OK) => self.found += 1,
            code => {
                self.found += 1;
                self.worse(code.unwrap_or(exit::IOERR));
            }
        }
        // Where nobody reads it, there is nobody to tell.
        let _ = io::stderr().write_all(ended.errors.as_bytes());
    }

    fn worse(&mut self, code: u8) {
        self.code = exit::worse(self.code, code);
    }

    fn told(&self) -> u8 {
        let mut parts = Vec::new();
        for (count, what) in [
            (self.without_mail, "without mail"),
            (self.incomplete, "incomplete"),
        ] {
            if count > 0 {
                parts.push(format!("{count} accounts {what}"));
            }
        }
        if !parts.is_empty() {
            out::tell(&parts.join(", "));
        }
        if self.found > 0 || self.code != exit::OK {
            return self.code;
        }
        out::tell("no account with mail was found");
        exit::DATAERR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[&str] = &["account"];
    const EVER: Duration = Duration::from_secs(3600);

    fn sum(scripts: &[(&str, Duration)]) -> Sum {
        let mut sum = Sum {
            code: exit::OK,
            found: 0,
            without_mail: 0,
            incomplete: 0,
        };
        let mut table = Table::new(true, COLUMNS);
        for (script, silence) in scripts {
            let mut command = Command::new("sh");
            sum.add(command.args(["-c", script]), "ann", *silence, &mut table);
        }
        sum
    }

    /// Nobody found is not everything in order.
    #[test]
    fn accounts_without_mail_are_counted() {
        let none = sum(&[("exit 66", EVER), ("exit 66", EVER)]);
        assert_eq!((none.found, none.without_mail), (0, 2));
        assert_eq!(none.told(), exit::DATAERR);
        assert_eq!(sum(&[]).told(), exit::DATAERR);
        let one = sum(&[("exit 66", EVER), ("exit 0", EVER)]);
        assert_eq!((one.found, one.told()), (1, exit::OK));
        let incomplete = sum(&[("exit 0", EVER), ("exit 67", EVER)]);
        assert_eq!(
            (incomplete.incomplete, incomplete.told()),
            (1, exit::DATAERR)
        );
    }

    #[test]
    fn one_that_is_stopped_holds_up_no_other() {
        let soon = Duration::from_millis(100);
        let sum = sum(&[("kill -STOP $$", soon), ("exit 0", EVER)]);
        assert_eq!((sum.found, sum.told()), (1, exit::IOERR));
    }

    /// A mailbox that has gone is not an account without mail.
    #[test]
    fn codes_of_accounts_are_theirs_alone() {
        for code in [exit::NOINPUT, exit::NOUSER] {
            let done = of_one(Err(Failure::new(code, "gone")));
            assert_eq!(done.err().map(|f| f.code), Some(exit::IOERR));
        }
        let done = of_one(Err(Failure::new(exit::TEMPFAIL, "locked")));
        assert_eq!(done.err().map(|f| f.code), Some(exit::TEMPFAIL));
    }
}
