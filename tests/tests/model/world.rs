//! Server, Maildir, clients and what should be in it.

use super::Random;
use super::outside;
use super::peer::{Kind, Peer, change, login, number_after, set, text_of};
use super::reference::{Flags, Reference, flags};
use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::process::eventually;
use roost_tests::roost::{Roost, Setup, mail_owner};
use roost_tests::site::Site;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const USER: &str = "maria";
pub(super) const SUBJECT: &str = "BODY.PEEK[HEADER.FIELDS (SUBJECT)]";
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "$a", "$b"];

pub struct World {
    pub(super) random: Random,
    pub(super) reference: Reference,
    pub(super) peers: Vec<Peer>,
    /// Messages that were moved to `Other`.
    pub(super) away: BTreeSet<u32>,
    /// `None` only while it is being restarted.
    roost: Option<Roost>,
    site: Site,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let kinds = [Kind::Plain, Kind::CondStore, Kind::QResync, Kind::QResync];
        let mut world = Self {
            random: Random::new(seed),
            reference: Reference::default(),
            peers: kinds.into_iter().map(Peer::new).collect(),
            away: BTreeSet::new(),
            roost: None,
            site: Site::new(&[USER]).unwrap(),
        };
        world.start();
        world.checker().ok("CREATE Other").unwrap();
        for _ in 0..5 {
            world.append(0);
        }
        world
    }

    fn start(&mut self) {
        self.roost = Some(self.site.roost(Setup::of(&[USER])).unwrap());
    }

    pub(super) fn roost(&self) -> &Roost {
        self.roost.as_ref().unwrap()
    }

    pub(super) fn maildir(&self) -> PathBuf {
        self.site.maildir(USER)
    }

    pub(super) fn checker(&self) -> Client {
        login(self.roost(), USER)
    }

    /// A client, connected and up to date.
    fn connect(&mut self, at: usize) {
        let back = self.peers[at].connection.is_none();
        let roost = self.roost.as_ref().unwrap();
        self.peers[at].connect(roost, USER, &mut self.reference);
        if back {
            self.agrees(at);
        }
    }

    pub fn step(&mut self) {
        let at = self.random.below(self.peers.len());
        match self.random.below(27) {
            0..3 => self.append(at),
            3..11 => self.store(at),
            11..13 => self.expunge(at),
            13 => self.move_away(at),
            14..16 => self.noop(at),
            // The connection is lost.
            16..18 => self.peers[at].connection = None,
            18 => self.deliver(),
            19..21 => self.outside_flag(),
            21 => self.outside_delete(),
            22 => self.restart(),
            23..26 => self.kill_within(at),
            _ => self.everybody_agrees(),
        }
    }

    fn append(&mut self, at: usize) {
        self.connect(at);
        let flag = self.random.of(&FLAGS[..3]);
        let number = self.reference.add(flags(flag));
        let message = mail::small(number);
        let options = format!("({flag})");
        self.peers[at].append(&options, &message, &mut self.reference);
    }

    fn store(&mut self, at: usize) {
        self.connect(at);
        let known: Vec<u32> = self.peers[at].cache.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let count = 1 + self.random.below(4);
        let mut uids: Vec<u32> = (0..count).map(|_| self.random.of(&known)).collect();
        uids.sort_unstable();
        uids.dedup();
        let sign = self.random.of(&["+", "+", "-", ""]);
        let flag = self.random.of(&FLAGS);
        let silent = self.random.one_in(2);
        let dot = if silent { ".SILENT" } else { "" };
        let mut condition = String::new();
        if self.peers[at].kind != Kind::Plain && self.random.one_in(2) {
            let since = self.peers[at].modseq_of(self.random.of(&uids));
            condition = format!("(UNCHANGEDSINCE {since}) ");
        }
        let list: Vec<String> = uids.iter().map(u32::to_string).collect();
        let list = list.join(",");
        let command = format!("UID STORE {list} {condition}{sign}FLAGS{dot} ({flag})");
        let answer = self.peers[at].send(&command);
        let modified = answer.tagged.split_once("[MODIFIED ");
        let modified = modified.map_or(Vec::new(), |(_, m)| set(m.split(']').next().unwrap()));
        for &uid in uids.iter().filter(|uid| !modified.contains(uid)) {
            if let Some(number) = self.reference.number_of(uid)
                && let Some(flags) = self.reference.messages.get_mut(&number)
            {
                change(flags, sign, flag);
            }
            if silent {
                self.peers[at].apply(uid, sign, flag);
            }
        }
        self.peers[at].take_in(&answer, &mut self.reference);
    }

    fn expunge(&mut self, at: usize) {
        self.connect(at);
        self.reference.expunge();
        self.peers[at].act("EXPUNGE", &mut self.reference);
    }

    fn move_away(&mut self, at: usize) {
        self.connect(at);
        let known: Vec<u32> = self.peers[at].cache.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let uid = self.random.of(&known);
        if let Some(number) = self.reference.number_of(uid)
            && self.reference.messages.remove(&number).is_some()
        {
            self.away.insert(number);
        }
        let command = format!("UID MOVE {uid} Other");
        self.peers[at].act(&command, &mut self.reference);
    }

    fn noop(&mut self, at: usize) {
        self.connect(at);
        self.peers[at].act("NOOP", &mut self.reference);
    }

    fn deliver(&mut self) {
        let number = self.reference.add(Flags::new());
        let message = mail::small(number);
        outside::deliver(&self.maildir(), number, &message, mail_owner());
        self.settle();
    }

    fn outside_flag(&mut self) {
        let maildir = self.maildir();
        if let Some((number, flag, set)) = outside::flag(&maildir, &mut self.random) {
            let flags = self.reference.messages.get_mut(&number).unwrap();
            change(flags, if set { "+" } else { "-" }, flag);
            self.settle();
        }
    }

    fn outside_delete(&mut self) {
        let maildir = self.maildir();
        if let Some(number) = outside::delete(&maildir, &mut self.random) {
            self.reference.messages.remove(&number);
            self.settle();
        }
    }

    /// Ends processes in one way or another, with or without the index.
    fn restart(&mut self) {
        let keep = self.random.one_in(2);
        let way = self.random.below(3);
        for peer in &mut self.peers {
            peer.connection = None;
        }
        let index = self.maildir().join("roost-index");
        let forget = || {
            if !keep {
                let _ = fs::remove_dir_all(&index);
            }
        };
        match way {
            0 => {
                self.roost.take().unwrap().stop();
                forget();
                self.start();
            }
            1 => {
                forget();
                self.roost.as_mut().unwrap().crash_and_restart().unwrap();
                forget();
            }
            _ => {
                self.kill(&self.roost().role_pids("worker"));
                forget();
            }
        }
    }

    /// What the server holds now, by UID.
    fn held(&mut self, checker: &mut Client) -> BTreeMap<u32, Flags> {
        let answer = checker.ok("EXAMINE INBOX (CONDSTORE)").unwrap();
        let text = text_of(&answer);
        let value = |name| number_after(&text, name).unwrap();
        self.reference
            .is_selected(value("[UIDVALIDITY "), value("[HIGHESTMODSEQ "));
        let fetch = format!("UID FETCH 1:* (FLAGS MODSEQ {SUBJECT})");
        let mut held = BTreeMap::new();
        for line in checker.ok(&fetch).unwrap().lines() {
            let (Some(uid), Some(modseq)) =
                (number_after(&line, "UID "), number_after(&line, "MODSEQ ("))
            else {
                continue;
            };
            let uid = uid as u32;
            let (_, rest) = line.split_once("FLAGS (").unwrap();
            let flags = flags(rest.split(')').next().unwrap());
            self.reference.is_told(uid, &flags, modseq);
            // One that another program has taken away meanwhile has no file.
            let Some(number) = number_after(&line, "Subject: Message ") else {
                continue;
            };
            self.reference.is_named(uid, number as u32);
            held.insert(uid, flags);
        }
        checker.ok("UNSELECT").unwrap();
        held
    }

    /// Waits until the server knows what another program, or a worker that was
    /// killed, has done: until that one's lock is stale, a message may be there
    /// and have no UID.
    pub(super) fn settle(&mut self) {
        let mut checker = self.checker();
        let mut held = BTreeMap::new();
        let found = eventually(PATIENCE, || {
            held = self.held(&mut checker);
            self.reference.resolve(&held);
            let there: Vec<u32> = self.reference.messages.keys().copied().collect();
            (held == self.reference.by_uid()
                && held.len() == there.len()
                && on_disk(&self.maildir()) == there)
                .then_some(())
        });
        assert!(
            found.is_some(),
            "server {held:#?}\nreference {:#?}\nof {} messages\n{}",
            self.reference.by_uid(),
            self.reference.messages.len(),
            self.roost().log()
        );
    }

    fn agrees(&mut self, at: usize) {
        let peer = &self.peers[at];
        let reference = self.reference.by_uid();
        assert_eq!(peer.cache, reference, "client {at}, {:?}", peer.kind);
        assert_eq!(reference.len(), self.reference.messages.len());
    }

    /// Server, clients and reference are the same.
    pub fn everybody_agrees(&mut self) {
        self.settle();
        for at in 0..self.peers.len() {
            self.connect(at);
            self.noop(at);
            self.agrees(at);
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(roost) = &self.roost
        {
            eprintln!("{}", roost.log());
        }
    }
}

/// The numbers of the messages that have files there.
pub(super) fn on_disk(maildir: &Path) -> Vec<u32> {
    let mut numbers = outside::numbers(maildir);
    numbers.sort_unstable();
    numbers
}
