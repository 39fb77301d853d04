//! Who looks after the server.
//!
//! Groups are those of the process that connected, as the kernel knows them:
//! no name service is asked on a stranger's behalf, which could keep us waiting.

use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use roost_os::GroupId;
use roost_os::identity::{self, PeerCredentials};

/// The group of those who may look after all sessions.
const GROUP: &str = "roostadm";

/// Clones are the same.
#[derive(Clone, Default)]
pub struct Admins(Arc<Mutex<Option<GroupId>>>);

/// Of the name service, after an error.
const AGAIN: Duration = Duration::from_secs(30);

/// Nothing for a server that is no more.
fn look_up(known: &Weak<Mutex<Option<GroupId>>>) -> io::Result<()> {
    if known.strong_count() == 0 {
        return Ok(());
    }
    let group = identity::group_by_name(GROUP)?;
    if let Some(known) = known.upgrade() {
        *known.lock().unwrap_or_else(PoisonError::into_inner) = group;
    }
    Ok(())
}

impl Admins {
    /// Asks the name service for the group, which may take its time. What is
    /// returned has its end when there was an answer.
    pub fn look_up(&self) -> mpsc::Receiver<()> {
        let (asking, asked) = mpsc::channel();
        let known = Arc::downgrade(&self.0);
        let thread = thread::Builder::new().name("admins".into());
        let ask = move || {
            let mut asking = Some(asking);
            while let Err(error) = look_up(&known) {
                log::error!("group {GROUP}: {error}");
                drop(asking.take());
                thread::sleep(AGAIN);
            }
        };
        if let Err(error) = thread.spawn(ask) {
            log::error!("group {GROUP}: {error}");
        }
        asked
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
