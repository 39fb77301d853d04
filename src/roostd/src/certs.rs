//! Certificates: read, checked that the key belongs to them, and made where
//! none are configured. The bytes go to the gate as they stand in the files;
//! what is checked here is what an administrator gets wrong.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use roost_types::UnixTime;

/// Chains of a hundred certificates fit in.
const MAX_FILE: u64 = 1024 * 1024;

/// File names of the pair made at first start, in the state directory.
pub const SELF_SIGNED_CERTIFICATE: &str = "self-signed.crt";
pub const SELF_SIGNED_KEY: &str = "self-signed.key";
const LIFETIME_YEARS: i32 = 10;

/// Where a certificate chain and its key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A chain, leaf first, and its key: PEM.
pub struct Pair {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum CertError {
    #[error("{}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{}: longer than {MAX_FILE} octets", .0.display())]
    TooLong(PathBuf),
    #[error("{}: no PEM certificate in it", .0.display())]
    NoCertificate(PathBuf),
    #[error("{}: no PEM private key in it", .0.display())]
    NoKey(PathBuf),
    #[error("{}: this private key cannot be used: {error}", path.display())]
    BadKey { path: PathBuf, error: rcgen::Error },
    #[error("{}: the private key does not belong to {}", key.display(), certificate.display())]
    Mismatch { key: PathBuf, certificate: PathBuf },
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("{}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
}

/// Reads a pair and checks that it is one.
pub fn load(files: &Files) -> Result<Pair, CertError> {
    let certificate = read(&files.certificate)?;
    let leaf = rustls_pemfile::certs(&mut certificate.as_slice())
        .next()
        .and_then(Result::ok)
        .ok_or_else(|| CertError::NoCertificate(files.certificate.clone()))?;
    let key = read(&files.key)?;
    let private = rustls_pemfile::private_key(&mut key.as_slice())
        .ok()
        .flatten()
        .ok_or_else(|| CertError::NoKey(files.key.clone()))?;
    let pair = KeyPair::try_from(&private).map_err(|error| CertError::BadKey {
        path: files.key.clone(),
        error,
    })?;
    // A certificate contains its public key's bits as they are.
    let public = pair.der_bytes();
    if !leaf.windows(public.len()).any(|window| window == public) {
        return Err(CertError::Mismatch {
            key: files.key.clone(),
            certificate: files.certificate.clone(),
        });
    }
    Ok(Pair { certificate, key })
}

fn read(path: &Path) -> Result<Vec<u8>, CertError> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| CertError::Read {
            path: path.to_owned(),
            error,
        })?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(CertError::TooLong(path.to_owned()));
    }
    Ok(bytes)
}

/// The pair in `dir`, made for `hostname` if it is not there. True when it was
/// made now.
pub fn self_signed(dir: &Path, hostname: &str, now: UnixTime) -> Result<(Files, bool), CertError> {
    let files = Files {
        certificate: dir.join(SELF_SIGNED_CERTIFICATE),
        key: dir.join(SELF_SIGNED_KEY),
    };
    // Written last, so that an interrupted first start begins anew.
    if files.certificate.exists() {
        return Ok((files, false));
    }
    let (certificate, key) = make(hostname, now)?;
    write(dir, SELF_SIGNED_KEY, 0o600, key.as_bytes())?;
    write(dir, SELF_SIGNED_CERTIFICATE, 0o644, certificate.as_bytes())?;
    Ok((files, true))
}

/// A certificate for `hostname`, `localhost` and the loopback addresses, and
/// its key: PEM.
pub fn make(hostname: &str, now: UnixTime) -> Result<(String, String), CertError> {
    let mut names: Vec<String> = vec![hostname.to_owned()];
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    names.dedup();
    // A host name that no certificate can hold still gets one.
    let mut params = CertificateParams::new(names.clone())
        .or_else(|_| CertificateParams::new(names.split_off(1)))?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, hostname);
    params.distinguished_name = name;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let today = now.civil();
    let (month, day) = (today.month.min(12) as u8, today.day.min(28) as u8);
    params.not_before = date_time_ymd(today.year, month, day);
    params.not_after = date_time_ymd(today.year + LIFETIME_YEARS, month, day);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn write(dir: &Path, name: &str, mode: u32, bytes: &[u8]) -> Result<(), CertError> {
    let path = dir.join(name);
    durable(dir, name, mode, bytes).map_err(|error| CertError::Write { path, error })
}

/// Both reach the disk before anything relies on them.
fn durable(dir: &Path, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let dir = fs::File::open(dir)?;
    let temporary = format!("{name}.tmp");
    roost_os::file::replace(
        &dir,
        name.as_bytes(),
        temporary.as_bytes(),
        mode,
        bytes,
        true,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_763_789_057);

    fn files(dir: &Path, certificate: &str, key: &str) -> Files {
        let files = Files {
            certificate: dir.join("crt"),
            key: dir.join("key"),
        };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }

    #[test]
    fn a_pair_is_made_once_and_the_key_is_nobody_elses() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (made, new) = self_signed(dir.path(), "mail.example", NOW).unwrap();
        assert!(new);
        let mode = fs::metadata(&made.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let pair = load(&made).unwrap();
        let (again, new) = self_signed(dir.path(), "other.example", NOW).unwrap();
        assert!(!new);
        assert_eq!(load(&again).unwrap().certificate, pair.certificate);
    }

    #[test]
    fn the_host_name_stands_in_the_certificate() {
        let (pem, _) = make("mail.example", NOW).unwrap();
        let der = rustls_pemfile::certs(&mut pem.as_bytes())
            .next()
            .unwrap()
            .unwrap();
        let name = b"mail.example";
        // Once as the subject, once as the issuer, once as alternative name.
        assert_eq!(der.windows(name.len()).filter(|w| w == name).count(), 3);
        assert!(make("not a name \u{fc}", NOW).is_ok());
    }

    #[test]
    fn a_foreign_key_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let (one, _) = make("a.example", NOW).unwrap();
        let (_, two) = make("a.example", NOW).unwrap();
        let files = files(dir.path(), &one, &two);
        assert!(matches!(load(&files), Err(CertError::Mismatch { .. })));
    }

    #[test]
    fn files_that_hold_something_else_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = make("a.example", NOW).unwrap();
        let swapped = files(dir.path(), &key, &certificate);
        assert!(matches!(load(&swapped), Err(CertError::NoCertificate(_))));
        let no_key = files(dir.path(), &certificate, "hello");
        assert!(matches!(load(&no_key), Err(CertError::NoKey(_))));
        let missing = Files {
            certificate: dir.path().join("no"),
            key: dir.path().join("no"),
        };
        assert!(matches!(load(&missing), Err(CertError::Read { .. })));
    }
}
