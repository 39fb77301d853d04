//! A command for every account: each by a process of its own, which takes on
//! the owner's identity.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};

use roost_os::identity;

use super::rebuild;
use crate::args::Common;
use crate::table::Table;
use crate::{Failure, account, exit};

/// Root has named neither an account nor a Maildir.
pub fn is_meant(common: &Common) -> bool {
    common.user.is_none() && common.maildir.is_none() && identity::is_root()
}

/// Accounts without mail are left out. Returns the worst of their codes.
pub fn run(
    common: &Common,
    words: &[OsString],
    columns: &'static [&'static str],
) -> Result<u8, Failure> {
    let os = |e| Failure::new(exit::OSERR, e);
    let config = account::config(common)?;
    let program = std::env::current_exe().map_err(os)?;
    let mut table = Table::new(common.json, columns);
    let mut code = exit::OK;
    for name in rebuild::accounts(&config)? {
        let mut command = Command::new(&program);
        command.args(words).arg("-u").arg(&name);
        if common.json {
            command.arg("--json");
        }
        if let Some(path) = &common.config {
            command.arg("-c").arg(path);
        }
        let output = command.stdin(Stdio::null()).output().map_err(os)?;
        let own = output
            .status
            .code()
            .and_then(|code| u8::try_from(code).ok());
        match own {
            Some(exit::NOINPUT | exit::NOUSER) => continue,
            Some(exit::OK) => {}
            own => code = exit::worse(code, own.unwrap_or(exit::IOERR)),
        }
        // Where nobody reads it, there is nobody to tell.
        let _ = std::io::stderr().write_all(&output.stderr);
        table.rows_of(&String::from_utf8_lossy(&output.stdout));
    }
    table.end();
    Ok(code)
}
