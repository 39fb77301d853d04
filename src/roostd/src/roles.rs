//! Where the executables of the other roles are.

use std::io;
use std::path::{Path, PathBuf};

/// A role with an executable of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Gate,
    Auth,
    Worker,
}

impl Role {
    /// The executable's file name.
    pub fn executable(self) -> &'static str {
        match self {
            Self::Gate => "roost-gate",
            Self::Auth => "roost-auth",
            Self::Worker => "roost-worker",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    #[error("{name} is in none of the folders {}", folders(.looked_in))]
    NotFound {
        name: &'static str,
        looked_in: Vec<PathBuf>,
    },
    #[error("roostd cannot find out where it lies: {0}")]
    Unknown(#[from] io::Error),
}

fn folders(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
    names.join(", ")
}

/// The three executables, found once at the start.
#[derive(Debug)]
pub struct Executables {
    gate: PathBuf,
    auth: PathBuf,
    worker: PathBuf,
}

impl Executables {
    /// Those beside roostd itself, else those in `libexec`.
    pub fn find(libexec: Option<&Path>) -> Result<Self, RoleError> {
        let own = std::env::current_exe()?;
        let beside = own.parent().unwrap_or(Path::new("/"));
        let folders: Vec<&Path> = std::iter::once(beside).chain(libexec).collect();
        Self::find_in(&folders)
    }

    fn find_in(folders: &[&Path]) -> Result<Self, RoleError> {
        let find = |role: Role| {
            let name = role.executable();
            folders
                .iter()
                .map(|dir| dir.join(name))
                .find(|path| path.is_file())
                .ok_or_else(|| RoleError::NotFound {
                    name,
                    looked_in: folders.iter().map(|&dir| dir.to_owned()).collect(),
                })
        };
        Ok(Self {
            gate: find(Role::Gate)?,
            auth: find(Role::Auth)?,
            worker: find(Role::Worker)?,
        })
    }

    pub fn path(&self, role: Role) -> &Path {
        match role {
            Role::Gate => &self.gate,
            Role::Auth => &self.auth,
            Role::Worker => &self.worker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_roostd_goes_before_libexec() {
        let dir = tempfile::tempdir().unwrap();
        let (beside, libexec) = (dir.path().join("bin"), dir.path().join("libexec"));
        for dir in [&beside, &libexec] {
            std::fs::create_dir(dir).unwrap();
        }
        for role in [Role::Gate, Role::Auth, Role::Worker] {
            std::fs::write(libexec.join(role.executable()), "").unwrap();
        }
        std::fs::write(beside.join("roost-gate"), "").unwrap();
        let found = Executables::find_in(&[&beside, &libexec]).unwrap();
        assert_eq!(found.path(Role::Gate), beside.join("roost-gate"));
        assert_eq!(found.path(Role::Worker), libexec.join("roost-worker"));
        std::fs::remove_file(libexec.join("roost-auth")).unwrap();
        let missing = Executables::find_in(&[&beside, &libexec]).unwrap_err();
        assert!(missing.to_string().contains("roost-auth"));
    }
}
