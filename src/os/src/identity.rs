//! Who a process is, who a name is, and giving privileges up for good.
//!
//! Look-ups use the reentrant calls, for several threads ask at once. Changes
//! of identity go through libc, which applies them to every thread.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User as Passwd};

macro_rules! unix_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            pub const ROOT: Self = Self(0);

            pub fn is_root(self) -> bool {
                self == Self::ROOT
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

unix_id! {
    /// A Unix user number.
    UserId
}
unix_id! {
    /// A Unix group number.
    GroupId
}

/// An entry of the user database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    pub name: String,
    pub uid: UserId,
    pub gid: GroupId,
    pub home: PathBuf,
    pub shell: PathBuf,
}

/// Under whom a process runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    pub uid: UserId,
    pub gid: GroupId,
    /// Supplementary groups; the list replaces what was there.
    pub groups: Vec<GroupId>,
}

/// Who is at the other end of a local socket (`SO_PEERCRED`), as of the time
/// when it was connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerCredentials {
    pub pid: i32,
    pub uid: UserId,
    pub gid: GroupId,
}

/// `None` when no such user exists; errors are those of the name service.
pub fn user_by_name(name: &str) -> io::Result<Option<User>> {
    if name.as_bytes().contains(&0) {
        return Ok(None);
    }
    Ok(Passwd::from_name(name)?.map(User::from))
}

pub fn user_by_id(uid: UserId) -> io::Result<Option<User>> {
    Ok(Passwd::from_uid(Uid::from_raw(uid.0))?.map(User::from))
}

pub fn group_by_name(name: &str) -> io::Result<Option<GroupId>> {
    if name.as_bytes().contains(&0) {
        return Ok(None);
    }
    Ok(Group::from_name(name)?.map(|g| GroupId(g.gid.as_raw())))
}

/// The group's name.
pub fn group_by_id(gid: GroupId) -> io::Result<Option<String>> {
    Ok(Group::from_gid(Gid::from_raw(gid.0))?.map(|group| group.name))
}

/// Every group of a user, `primary` included (`getgrouplist`).
pub fn groups_of(name: &str, primary: GroupId) -> io::Result<Vec<GroupId>> {
    let name = std::ffi::CString::new(name)?;
    let groups = nix::unistd::getgrouplist(&name, Gid::from_raw(primary.0))?;
    Ok(groups.into_iter().map(|g| GroupId(g.as_raw())).collect())
}

impl From<Passwd> for User {
    fn from(entry: Passwd) -> Self {
        Self {
            name: entry.name,
            uid: UserId(entry.uid.as_raw()),
            gid: GroupId(entry.gid.as_raw()),
            home: entry.dir,
            shell: entry.shell,
        }
    }
}

impl User {
    /// What a process of this user runs under, groups looked up.
    pub fn credentials(&self) -> io::Result<Credentials> {
        Ok(Credentials {
            uid: self.uid,
            gid: self.gid,
            groups: groups_of(&self.name, self.gid)?,
        })
    }
}

/// True when the effective user is root.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// The effective user.
pub fn current_user() -> UserId {
    UserId(Uid::effective().as_raw())
}

/// The effective group.
pub fn current_group() -> GroupId {
    GroupId(Gid::effective().as_raw())
}

/// Becomes `to` for good: groups, then group, then user, real, effective and
/// saved. Afterwards the parent-death signal is off, for the kernel clears it:
/// see [`crate::spawn::die_with_parent`].
///
/// # Errors
/// Any step that fails, `PermissionDenied` too when root could be had again;
/// the process must then end.
pub fn drop_privileges(to: &Credentials) -> io::Result<()> {
    let groups: Vec<Gid> = to.groups.iter().map(|g| Gid::from_raw(g.0)).collect();
    let (uid, gid) = (Uid::from_raw(to.uid.0), Gid::from_raw(to.gid.0));
    nix::unistd::setgroups(&groups)?;
    nix::unistd::setresgid(gid, gid, gid)?;
    nix::unistd::setresuid(uid, uid, uid)?;
    let (users, held) = (nix::unistd::getresuid()?, nix::unistd::getresgid()?);
    let all_users = [users.real, users.effective, users.saved] == [uid; 3];
    let all_groups = [held.real, held.effective, held.saved] == [gid; 3];
    let regained = !uid.is_root() && nix::unistd::seteuid(Uid::from_raw(0)).is_ok();
    if all_users && all_groups && !regained {
        Ok(())
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// Makes `path` the root of everything this process can name.
pub fn enter_chroot(path: &Path) -> io::Result<()> {
    std::env::set_current_dir(path)?;
    nix::unistd::chroot(".")?;
    std::env::set_current_dir("/")
}

/// No `execve` of this process or its children gains privileges any more.
pub fn set_no_new_privs() -> io::Result<()> {
    Ok(nix::sys::prctl::set_no_new_privs()?)
}

/// Keeps passwords and keys out of core files and other processes' `ptrace`.
/// Also cleared or set by the kernel at changes of identity: call it last.
pub fn set_undumpable() -> io::Result<()> {
    Ok(nix::sys::prctl::set_dumpable(false)?)
}

/// The host's name as the kernel has it.
pub fn hostname() -> io::Result<String> {
    let name = nix::unistd::gethostname()?;
    name.into_string()
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "host name is not text"))
}

pub fn peer_credentials(socket: impl AsFd) -> io::Result<PeerCredentials> {
    let option = nix::sys::socket::sockopt::PeerCredentials;
    let peer = nix::sys::socket::getsockopt(&socket, option)?;
    Ok(PeerCredentials {
        pid: peer.pid(),
        uid: UserId(peer.uid()),
        gid: GroupId(peer.gid()),
    })
}

/// The supplementary groups of who is at the other end, as of the same time
/// (`SO_PEERGROUPS`, Linux 4.13).
pub fn peer_groups(socket: impl AsFd) -> io::Result<Vec<GroupId>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut size = libc::socklen_t::try_from(size_of_val(groups.as_slice()))
            .map_err(|_| io::ErrorKind::InvalidData)?;
        // SAFETY: the kernel writes no more than `size` octets to the numbers,
        // which are that long, and the size that it has or wants to `size`.
        let done = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut size,
            )
        };
        let count = size as usize / size_of::<libc::gid_t>();
        match io::Error::last_os_error() {
            _ if done == 0 => {
                groups.truncate(count);
                return Ok(groups.into_iter().map(GroupId).collect());
            }
            error if error.raw_os_error() == Some(libc::ERANGE) && count > groups.len() => {
                groups.resize(count, 0);
            }
            error => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_at_the_other_end_has_its_groups() {
        let (a, _b) = crate::fdpass::seqpacket_pair().unwrap();
        let mut own: Vec<_> = nix::unistd::getgroups().unwrap();
        own.sort_unstable_by_key(|group| group.as_raw());
        let mut got = peer_groups(&a).unwrap();
        got.sort_unstable();
        let own: Vec<_> = own
            .into_iter()
            .map(|group| GroupId(group.as_raw()))
            .collect();
        assert_eq!(got, own);
    }

    #[test]
    fn root_is_found_by_name_and_number() {
        let root = user_by_name("root").unwrap().unwrap();
        assert!(root.uid.is_root());
        assert_eq!(user_by_id(UserId::ROOT).unwrap().unwrap().name, "root");
        assert_eq!(group_by_name("root").unwrap(), Some(GroupId::ROOT));
        assert!(root.credentials().unwrap().groups.contains(&GroupId::ROOT));
    }

    #[test]
    fn unknown_names_are_none() {
        assert_eq!(user_by_name("no-such-user-here").unwrap(), None);
        assert_eq!(user_by_name("a\0b").unwrap(), None);
        assert_eq!(user_by_id(UserId(4_000_000_123)).unwrap(), None);
        assert_eq!(group_by_name("no-such-group-here").unwrap(), None);
    }

    #[test]
    fn a_socket_pair_knows_its_maker() {
        let (a, _b) = crate::fdpass::seqpacket_pair().unwrap();
        let peer = peer_credentials(&a).unwrap();
        assert_eq!(peer.uid, current_user());
        assert_eq!(peer.pid, i32::try_from(std::process::id()).unwrap());
    }

    #[test]
    fn the_host_has_a_name() {
        assert!(!hostname().unwrap().is_empty());
    }

    const CHILD: &str = "ROOST_OS_TEST_CHILD";

    /// Runs itself once more, for what is given up is gone for the process.
    #[test]
    fn privileges_are_dropped_for_good() {
        let nobody = Credentials {
            uid: UserId(12_345),
            gid: GroupId(12_346),
            groups: vec![GroupId(12_346)],
        };
        if !is_root() {
            let error = drop_privileges(&nobody).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            return;
        }
        let Some(root) = std::env::var_os(CHILD) else {
            return run_again("identity::tests::privileges_are_dropped_for_good");
        };
        enter_chroot(Path::new(&root)).unwrap();
        drop_privileges(&nobody).unwrap();
        set_no_new_privs().unwrap();
        set_undumpable().unwrap();
        assert_eq!(current_user(), nobody.uid);
        assert_eq!(current_group(), nobody.gid);
        assert_eq!(nix::unistd::getgroups().unwrap(), [Gid::from_raw(12_346)]);
        assert!(nix::unistd::seteuid(Uid::from_raw(0)).is_err());
        assert!(std::fs::write("/file", b"").is_err());
        assert!(!Path::new("/etc").exists());
        assert!(nix::sys::prctl::get_no_new_privs().unwrap());
        let other_thread = std::thread::spawn(current_user).join().unwrap();
        assert_eq!(other_thread, nobody.uid);
    }

    fn run_again(test: &str) {
        let temp = tempfile::tempdir().unwrap();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(CHILD, temp.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        assert!(
            child.status.success() && said.contains("1 passed"),
            "{said}"
        );
    }
}
