//! A session with a mailbox of its own and no worker around it, for the tests
//! of commands that work in steps.

use crate::{Identity, Progress, Session, Settings};
use roost_imap::Frame;
use roost_store::{Account, AccountOptions, Options, Store};
use roost_types::SessionId;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A session that has INBOX selected, with the messages that were put there.
pub(crate) struct Bench {
    pub session: Session,
    account: Arc<Account>,
    _store: Arc<Store>,
    dir: TempDir,
}

impl Bench {
    /// Messages by their flags (letters of file names) and octets.
    pub fn new(messages: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        for (i, (flags, bytes)) in messages.iter().enumerate() {
            let name = format!("cur/{}.M{i}P1.host:2,{flags}", 1_000_000_000 + i);
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        Self::open(dir)
    }

    fn open(dir: TempDir) -> Self {
        let store = Store::new(Options::default()).unwrap();
        let account = store
            .account("alice", dir.path(), AccountOptions::default())
            .unwrap();
        let mut bench = Self {
            session: new_session(&account),
            account,
            _store: store,
            dir,
        };
        let selected = bench.run("s SELECT INBOX");
        assert!(selected.contains("s OK"), "{selected}");
        bench
    }

    /// The file of the message that was put in `index`th.
    pub fn path(&self, index: usize) -> PathBuf {
        let mark = format!(".M{index}P1.");
        std::fs::read_dir(self.dir.path().join("cur"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains(&mark))
            .unwrap()
    }

    /// The same Maildir in a process of its own, as far as anybody can tell.
    pub fn again(self) -> Self {
        let Self {
            session,
            account,
            _store,
            dir,
        } = self;
        drop((session, account, _store));
        Self::open(dir)
    }

    /// What is kept of the messages, where there is an index.
    pub fn cache(&self) -> PathBuf {
        let index = std::fs::read_dir(self.dir.path().join("roost-index")).unwrap();
        let mut files = index.map(|entry| entry.unwrap().path());
        files
            .find(|path| path.extension().is_some_and(|e| e == "cache"))
            .unwrap()
    }

    pub fn other(&self) -> Session {
        let mut session = new_session(&self.account);
        drive(&mut session, "s SELECT INBOX", |_| {});
        session
    }

    /// How long a command may be silent.
    pub fn interval(&mut self, interval: std::time::Duration) {
        let mut settings = Settings::clone(&self.session.settings);
        settings.running_interval = Some(interval);
        self.session.settings = Arc::new(settings);
    }

    pub fn octets(&mut self, command: &str) -> Vec<u8> {
        drive(&mut self.session, command, |_| {})
    }

    pub fn run(&mut self, command: &str) -> String {
        let octets = self.octets(command);
        String::from_utf8_lossy(&octets).into_owned()
    }
}

fn new_session(account: &Arc<Account>) -> Session {
    let identity = Identity {
        session: SessionId(1),
        user: "alice".into(),
        asker: None,
    };
    Session::new(identity, Arc::clone(account), Arc::new(Settings::default()))
}

/// Runs one command to its end; `between` sees how much each step appended.
pub(crate) fn drive(
    session: &mut Session,
    command: &str,
    mut between: impl FnMut(usize),
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut progress = session.take(Frame::Command(command.as_bytes().to_vec()), &mut out);
    loop {
        match progress {
            Progress::More => {
                let before = out.len();
                progress = session.step(&mut out);
                between(out.len() - before);
            }
            Progress::Next | Progress::Ask | Progress::Relay | Progress::End(_) => return out,
            other => panic!("{other:?}"),
        }
    }
}
