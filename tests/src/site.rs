//! Users whose mail all has one uid, so that Dovecot can show one's mailboxes
//! to others, in homes that outlive a server: several serve them in turns.

use crate::dovecot::{Dovecot, Layout};
use crate::maildir;
use crate::roost::{Roost, Setup, folder, mail_owner};
use std::fs;
use std::io;
use std::path::PathBuf;

pub struct Site {
    pub dir: tempfile::TempDir,
    pub homes: PathBuf,
}

impl Site {
    pub fn new(users: &[&str]) -> io::Result<Self> {
        let dir = folder();
        let homes = dir.path().join("homes");
        for user in [""].iter().chain(users) {
            let home = homes.join(user);
            fs::create_dir_all(&home)?;
            maildir::give(&home);
        }
        Ok(Self { dir, homes })
    }

    pub fn maildir(&self, user: &str) -> PathBuf {
        self.homes.join(user).join("Maildir")
    }

    /// Its users are those of `setup`.
    pub fn roost(&self, setup: Setup) -> io::Result<Roost> {
        let homes = Some(self.homes.clone());
        Roost::start(self.dir.path(), &Setup { homes, ..setup })
    }

    pub fn dovecot(&self, extra: &str) -> io::Result<Dovecot> {
        let (uid, gid) = mail_owner();
        let layout = Layout {
            homes: &self.homes,
            uid,
            gid,
            extra,
        };
        Dovecot::start(self.dir.path(), &layout)
    }
}
