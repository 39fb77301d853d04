//! Sessions of several accounts, wired together as the driver does it.

mod alias;
mod copying;
mod listing;
mod losing;
mod relaying;
mod watching;

use crate::link::{Ask, LinkError, LinkId};
use crate::tests::{Client, Site, compare};
use crate::{Alias, Asker, Progress, Session};
use roost_imap::Framer;
use std::collections::{BTreeMap, VecDeque};

/// Gives alice all rights to a mailbox, which is made if it is not there.
fn share(site: &Site, mailbox: &str) {
    let mut client = site.client();
    client.say(&format!("a CREATE {mailbox}"));
    client.expect(
        &format!("b SETACL {mailbox} alice lrswipkxtea"),
        &["b OK Setacl completed"],
    );
}

/// Alice asks; bob and carol have what she asks for.
struct World {
    alice: Site,
    bob: Site,
    carol: Site,
}

impl World {
    fn new() -> Self {
        let world = Self {
            alice: Site::new(),
            bob: Site::of("bob"),
            carol: Site::of("carol"),
        };
        share(&world.bob, "INBOX");
        share(&world.carol, "INBOX");
        world
    }

    /// A client of alice's.
    fn client(&self) -> Asking<'_> {
        let own = self.alice.client();
        Asking {
            world: self,
            session: own.session,
            framer: own.framer,
            progress: Progress::Next,
            peers: BTreeMap::new(),
            opened: 0,
            chunk: usize::MAX,
            breaks_after: None,
            refuses: None,
            before_write: |_, _| {},
        }
    }

    /// A session of bob's or carol's that alice asks.
    fn peer(&self, shown: &str, alias: Option<Alias>) -> Option<Peer> {
        let user = shown.trim_start_matches('~').split('@').next()?;
        let site = match user {
            "bob" => &self.bob,
            "carol" => &self.carol,
            "alice" => &self.alice,
            _ => return None,
        };
        let client = site.visitor(Asker {
            account: "alice".into(),
            groups: Vec::new(),
            shown: shown.into(),
            alias,
        });
        Some(Peer {
            client,
            said: VecDeque::new(),
        })
    }
}

struct Peer {
    client: Client,
    /// What it has said and nobody has read.
    said: VecDeque<u8>,
}

/// A client and the driver of its session.
struct Asking<'w> {
    world: &'w World,
    session: Session,
    framer: Framer,
    progress: Progress,
    peers: BTreeMap<LinkId, Peer>,
    opened: u32,
    /// So many octets are read from a link at once.
    chunk: usize,
    /// All links break when so many octets more have been read from them.
    breaks_after: Option<usize>,
    refuses: Option<LinkError>,
    /// Called before something goes over a link.
    before_write: fn(&World, &[u8]),
}

impl Asking<'_> {
    fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes())
    }

    fn expect(&mut self, command: &str, answer: &[&str]) {
        let got = self.say(command);
        compare(command, &got, answer);
    }

    /// A message to be copied.
    fn fill_inbox(&mut self) {
        self.expect("f APPEND INBOX {6+}\r\na: b\r\n", &["f OK [APPENDUID ..."]);
    }

    fn send(&mut self, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        self.framer.push(bytes);
        for _ in 0..1_000_000 {
            for id in self.session.closed_links() {
                self.peers.remove(&id);
            }
            self.progress = match self.progress {
                Progress::More => self.session.step(&mut out),
                Progress::AcceptAppend => {
                    self.framer.accept_append();
                    Progress::Next
                }
                Progress::RefuseAppend => {
                    self.framer.refuse_append();
                    Progress::Next
                }
                Progress::Ask => self.answer(&mut out),
                Progress::Relay => match (self.session.link_to_write(), self.session.link()) {
                    (Some(id), _) => self.write(id, &mut out),
                    (None, Some(id)) => self.read(id, &mut out).expect("it waits for ever"),
                    (None, None) => self.session.step(&mut out),
                },
                Progress::Next | Progress::Idle => {
                    if self.progress == Progress::Idle {
                        self.framer.expect_done();
                    }
                    match self.waits(&mut out) {
                        Some(progress) => progress,
                        None => return String::from_utf8(out).unwrap(),
                    }
                }
                Progress::Compress => Progress::Next,
                Progress::End(_) => return String::from_utf8(out).unwrap(),
            };
        }
        panic!("no end: {}", String::from_utf8_lossy(&out));
    }

    fn waits(&mut self, out: &mut Vec<u8>) -> Option<Progress> {
        if let Some(id) = self.session.link_to_write() {
            return Some(self.write(id, out));
        }
        if let Some(frame) = self.framer.next_frame() {
            return Some(self.session.take(frame, out));
        }
        let before = self.progress;
        for id in self.session.heard() {
            if !self.session.heard().contains(&id) {
                continue;
            }
            self.progress = self.session.relayed(id, &[], out);
            if self.progress != before {
                return Some(self.progress);
            }
            let read = self.read(id, out);
            if read.is_some() {
                return read;
            }
        }
        None
    }

    fn answer(&mut self, out: &mut Vec<u8>) -> Progress {
        let (shown, alias) = match self.session.asks().unwrap().clone() {
            Ask::Link { shown, alias } => (shown, alias),
            Ask::Shares => {
                let all = ["~bob", "~carol"].map(String::from).to_vec();
                return self.session.shares(all, out);
            }
        };
        let peer = match self.refuses {
            Some(error) => Err(error),
            None => self
                .world
                .peer(&shown, alias)
                .ok_or(LinkError::NoSuchAccount),
        };
        let linked = peer.map(|peer| {
            self.opened += 1;
            let id = LinkId(self.opened);
            self.peers.insert(id, peer);
            id
        });
        self.session.linked(linked, out)
    }

    fn write(&mut self, id: LinkId, out: &mut Vec<u8>) -> Progress {
        let bytes = std::mem::take(self.session.link_output(id).unwrap());
        (self.before_write)(self.world, &bytes);
        match self.peers.get_mut(&id) {
            Some(peer) => {
                let said = peer.client.send(&bytes);
                peer.said.extend(said.into_bytes());
                self.progress
            }
            None => self.session.link_lost(id, out),
        }
    }

    /// `None` when there is nothing to read.
    fn read(&mut self, id: LinkId, out: &mut Vec<u8>) -> Option<Progress> {
        let Some(peer) = self.peers.get_mut(&id) else {
            return Some(self.session.link_lost(id, out));
        };
        let most = self.chunk.min(self.breaks_after.unwrap_or(usize::MAX));
        let n = peer.said.len().min(most);
        if let Some(left) = &mut self.breaks_after {
            *left -= n;
        }
        if self.breaks_after == Some(0) {
            self.breaks_after = None;
            let bytes: Vec<u8> = peer.said.drain(..n).collect();
            self.peers.clear();
            if n > 0 {
                return Some(self.session.relayed(id, &bytes, out));
            }
            return Some(self.session.link_lost(id, out));
        }
        if n == 0 {
            let ended = matches!(peer.client.progress, Progress::End(_));
            return ended.then(|| self.session.link_lost(id, out));
        }
        let bytes: Vec<u8> = peer.said.drain(..n).collect();
        Some(self.session.relayed(id, &bytes, out))
    }

    /// All links break.
    fn break_links(&mut self) {
        for id in std::mem::take(&mut self.peers).into_keys() {
            self.session.link_lost(id, &mut Vec::new());
        }
    }

    /// Sessions in IDLE are told of what has changed.
    fn wake(&mut self) -> String {
        self.wake_peers();
        self.send(b"")
    }

    fn wake_peers(&mut self) {
        for peer in self.peers.values_mut() {
            let said = match peer.client.progress {
                Progress::Idle => peer.client.wake(),
                _ => peer.client.push(),
            };
            peer.said.extend(said.into_bytes());
        }
    }
}
