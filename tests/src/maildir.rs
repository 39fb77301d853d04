//! Maildirs and deliveries of other programs, as the mail's owner has them.

use crate::mail;
use crate::roost::mail_owner;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

/// To the owner of virtual users' mail.
pub fn give(path: &Path) {
    let (uid, gid) = mail_owner();
    chown(path, Some(uid), Some(gid)).expect("a file of this test");
}

/// A mailbox without messages, with the folders above it.
pub fn make(folder: &Path) {
    for sub in ["", "cur", "new", "tmp"] {
        let dir = folder.join(sub);
        fs::create_dir_all(&dir).expect("a directory");
        give(&dir);
    }
}

/// As a delivery agent does it: into tmp, then by rename into new.
pub fn deliver(folder: &Path, n: u32) {
    let name = format!("18000000{n:02}.M1P1.agent");
    let tmp = folder.join("tmp").join(&name);
    fs::write(&tmp, mail::small(n)).expect("a file");
    give(&tmp);
    fs::rename(&tmp, folder.join("new").join(&name)).expect("its place");
}
