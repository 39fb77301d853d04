//! `dovecot-acl-list`: Dovecot's own memory of which mailboxes are shared
//! (MAILDIR-FORMATS §6.2). It makes the file anew where there is none.

use super::super::{Dir, FormatError};
use roost_os::file;
use std::io;

const FILE: &str = "dovecot-acl-list";

/// Has Dovecot look at all mailboxes again.
pub(crate) fn forget(root: &Dir) -> Result<(), FormatError> {
    match file::unlink(root, FILE.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(root.error(FILE, e)),
        _ => Ok(()),
    }
}
