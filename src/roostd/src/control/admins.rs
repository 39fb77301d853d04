//! Who looks after the server.
//!
//! Groups are those of the process that connected, as the kernel knows them:
//! no name service is asked on a stranger's behalf, which could keep us waiting.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use roost_os::GroupId;
use roost_os::identity::{self, PeerCredentials};

/// The group of those who may look after all sessions.
const GROUP: &str = "roostadm";

/// Clones are the same.
#[derive(Clone, Default)]
pub struct Admins(Arc<Mutex<Option<GroupId>>>);

impl Admins {
    /// Asks the name service for the group, which may take its time.
    pub fn look_up(&self) {
        match identity::group_by_name(GROUP) {
            Ok(group) => *self.0.lock().unwrap_or_else(PoisonError::into_inner) = group,
            Err(error) => log::error!("group {GROUP}: {error}"),
        }
    }

    /// The same, and nobody waits.
    pub fn look_up_again(&self) {
        let admins = self.clone();
        let thread = thread::Builder::new().name("admins".into());
        if let Err(error) = thread.spawn(move || admins.look_up()) {
            log::error!("group {GROUP}: {error}");
        }
    }

    /// Root, whom the server runs as, or one of the group.
    pub fn have(&self, peer: &PeerCredentials, socket: impl AsFd) -> io::Result<bool> {
        if peer.uid.is_root() || peer.uid == identity::current_user() {
            return Ok(true);
        }
        let Some(group) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) else {
            return Ok(false);
        };
        Ok(peer.gid == group || identity::peer_groups(socket)?.contains(&group))
    }
}
