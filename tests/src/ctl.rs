//! roostctl as the tests run it: with the configuration of their server, never
//! the machine's, as root or as somebody else.

use crate::process::{Finish, executables};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

// What it ends with (sysexits.h).
pub const OK: i32 = 0;
pub const USAGE: i32 = 64;
pub const DATAERR: i32 = 65;
pub const NOINPUT: i32 = 66;
pub const NOUSER: i32 = 67;
pub const UNAVAILABLE: i32 = 69;
pub const CANTCREAT: i32 = 73;
pub const IOERR: i32 = 74;
pub const TEMPFAIL: i32 = 75;
pub const NOPERM: i32 = 77;
pub const CONFIG: i32 = 78;

/// Who runs it, and for which server.
pub struct Roostctl {
    config: PathBuf,
    uid: Option<u32>,
}

impl Roostctl {
    /// For the server whose folder this is, running or not.
    pub fn of(dir: &Path) -> Self {
        Self {
            config: dir.join("roost.conf"),
            uid: None,
        }
    }

    /// As that user, in the groups that he has after a login.
    #[must_use]
    pub fn by(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    pub fn command(&self) -> Command {
        let program = executables().join("roostctl");
        let mut command = match self.uid {
            None => Command::new(program),
            Some(uid) => {
                let mut command = Command::new("setpriv");
                let uid = uid.to_string();
                command.args(["--reuid", &uid, "--regid", &uid, "--init-groups"]);
                command.arg(program);
                command
            }
        };
        command.arg("-c").arg(&self.config);
        command
    }

    pub fn run(&self, args: &[&str]) -> (i32, String) {
        told(self.command().args(args))
    }

    /// With something on its standard input.
    pub fn run_on(&self, args: &[&str], input: &str) -> (i32, String) {
        said(&self.command().args(args).finish_on(input).expect("its end"))
    }
}

/// Exit code and output of a program that ends by itself.
pub fn told(command: &mut Command) -> (i32, String) {
    said(&command.finish().expect("its end"))
}

/// Standard output, then the errors.
fn said(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8(text).expect("text");
    (output.status.code().unwrap_or(-1), text)
}
