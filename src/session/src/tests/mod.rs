//! Conversations with sessions on Maildirs of their own.

mod acl;
mod append;
pub(crate) mod bench;
mod compress;
mod conversation;
pub(crate) mod encrypted;
mod flag_names;
mod folders;
mod listing;
mod messages;
mod metadata;
mod notify;
mod object_id;
mod own_seen;
mod quota;
mod replace;
mod replay;
mod resync;
mod running;
mod service;
mod several;
mod sync;
mod uid_only;
mod view;

use crate::{Asker, Identity, Progress, Session, Settings};
use roost_imap::{Framer, Limits};
use roost_store::{Account, AccountOptions, Options, Store};
use roost_types::SessionId;
use std::sync::Arc;
use tempfile::TempDir;

/// A Maildir and the worker's half of its sessions.
pub(crate) struct Site {
    pub account: Arc<Account>,
    pub settings: Arc<Settings>,
    /// Before the account, which uses them.
    _store: Arc<Store>,
    pub dir: TempDir,
}

impl Site {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        Self::named("alice", settings)
    }

    /// Another account.
    pub fn of(owner: &str) -> Self {
        Self::named(owner, Settings::default())
    }

    fn named(owner: &str, settings: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(Options::default()).unwrap();
        let account = store
            .account(
                owner,
                &dir.path().join("Maildir"),
                AccountOptions::default(),
            )
            .unwrap();
        Self {
            account,
            settings: Arc::new(settings),
            _store: store,
            dir,
        }
    }

    /// Another process's half of the same Maildir: it does not have the index.
    pub fn second(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(Options::default()).unwrap();
        let maildir = self.dir.path().join("Maildir");
        let account = store
            .account("alice", &maildir, AccountOptions::default())
            .unwrap();
        Self {
            account,
            settings: self.settings.clone(),
            _store: store,
            dir,
        }
    }

    /// The same in the process that comes next.
    pub fn again(self) -> Self {
        let Self {
            account,
            settings,
            _store,
            dir,
        } = self;
        let owner = account.name().to_owned();
        drop((account, _store));
        let store = Store::new(Options::default()).unwrap();
        let maildir = dir.path().join("Maildir");
        let account = store.account(&owner, &maildir, AccountOptions::default());
        Self {
            account: account.unwrap(),
            settings,
            _store: store,
            dir,
        }
    }

    /// A Courier site.
    pub fn courier() -> Self {
        Self::with(Settings {
            separator: '.',
            prefix: "INBOX.".into(),
            ..Settings::default()
        })
    }

    pub fn client(&self) -> Client {
        self.session_of(1, None)
    }

    /// A session of another account on this one.
    pub fn visitor(&self, asker: Asker) -> Client {
        self.session_of(2, Some(Box::new(asker)))
    }

    fn session_of(&self, id: u64, asker: Option<Box<Asker>>) -> Client {
        let identity = Identity {
            session: SessionId(id),
            user: self.account.name().into(),
            asker,
        };
        Client {
            session: Session::new(identity, self.account.clone(), self.settings.clone()),
            framer: Framer::new(Limits::AUTHENTICATED),
            progress: Progress::Next,
        }
    }

    /// A client that has enabled IMAP4rev2.
    pub fn client_rev2(&self) -> Client {
        let mut client = self.client();
        assert_eq!(
            client.say("e ENABLE IMAP4rev2"),
            "* ENABLED IMAP4rev2\r\ne OK Enabled\r\n"
        );
        client
    }

    /// Removes a message of INBOX as another program does, by its text.
    pub fn remove(&self, text: &str) {
        let maildir = self.dir.path().join("Maildir");
        for sub in ["new", "cur"] {
            for entry in std::fs::read_dir(maildir.join(sub)).unwrap() {
                let path = entry.unwrap().path();
                if std::fs::read_to_string(&path).unwrap().contains(text) {
                    std::fs::remove_file(path).unwrap();
                }
            }
        }
    }

    /// Delivers as another program does: a file in `new/`.
    pub fn deliver(&self, text: &str) {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("17000000.M{}.test", COUNT.fetch_add(1, Ordering::Relaxed));
        let maildir = self.dir.path().join("Maildir");
        std::fs::write(maildir.join("tmp").join(&name), text).unwrap();
        std::fs::rename(
            maildir.join("tmp").join(&name),
            maildir.join("new").join(&name),
        )
        .unwrap();
    }
}

pub(crate) struct Client {
    pub session: Session,
    pub framer: Framer,
    pub progress: Progress,
}

impl Client {
    /// Sends a line, and returns all that the session says until it waits for
    /// more.
    pub fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes())
    }

    /// Sends a line; the session has looked at its mailbox for it already
    /// when `between` is called.
    fn say_while(&mut self, line: &str, between: impl FnOnce()) -> String {
        let mut out = Vec::new();
        self.framer.push(format!("{line}\r\n").as_bytes());
        let frame = self.framer.next_frame().unwrap();
        self.progress = self.session.take(frame, &mut out);
        between();
        let rest = self.send(b"");
        String::from_utf8(out).unwrap() + &rest
    }

    /// Sends a command and lets its job take a step; what it has said.
    fn begin(&mut self, line: &str) -> Vec<u8> {
        let mut out = Vec::new();
        self.framer.push(format!("{line}\r\n").as_bytes());
        let frame = self.framer.next_frame().unwrap();
        self.progress = self.session.take(frame, &mut out);
        // It starts in the first.
        for _ in 0..2 {
            self.progress = self.session.step(&mut out);
            assert_eq!(self.progress, Progress::More);
        }
        out
    }

    /// The same, then what happens `between`, then the rest.
    fn say_after_step(&mut self, line: &str, between: impl FnOnce()) -> String {
        let out = self.begin(line);
        between();
        let rest = self.send(b"");
        String::from_utf8(out).unwrap() + &rest
    }

    /// Sends octets as they are.
    pub fn send(&mut self, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        self.framer.push(bytes);
        loop {
            self.progress = match self.progress {
                Progress::More => self.session.step(&mut out),
                // These clients see what is compressed.
                Progress::Compress => Progress::Next,
                Progress::AcceptAppend => {
                    self.framer.accept_append();
                    Progress::Next
                }
                Progress::RefuseAppend => {
                    self.framer.refuse_append();
                    Progress::Next
                }
                Progress::Next | Progress::Idle => {
                    if self.progress == Progress::Idle {
                        self.framer.expect_done();
                    }
                    match self.framer.next_frame() {
                        Some(frame) => self.session.take(frame, &mut out),
                        None => break,
                    }
                }
                Progress::Ask | Progress::Relay | Progress::End(_) => break,
            };
        }
        String::from_utf8(out).unwrap()
    }

    /// What the session says in IDLE when it is told of a change.
    pub fn wake(&mut self) -> String {
        assert_eq!(self.progress, Progress::Idle);
        let mut out = Vec::new();
        self.progress = self.session.changed(&mut out);
        while self.progress == Progress::More {
            self.progress = self.session.step(&mut out);
        }
        String::from_utf8(out).unwrap()
    }

    /// What the session says between commands when it is told of a change.
    pub fn push(&mut self) -> String {
        assert_eq!(self.progress, Progress::Next);
        let mut out = Vec::new();
        self.progress = self.session.changed(&mut out);
        while self.progress == Progress::More {
            self.progress = self.session.step(&mut out);
        }
        String::from_utf8(out).unwrap()
    }

    /// Sends a command and compares every line of the answer, in order. A
    /// line that ends in `...` stands for all that begin so.
    pub fn expect(&mut self, command: &str, answer: &[&str]) {
        let got = self.say(command);
        compare(command, &got, answer);
    }

    /// Adds small messages to a mailbox.
    pub fn fill(&mut self, mailbox: &str, count: u32) {
        for i in 1..=count {
            let text = format!("Subject: m{i}\r\n\r\nbody {i}\r\n");
            let answer = self.say(&format!("f APPEND {mailbox} {{{}+}}\r\n{text}", text.len()));
            assert!(answer.contains("f OK [APPENDUID "), "{answer}");
        }
    }
}

/// An account whose owner is in the group `staff`, and asks for what is alice's.
pub(crate) fn asks_alice(account: &str) -> Asker {
    Asker {
        account: account.into(),
        groups: vec!["staff".into()],
        shown: "~alice".into(),
        alias: None,
    }
}

/// Says "Running" at every step that says nothing else.
pub(crate) fn impatient() -> Settings {
    Settings {
        running_interval: Some(std::time::Duration::ZERO),
        ..Settings::default()
    }
}

pub(crate) fn compare(what: &str, got: &str, expected: &[&str]) {
    let lines: Vec<&str> = got.split_terminator("\r\n").collect();
    let same = lines.len() == expected.len()
        && lines
            .iter()
            .zip(expected)
            .all(|(line, wanted)| match wanted.strip_suffix("...") {
                Some(start) => line.starts_with(start),
                None => line == wanted,
            });
    assert!(same, "{what}\ngot      {lines:#?}\nexpected {expected:#?}");
}
