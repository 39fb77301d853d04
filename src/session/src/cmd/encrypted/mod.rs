//! `ENCRYPTED data` of COPY, MOVE and APPEND: messages are stored so that only
//! the holder of a certificate can read them (S/MIME, see `roost_smime`).
//!
//! What is encrypted never lies in the destination, nor in its `tmp/`, as it
//! was.

pub(crate) mod append;
pub(super) mod copy;

use crate::error::Error;
use crate::session::Session;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roost_imap::ResponseCode;
use roost_imap::command::Encrypted;
use roost_smime::{CertificateError, Recipient};
use roost_types::UnixTime;
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Octets of a PEM file; a chain of certificates with a key has some 10 KiB.
const MAX_PEM: u64 = 256 << 10;

/// A user's own certificate, below the home directory.
const IN_HOME: &str = ".roost/smime.pem";

/// For whom a command's messages are to be encrypted.
pub(crate) fn recipient(session: &Session, data: &Encrypted) -> Result<Arc<Recipient>, Error> {
    let now = UnixTime::now();
    let recipient = match data {
        Encrypted::Certificate(der) => {
            Recipient::from_der(der, now).map_err(|error| match error {
                CertificateError::Undecodable => Error::Bad("Not a certificate"),
                error => unusable(error),
            })?
        }
        Encrypted::Own => Recipient::from_pem(&own_pem(session)?, now).map_err(unusable)?,
    };
    Ok(Arc::new(recipient))
}

/// The same, as an argument behind those of a command for another account: what
/// is the client's own is not known there.
pub(crate) fn argument(session: &Session, data: &Encrypted) -> Result<String, Error> {
    let recipient = recipient(session, data)?;
    Ok(format!(
        " ENCRYPTED {}",
        STANDARD.encode(recipient.certificate())
    ))
}

fn unusable(error: CertificateError) -> Error {
    cannot(error.to_string())
}

fn cannot(text: impl Into<Cow<'static, str>>) -> Error {
    Error::Refused {
        code: Some(ResponseCode::Cannot),
        text: text.into(),
    }
}

/// The user's own file before that of the administrator. Who asks for mail of
/// another account has no certificate there.
fn own_pem(session: &Session) -> Result<Vec<u8>, Error> {
    const NONE: &str = "No certificate of your own to encrypt with";
    if session.identity.asker.is_some() {
        return Err(cannot(NONE));
    }
    let home = session.home().map(|home| home.join(IN_HOME));
    let directory = session.settings.certificate_dir.as_deref();
    let kept = directory.and_then(|dir| in_directory(dir, &session.identity.user));
    for path in home.into_iter().chain(kept) {
        match read(&path) {
            Ok(text) => return Ok(text),
            Err(e) if is_absent(&e) => {}
            Err(e) => {
                log::warn!("{}: {e}", path.display());
                return Err(cannot("Your certificate cannot be read"));
            }
        }
    }
    Err(cannot(NONE))
}

/// `ACCOUNT.pem`; `None` where the name would lead elsewhere.
fn in_directory(directory: &Path, account: &str) -> Option<PathBuf> {
    let leads_elsewhere = account.is_empty() || account.contains(['/', '\0']);
    (!leads_elsewhere).then(|| directory.join(format!("{account}.pem")))
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::NotFound | K::NotADirectory)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a FIFO would wait for somebody who writes into it.
    let known = fs::metadata(path)?;
    if !known.is_file() || known.len() > MAX_PEM {
        return Err(io::Error::other("not a file with a certificate"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_PEM).read_to_end(&mut text)?;
    Ok(text)
}
