//! Limits of the process that a server must raise.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// How many descriptors may be open: the limit now, and how far it may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenFiles {
    pub soft: u64,
    pub hard: u64,
}

pub fn open_files() -> io::Result<OpenFiles> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(OpenFiles { soft, hard })
}

/// Raises the soft limit on open descriptors to `wanted`; as root beyond the
/// hard limit too, otherwise as far as that goes. Never lowers it. Returns
/// the limit that now holds.
pub fn raise_open_files(wanted: u64) -> io::Result<u64> {
    let now = open_files()?;
    if now.soft >= wanted {
        return Ok(now.soft);
    }
    if wanted > now.hard && setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted).is_ok() {
        return Ok(wanted);
    }
    let soft = wanted.min(now.hard);
    setrlimit(Resource::RLIMIT_NOFILE, soft, now.hard)?;
    Ok(soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_rises_and_is_never_lowered() {
        let before = open_files().unwrap();
        assert_eq!(raise_open_files(1).unwrap(), before.soft);
        let raised = raise_open_files(before.hard).unwrap();
        assert_eq!(raised, before.hard);
        assert_eq!(open_files().unwrap().soft, before.hard);
    }
}
