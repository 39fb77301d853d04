//! The links of a session to sessions on other accounts.

use super::reader::Reader;
use crate::enabled::Enabled;
use crate::link::{Ask, LinkId};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many at once for commands.
const MOST: usize = 8;

/// A link that nobody has used for so long goes.
const IDLE: Duration = Duration::from_secs(60);

/// A session on another account, as its asker sees it.
pub(crate) struct Link {
    pub id: LinkId,
    /// `~` and the owner, as the client wrote it, or the name of an alias.
    pub shown: String,
    /// What it was opened for. An alias may stand for something else by now.
    pub ask: Ask,
    /// What is still to be sent.
    pub output: Vec<u8>,
    pub reader: Reader,
    /// What has come and cannot be dealt with yet.
    pub stash: Vec<u8>,
    /// Tags of commands of our own whose answers nobody wants to see.
    pub silent: VecDeque<String>,
    /// The tag of the command that is being answered.
    pub expects: Option<String>,
    /// The response that has begun is not for the one who waits.
    pub swallows: bool,
    /// What has been enabled there.
    pub enabled: Enabled,
    /// It has a mailbox selected.
    pub selected: bool,
    /// What it has been told that the client wants of that.
    pub notified: Option<Arc<[u8]>>,
    pub watch: Watch,
    used: Instant,
}

/// Whether a link is there to tell of changes ([`super::watching`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Watch {
    /// It is there for commands.
    No,
    /// The NOTIFY that it is for is under way.
    Begins,
    Lasts,
}

impl Link {
    fn new(id: LinkId, shown: String, ask: Ask) -> Self {
        Self {
            id,
            shown,
            ask,
            output: Vec::new(),
            reader: Reader::default(),
            stash: Vec::new(),
            silent: VecDeque::new(),
            expects: None,
            swallows: false,
            enabled: Enabled::default(),
            selected: false,
            notified: None,
            watch: Watch::No,
            used: Instant::now(),
        }
    }

    /// Sends a command of the client's, without its line end.
    pub fn send(&mut self, tag: &str, command: &[u8]) {
        self.begin(tag);
        self.output.extend_from_slice(command);
        self.output.extend_from_slice(b"\r\n");
    }

    /// Enables what the client has enabled.
    pub fn enable(&mut self, enabled: Enabled) {
        if self.enabled == enabled {
            return;
        }
        self.enabled = enabled;
        let mut command = b"ENABLE".to_vec();
        for name in enabled.names() {
            command.push(b' ');
            command.extend_from_slice(name.as_bytes());
        }
        self.send_silently(&command);
    }

    /// A command with this tag is going to be sent.
    pub fn begin(&mut self, tag: &str) {
        self.expects = Some(tag.to_owned());
        self.used = Instant::now();
    }

    /// Sends a command that the client does not know of; what it says there is
    /// for nobody.
    pub fn send_silently(&mut self, command: &[u8]) {
        let tag = format!("~{}", self.silent.len());
        self.output.extend_from_slice(tag.as_bytes());
        self.output.push(b' ');
        self.output.extend_from_slice(command);
        self.output.extend_from_slice(b"\r\n");
        self.silent.push_back(tag);
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Links {
    all: Vec<Link>,
    /// Those that the driver has to drop.
    closed: Vec<LinkId>,
}

impl Links {
    /// Whether one more would be too many.
    pub fn full(&self) -> bool {
        self.for_commands().count() >= MOST
    }

    fn for_commands(&self) -> impl Iterator<Item = &Link> {
        self.all.iter().filter(|link| link.watch == Watch::No)
    }

    pub fn add(&mut self, id: LinkId, shown: String, ask: Ask) {
        self.all.push(Link::new(id, shown, ask));
    }

    pub fn get(&mut self, id: LinkId) -> Option<&mut Link> {
        self.all.iter_mut().find(|link| link.id == id)
    }

    pub fn to(&self, shown: &str) -> Option<LinkId> {
        let link = self.for_commands().find(|link| link.shown == shown)?;
        Some(link.id)
    }

    /// The one that was added last.
    pub fn newest(&mut self) -> Option<&mut Link> {
        self.all.last_mut()
    }

    /// Those that tell of changes.
    pub fn watches(&self) -> impl Iterator<Item = LinkId> {
        let lasts = self.all.iter().filter(|link| link.watch == Watch::Lasts);
        lasts.map(|link| link.id)
    }

    /// Those that a NOTIFY has brought take the place of the others.
    pub fn change_watches(&mut self) {
        self.close_all(|link| link.watch == Watch::Lasts);
        for link in &mut self.all {
            if link.watch == Watch::Begins {
                link.watch = Watch::Lasts;
            }
        }
    }

    pub fn enable_for_watches(&mut self, enabled: Enabled) {
        for link in &mut self.all {
            if link.watch == Watch::Lasts {
                link.enable(enabled);
            }
        }
    }

    fn close_all(&mut self, which: impl Fn(&Link) -> bool) {
        let ids: Vec<LinkId> = self.all.iter().filter(|l| which(l)).map(|l| l.id).collect();
        for id in ids {
            self.close(id);
        }
    }

    /// One that has something to be sent.
    pub fn to_write(&self) -> Option<LinkId> {
        let link = self.all.iter().find(|link| !link.output.is_empty())?;
        Some(link.id)
    }

    /// Takes one away that is lost.
    pub fn remove(&mut self, id: LinkId) -> Option<Link> {
        let at = self.all.iter().position(|link| link.id == id)?;
        Some(self.all.remove(at))
    }

    /// Takes one away that has not ended.
    pub fn close(&mut self, id: LinkId) -> Option<Link> {
        let link = self.remove(id)?;
        self.closed.push(id);
        Some(link)
    }

    /// Makes room by closing the one that was used longest ago.
    pub fn close_oldest(&mut self, keep: Option<LinkId>) {
        let spare = self
            .for_commands()
            .filter(|link| Some(link.id) != keep && link.expects.is_none());
        if let Some(id) = spare.min_by_key(|link| link.used).map(|link| link.id) {
            self.close(id);
        }
    }

    /// Closes those that nobody has used for a while, but for `keep` and what a
    /// command waits for; tells when the next one will be due.
    pub fn close_idle(&mut self, keep: Option<LinkId>, now: Instant) -> Option<Instant> {
        let spare = |link: &Link| {
            link.watch == Watch::No && Some(link.id) != keep && link.expects.is_none()
        };
        let due = |link: &Link| link.used + IDLE;
        self.close_all(|link| spare(link) && due(link) <= now);
        self.all.iter().filter(|l| spare(l)).map(due).min()
    }

    /// A command is over: links whose session still works on it are of no use
    /// any more, nor are those of a NOTIFY that has failed.
    pub fn close_busy(&mut self) {
        self.close_all(|link| link.expects.is_some() || link.watch == Watch::Begins);
    }

    pub fn take_closed(&mut self) -> Vec<LinkId> {
        std::mem::take(&mut self.closed)
    }
}
