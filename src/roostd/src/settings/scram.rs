//! Whether SCRAM can be offered. Clients take the strongest mechanism that is
//! offered and do not try another when it fails, so it must not be offered
//! where no account could use it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The part of a passwd-file that is looked at.
const MAX_READ: u64 = 16 * 1024 * 1024;

/// Schemes that SCRAM can work with.
const SCHEMES: [&[u8]; 4] = [b"{SCRAM-SHA-256}", b"{PLAIN}", b"{CLEARTEXT}", b"{CLEAR}"];

/// True when some account of the passwd-file can log in by SCRAM-SHA-256.
pub fn is_possible(passwd_file: &Path) -> io::Result<bool> {
    let mut reader = BufReader::new(File::open(passwd_file)?.take(MAX_READ));
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        if has_scheme(&line) {
            return Ok(true);
        }
    }
}

/// `user:{SCHEME}hash:…`, the scheme in any case and possibly with an
/// encoding behind it (`{PLAIN.b64}`).
fn has_scheme(line: &[u8]) -> bool {
    if line.first() == Some(&b'#') {
        return false;
    }
    let Some(password) = line.splitn(3, |&b| b == b':').nth(1) else {
        return false;
    };
    SCHEMES.iter().any(|scheme| {
        let name = scheme.get(..scheme.len() - 1).unwrap_or_default();
        let fits = password
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name));
        fits && matches!(password.get(name.len()), Some(b'}' | b'.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_schemes_that_can_do_scram_count() {
        assert!(has_scheme(b"a:{SCRAM-SHA-256}4096,x,y,z:1:1::/h::\n"));
        assert!(has_scheme(b"a:{plain}secret\n"));
        assert!(has_scheme(b"a:{PLAIN.b64}c2VjcmV0\n"));
        for line in [
            "a:{SHA512-CRYPT}$6$x$y:1:1\n",
            "a:{PLAIN-MD5}00\n",
            "#a:{PLAIN}secret\n",
            "a:x{PLAIN}\n",
            "a\n",
            "",
        ] {
            assert!(!has_scheme(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn the_whole_file_is_looked_through() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        std::fs::write(&path, "a:{SHA512-CRYPT}x\nb:{PLAIN}y\n").unwrap();
        assert!(is_possible(&path).unwrap());
        std::fs::write(&path, "a:{SHA512-CRYPT}x\n").unwrap();
        assert!(!is_possible(&path).unwrap());
        assert!(is_possible(&dir.path().join("none")).is_err());
    }
}
