//! What the supervisor may do, and so whom it lets in: as root everybody but
//! root, each under the own uid; otherwise the caller alone.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use roost_ipc::Confinement;
use roost_os::UserId;
use roost_os::identity::{self, Credentials};

#[derive(Debug, Clone)]
pub enum Privilege {
    /// Started as root.
    Root {
        /// Whom the gate becomes.
        gate: Credentials,
        /// The gate's root directory.
        chroot: PathBuf,
    },
    /// Nothing changes its user.
    Caller(UserId),
}

#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    #[error("user {0} does not exist; the gate runs as this user ([server] user)")]
    NoUser(String),
    #[error("user {0} is root; the gate needs a user without privileges ([server] user)")]
    RootGate(String),
    #[error("user {name}: {error}")]
    Lookup { name: String, error: io::Error },
    #[error("{}: {error}", path.display())]
    Chroot { path: PathBuf, error: io::Error },
    #[error("{}: the gate's directory must be empty, root's, and writable for root alone", .0.display())]
    BadChroot(PathBuf),
}

impl Privilege {
    /// By who runs this process.
    pub fn of_process(gate_user: &str, chroot: &Path) -> Result<Self, PrivilegeError> {
        if !identity::is_root() {
            return Ok(Self::Caller(identity::current_user()));
        }
        let lookup = |error| PrivilegeError::Lookup {
            name: gate_user.to_owned(),
            error,
        };
        let user = identity::user_by_name(gate_user)
            .map_err(lookup)?
            .ok_or_else(|| PrivilegeError::NoUser(gate_user.to_owned()))?;
        if user.uid.is_root() {
            return Err(PrivilegeError::RootGate(gate_user.to_owned()));
        }
        // Its own group and no other.
        let gate = Credentials {
            uid: user.uid,
            gid: user.gid,
            groups: vec![user.gid],
        };
        Ok(Self::Root {
            gate,
            chroot: chroot.to_owned(),
        })
    }

    /// Makes what it needs on disk.
    pub fn prepare(&self) -> Result<(), PrivilegeError> {
        match self {
            Self::Caller(_) => Ok(()),
            Self::Root { chroot, .. } => prepare_chroot(chroot),
        }
    }

    pub fn gate_confinement(&self) -> Confinement {
        match self {
            Self::Root { gate, chroot } => Confinement {
                chroot: Some(chroot.clone()),
                credentials: Some(gate.clone()),
            },
            Self::Caller(_) => Confinement {
                chroot: None,
                credentials: None,
            },
        }
    }

    /// Whether a worker for `credentials` may run.
    ///
    /// # Errors
    /// The reason, for the log.
    pub fn allows(&self, credentials: &Credentials) -> Result<(), String> {
        match self {
            Self::Root { .. } if credentials.uid.is_root() => {
                Err("no mail is served under root's uid".into())
            }
            Self::Root { .. } => Ok(()),
            Self::Caller(uid) if credentials.uid == *uid => Ok(()),
            Self::Caller(uid) => Err(format!(
                "Roost was not started as root and can serve uid {uid} only, not uid {}",
                credentials.uid
            )),
        }
    }

    /// What a worker takes on; `None` leaves it as the supervisor is.
    pub fn for_worker(&self, credentials: Credentials) -> Option<Credentials> {
        match self {
            Self::Root { .. } => Some(credentials),
            Self::Caller(_) => None,
        }
    }
}

fn prepare_chroot(path: &Path) -> Result<(), PrivilegeError> {
    let failed = |error| PrivilegeError::Chroot {
        path: path.to_owned(),
        error,
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(failed)?;
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let empty = std::fs::read_dir(path).map_err(failed)?.next().is_none();
    if empty && metadata.uid() == 0 && metadata.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(PrivilegeError::BadChroot(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_os::GroupId;

    fn credentials(uid: u32) -> Credentials {
        Credentials {
            uid: UserId(uid),
            gid: GroupId(uid),
            groups: vec![],
        }
    }

    #[test]
    fn without_root_only_the_caller_is_served() {
        let caller = Privilege::Caller(UserId(1000));
        assert!(caller.allows(&credentials(1000)).is_ok());
        let reason = caller.allows(&credentials(1001)).unwrap_err();
        assert!(reason.contains("1001"), "{reason}");
        assert_eq!(caller.for_worker(credentials(1000)), None);
    }

    #[test]
    fn with_root_everybody_but_root_is_served() {
        let root = Privilege::Root {
            gate: credentials(900),
            chroot: "/run/roost/empty".into(),
        };
        assert!(root.allows(&credentials(1001)).is_ok());
        assert!(root.allows(&credentials(0)).is_err());
        assert_eq!(root.for_worker(credentials(1001)), Some(credentials(1001)));
        assert!(root.gate_confinement().chroot.is_some());
    }
}
