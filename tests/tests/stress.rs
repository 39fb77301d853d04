//! Twenty sessions and an outside program in the same mailboxes at once.
//!
//! What must hold: no session sees another message under a number it knows, no
//! UID ever names two messages, nothing delivered stays invisible, and at the
//! end every session's picture, built from the responses alone, is the
//! server's, which is the disk's.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::process::eventually;
use roost_tests::replay::View;
use roost_tests::roost::{PASSWORD, Roost, Setup, mail_owner};
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const USER: &str = "stress";
const SESSIONS: u32 = 20;
const LENGTH: Duration = Duration::from_secs(8);
/// All sessions look away while the outside program goes on: what they are told
/// then is much at once.
const AWAY: Duration = Duration::from_secs(6);
const BOXES: [&str; 2] = ["INBOX", "Other"];

/// What all know together: which message a UID stands for.
#[derive(Default)]
struct Ledger {
    names: Mutex<HashMap<(usize, u32), String>>,
    token: AtomicU32,
    stop: AtomicBool,
}

impl Ledger {
    fn note(&self, mailbox: usize, view: &View) -> Result<(), String> {
        let mut names = self.names.lock().unwrap();
        for entry in &view.entries {
            if let (Some(uid), Some(subject)) = (entry.uid, &entry.subject) {
                let known = names
                    .entry((mailbox, uid))
                    .or_insert_with(|| subject.clone());
                if known != subject {
                    return Err(format!("UID {uid} was `{known}`, now `{subject}`"));
                }
            }
        }
        Ok(())
    }

    fn next(&self) -> u32 {
        self.token.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Small, repeatable randomness; the schedule of threads is random enough.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) % u64::from(sides)) as u32
    }
}

struct Actor {
    client: Client,
    view: View,
    /// It is told VANISHED, and so has to know every UID.
    qresync: bool,
    mailbox: usize,
    ledger: Arc<Ledger>,
    dice: Dice,
    /// What the command before was and what it was answered.
    before: String,
}

impl Actor {
    fn new(addr: SocketAddr, number: u32, ledger: Arc<Ledger>) -> Self {
        let client = Client::login(addr, USER, PASSWORD).unwrap();
        let mut actor = Self {
            client,
            view: View::default(),
            qresync: number % 3 == 2,
            mailbox: (number % 2) as usize,
            ledger,
            dice: Dice(u64::from(number) * 7919 + 1),
            before: String::new(),
        };
        actor.client.set_patience(Duration::from_secs(60)).unwrap();
        if actor.qresync {
            actor.client.ok("ENABLE QRESYNC").unwrap();
        }
        actor.select().unwrap();
        actor
    }

    fn select(&mut self) -> Result<(), String> {
        self.view = View::default();
        self.say(&format!("SELECT {}", BOXES[self.mailbox]))?;
        Ok(())
    }

    /// One command, its responses taken into the view.
    fn say(&mut self, command: &str) -> Result<String, String> {
        let answer = self
            .client
            .command(command)
            .map_err(|e| format!("{command}: {e}"))?;
        let said = || answer.lines().collect::<Vec<_>>().join("\n");
        for line in answer.lines() {
            self.view.apply(&line).map_err(|e| {
                let before = &self.before;
                format!("{command}: {e}\n{}\nbefore that {before}", said())
            })?;
        }
        self.before = format!("{command}\n{}", said());
        self.ledger
            .note(self.mailbox, &self.view)
            .map_err(|e| format!("{command}: {e}"))?;
        if answer.tagged.starts_with("BAD") {
            return Err(format!("{command}: {}", answer.tagged));
        }
        self.learn_uids()?;
        Ok(answer.tagged)
    }

    fn learn_uids(&mut self) -> Result<(), String> {
        let unknown = self.view.entries.iter().any(|e| e.uid.is_none());
        if self.qresync && unknown {
            self.say("FETCH 1:* (UID)")?;
        }
        Ok(())
    }

    fn some_number(&mut self) -> Option<u32> {
        let n = u32::try_from(self.view.entries.len()).unwrap();
        (n > 0).then(|| self.dice.roll(n) + 1)
    }

    fn act(&mut self) -> Result<(), String> {
        let n = self.some_number();
        match (self.dice.roll(12), n) {
            (0 | 1, _) | (_, None) => self.append()?,
            (2 | 3, Some(n)) => {
                let flag = ["\\Seen", "\\Flagged", "$Label1", "Word"][self.dice.roll(4) as usize];
                let sign = ["+", "-"][self.dice.roll(2) as usize];
                let silent = ["", ".SILENT"][self.dice.roll(2) as usize];
                self.say(&format!("STORE {n} {sign}FLAGS{silent} ({flag})"))?;
                if !silent.is_empty() {
                    // What a silent store did is for the client to know.
                    self.say(&format!("FETCH {n} (UID FLAGS)"))?;
                }
            }
            (4, Some(n)) => drop(self.say(&format!("STORE {n} +FLAGS (\\Deleted)"))?),
            (5, Some(_)) => drop(self.say("EXPUNGE")?),
            (6, Some(n)) => {
                let to = BOXES[1 - self.mailbox];
                let verb = ["MOVE", "COPY"][self.dice.roll(2) as usize];
                self.say(&format!("{verb} {n} {to}"))?;
            }
            (7, Some(_)) => drop(self.say("NOOP")?),
            (8, Some(_)) => self.rename()?,
            (9, Some(_)) if self.dice.roll(8) == 0 => self.select()?,
            (_, Some(n)) => {
                let fetch = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])";
                self.say(&format!("FETCH {n} {fetch}"))?;
                self.body(n)?;
            }
        }
        Ok(())
    }

    fn append(&mut self) -> Result<(), String> {
        if self.view.entries.len() > 150 {
            self.say("STORE 1:20 +FLAGS.SILENT (\\Deleted)")?;
            self.say("FETCH 1:20 (UID FLAGS)")?;
            self.say("EXPUNGE")?;
            return Ok(());
        }
        let token = self.ledger.next();
        let to = BOXES[self.dice.roll(2) as usize];
        let answer = self
            .client
            .append(to, "(\\Seen)", &mail::small(token))
            .map_err(|e| format!("APPEND: {e}"))?;
        for line in answer.lines() {
            self.view.apply(&line).map_err(|e| format!("APPEND: {e}"))?;
        }
        self.learn_uids()?;
        if answer.ok() {
            Ok(())
        } else {
            Err(format!("APPEND: {}", answer.tagged))
        }
    }

    /// Header and body under one number belong together.
    fn body(&mut self, n: u32) -> Result<(), String> {
        let command = format!("FETCH {n} (UID BODY.PEEK[])");
        let answer = self
            .client
            .command(&command)
            .map_err(|e| format!("{command}: {e}"))?;
        for line in answer.lines() {
            self.view
                .apply(&line)
                .map_err(|e| format!("{command}: {e}"))?;
            if !line.contains("BODY[] {") {
                continue;
            }
            let word = |key: &str| {
                line.split(key).nth(1).and_then(|r| {
                    r.split(|c: char| !c.is_ascii_digit())
                        .next()
                        .map(str::to_owned)
                })
            };
            if word("Subject: Message ") != word("This is body ") {
                return Err(format!("mixed up message: {line}"));
            }
        }
        Ok(())
    }

    /// A mailbox that goes to and fro under the others' hands.
    fn rename(&mut self) -> Result<(), String> {
        let (a, b) = if self.dice.roll(2) == 0 {
            ("Ship/a", "Ship/b")
        } else {
            ("Ship/b", "Ship/a")
        };
        self.say(&format!("RENAME {a} {b}"))?;
        let token = self.ledger.next();
        let answer = self
            .client
            .append(b, "()", &mail::small(token))
            .map_err(|e| format!("APPEND {b}: {e}"))?;
        for line in answer.lines() {
            self.view
                .apply(&line)
                .map_err(|e| format!("APPEND {b}: {e}"))?;
        }
        Ok(())
    }
}

/// A delivery agent and another mail program on the same Maildirs.
fn outside(maildir: &Path, ledger: &Ledger) -> u32 {
    let (uid, gid) = mail_owner();
    let mut dice = Dice(99);
    let mut delivered = 0;
    while !ledger.stop.load(Ordering::Relaxed) {
        let folder = if dice.roll(2) == 0 {
            maildir.to_owned()
        } else {
            maildir.join(".Other")
        };
        match dice.roll(4) {
            0 | 1 => {
                let target = maildir::Maildir::from(folder.clone());
                let text = mail::small(ledger.next());
                let text: Vec<u8> = text.into_iter().filter(|&b| b != b'\r').collect();
                if let Ok(id) = target.store_new(&text) {
                    let _ = chown(folder.join("new").join(id), Some(uid), Some(gid));
                    delivered += 1;
                }
            }
            what => {
                let names: Vec<_> = fs::read_dir(folder.join("cur"))
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|e| e.file_name().to_string_lossy().into_owned())
                    .collect();
                if let Some(name) = names.get(dice.roll(names.len().max(1) as u32) as usize) {
                    let path = folder.join("cur").join(name);
                    if what == 2 {
                        let base = name.split(":2,").next().unwrap_or(name);
                        let flags = ["", "S", "FS", "RS"][dice.roll(4) as usize];
                        let _ =
                            fs::rename(&path, folder.join("cur").join(format!("{base}:2,{flags}")));
                    } else if dice.roll(3) == 0 {
                        let _ = fs::remove_file(&path);
                    }
                }
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    delivered
}

fn on_disk(folder: &Path) -> usize {
    ["cur", "new"]
        .iter()
        .map(|d| fs::read_dir(folder.join(d)).unwrap().count())
        .sum()
}

#[test]
fn twenty_sessions_and_an_outside_program() {
    let roost = Roost::alone(&Setup::of(&[USER]));
    let maildir: PathBuf = roost.dir().join("homes").join(USER).join("Maildir");
    let mut first = roost.login(USER);
    first.ok("CREATE Other").unwrap();
    first.ok("CREATE Ship/a").unwrap();
    let ledger = Arc::new(Ledger::default());
    for i in 0..60 {
        let token = ledger.next();
        assert!(
            first
                .append(BOXES[i % 2], "()", &mail::small(token))
                .unwrap()
                .ok()
        );
    }

    let addr = roost.addr();
    let (mut actors, failures, delivered) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SESSIONS)
            .map(|i| {
                let ledger = Arc::clone(&ledger);
                scope.spawn(move || {
                    let mut actor = Actor::new(addr, i, ledger);
                    let until = Instant::now() + LENGTH;
                    let mut failure = None;
                    while failure.is_none() && Instant::now() < until {
                        failure = actor.act().err();
                    }
                    (actor, failure)
                })
            })
            .collect();
        let agent = scope.spawn(|| outside(&maildir, &ledger));
        let results: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        std::thread::sleep(AWAY);
        ledger.stop.store(true, Ordering::Relaxed);
        let delivered = agent.join().unwrap();
        let (actors, failures): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        let failures: Vec<String> = failures.into_iter().flatten().collect();
        (actors, failures, delivered)
    });
    assert!(
        failures.is_empty(),
        "{}\n{}",
        failures.join("\n"),
        roost.log()
    );
    assert!(
        delivered > 20,
        "the outside program delivered only {delivered}"
    );

    for (i, name) in BOXES.iter().enumerate() {
        let folder = if i == 0 {
            maildir.clone()
        } else {
            maildir.join(".Other")
        };
        // The last of what the other program did may be news still.
        let mut wrong = None;
        let same = eventually(Duration::from_secs(30), || {
            let mut truth = Actor::new(addr, i as u32, Arc::clone(&ledger));
            let mine = actors.iter_mut().filter(|a| a.mailbox == i);
            wrong = differs(&mut truth, mine, on_disk(&folder));
            wrong.is_none().then_some(())
        });
        assert!(same.is_some(), "{name}: {wrong:?}");
    }
}

/// What is not the same on the disk, to a session that has just begun, and to
/// those that were there all the time.
fn differs<'a>(
    truth: &mut Actor,
    actors: impl Iterator<Item = &'a mut Actor>,
    on_disk: usize,
) -> Option<String> {
    truth
        .say("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        .unwrap();
    let truth = truth.view.by_uid();
    if truth.len() != on_disk {
        return Some(format!("{} shown, {on_disk} on the disk", truth.len()));
    }
    for actor in actors {
        actor.say("NOOP").unwrap();
        // UIDs of what was never asked for; everything else as replayed.
        actor.say("FETCH 1:* (UID)").unwrap();
        let mine = actor.view.by_uid();
        if mine.len() != truth.len() {
            return Some(format!("{} shown, not {}", mine.len(), truth.len()));
        }
        for (uid, entry) in mine {
            let Some(real) = truth.get(&uid) else {
                return Some(format!("no UID {uid}"));
            };
            let flags = entry.flags.is_none() || entry.flags == real.flags;
            let subject = entry.subject.is_none() || entry.subject == real.subject;
            if !flags || !subject {
                return Some(format!("UID {uid}: {entry:?}, not {real:?}"));
            }
        }
    }
    None
}
