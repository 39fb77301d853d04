//! Dovecot and Roost in the same mailboxes at once.

use super::{Place, USER, number_after, uid_and_number};
use roost_tests::client::{Answer, Client};
use roost_tests::dovecot::{self, Dovecot};
use roost_tests::mail;
use roost_tests::process::{eventually, in_namespace};
use roost_tests::roost;
use roost_tests::state::{Account, difference};
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const BOXES: [&str; 3] = ["INBOX", "Work", "Lists"];
const ACTORS: u32 = 6;
const LENGTH: Duration = Duration::from_secs(15);
/// A message has no keyword but the one of its class.
const CLASSES: u32 = 20;
/// What Dovecot says when another breaks its Maildir. Not among them: its
/// "Duplicate file entry", which its own MOVE there and back brings about
/// without any other server.
const COMPLAINTS: [&str; 8] = [
    "reappeared",
    "Fixed a duplicate",
    "roken",
    "unexpectedly",
    "orrupted",
    "was lowered",
    "Error:",
    "Panic",
];

/// What all know together.
struct Ledger {
    servers: [(SocketAddr, &'static str); 2],
    /// Which message a UID is.
    names: Mutex<HashMap<(usize, u32), u32>>,
    next: AtomicU32,
    until: Instant,
}

impl Ledger {
    fn note(&self, mailbox: usize, uid: u32, number: u32) {
        let mut names = self.names.lock().unwrap();
        let known = *names.entry((mailbox, uid)).or_insert(number);
        assert_eq!(known, number, "UID {uid} of {} names two", BOXES[mailbox]);
    }
}

struct Actor<'a> {
    ledger: &'a Ledger,
    dice: u64,
    mailbox: usize,
}

impl Actor<'_> {
    fn roll(&mut self, sides: u32) -> u32 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.dice >> 33) % u64::from(sides)) as u32
    }

    /// Sessions on one server and the other in turn.
    fn run(&mut self, first: usize) {
        for turn in first.. {
            if Instant::now() > self.ledger.until {
                return;
            }
            let (addr, password) = self.ledger.servers[turn % 2];
            let mut client = Client::login(addr, USER, password).unwrap();
            client.set_patience(Duration::from_secs(60)).unwrap();
            self.mailbox = self.roll(3) as usize;
            client
                .ok(&format!("SELECT {}", BOXES[self.mailbox]))
                .unwrap();
            for _ in 0..8 + self.roll(8) {
                self.act(&mut client);
            }
            client.command("LOGOUT").unwrap();
        }
    }

    fn act(&mut self, client: &mut Client) {
        let some = self.look(client);
        let pick = self.roll(some.len().max(1) as u32) as usize;
        let picked = some.get(pick).copied();
        let to = BOXES[(self.mailbox + 1 + self.roll(2) as usize) % 3];
        let command = match (self.roll(10), picked) {
            (0 | 1, _) | (_, None) => return self.append(client),
            (2, Some((uid, n))) => format!("UID STORE {uid} +FLAGS (kw{})", n % CLASSES),
            (3, Some((uid, n))) => format!("UID STORE {uid} -FLAGS (kw{})", n % CLASSES),
            (4, Some((uid, _))) => format!("UID STORE 1:{uid} +FLAGS.SILENT (\\Flagged)"),
            (5, Some((uid, _))) => format!("UID STORE 1:{uid} -FLAGS.SILENT (\\Flagged \\Seen)"),
            (6, Some((uid, _))) => {
                said(client, &format!("UID STORE {uid} +FLAGS (\\Deleted)"));
                "EXPUNGE".into()
            }
            (7, Some((uid, _))) => format!("UID COPY {uid} {to}"),
            (8, Some((uid, _))) => format!("UID MOVE {uid} {to}"),
            _ => "NOOP".into(),
        };
        said(client, &command);
    }

    /// The last messages, with their numbers.
    fn look(&mut self, client: &mut Client) -> Vec<(u32, u32)> {
        let status = said(client, "SEARCH ALL");
        let last = status.lines().find(|l| l.starts_with("* SEARCH"));
        let count = last.map_or(0, |l| l.split_whitespace().count() - 2);
        if count == 0 {
            return Vec::new();
        }
        let from = count.saturating_sub(30).max(1);
        let fetch = format!("FETCH {from}:{count} (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
        let answer = said(client, &fetch);
        let found: Vec<_> = answer.lines().filter_map(|l| uid_and_number(&l)).collect();
        for &(uid, number) in &found {
            self.ledger.note(self.mailbox, uid, number);
        }
        found
    }

    fn append(&mut self, client: &mut Client) {
        let number = self.ledger.next.fetch_add(1, Ordering::Relaxed);
        let to = self.roll(3) as usize;
        let flags = match self.roll(3) {
            0 => format!("(\\Seen kw{})", number % CLASSES),
            1 => "()".into(),
            _ => "(\\Flagged)".into(),
        };
        let answer = client
            .append(BOXES[to], &flags, &mail::small(number))
            .unwrap();
        assert!(answer.ok(), "{}", answer.tagged);
        let uid = answer
            .tagged
            .split([' ', ']'])
            .nth(3)
            .and_then(|u| u.parse().ok());
        self.ledger.note(to, uid.expect("APPENDUID"), number);
    }
}

/// Others expunge meanwhile, so NO may come; BAD and BYE may not.
fn said(client: &mut Client, command: &str) -> Answer {
    let answer = client
        .command(command)
        .unwrap_or_else(|e| panic!("{command}: {e}"));
    assert!(
        !answer.tagged.starts_with("BAD"),
        "{command}: {}",
        answer.tagged
    );
    answer
}

fn start_dovecot(place: &Place) -> Dovecot {
    place.site.dovecot("mail_debug = no\n").unwrap()
}

#[test]
fn dovecot_and_roost_at_once() {
    if !in_namespace("Dovecot beside Roost") {
        return;
    }
    let place = Place::new();
    let (peer, roost) = (start_dovecot(&place), place.roost());
    let mut client = super::login(&roost);
    for name in &BOXES[1..] {
        client.ok(&format!("CREATE {name}")).unwrap();
    }
    // Enough for several buffers of a listing.
    place.fill(&place.maildir().join(".Work"), 1, 3000);
    place.fill(&place.maildir(), 3001, 1500);
    let ledger = Ledger {
        servers: [
            (roost.addr(), roost::PASSWORD),
            (peer.addr(), dovecot::PASSWORD),
        ],
        names: Mutex::default(),
        next: AtomicU32::new(10_000),
        until: Instant::now() + LENGTH,
    };
    std::thread::scope(|scope| {
        for n in 0..ACTORS {
            let mut actor = Actor {
                ledger: &ledger,
                dice: u64::from(n) * 7919 + 3,
                mailbox: 0,
            };
            scope.spawn(move || actor.run(n as usize));
        }
        while Instant::now() < ledger.until {
            let number = ledger.next.fetch_add(1, Ordering::Relaxed);
            let name = BOXES[number as usize % 3];
            peer.deliver(USER, name, &mail::small(number)).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let read = |server: usize| {
        let (addr, password) = ledger.servers[server];
        Account::read(&mut Client::login(addr, USER, password).unwrap()).unwrap()
    };
    let differs = || difference(&read(1), &read(0));
    let same = eventually(Duration::from_secs(30), || {
        differs().is_none().then_some(())
    });
    assert!(same.is_some(), "Dovecot / Roost: {:?}", differs());
    for name in BOXES {
        check_keywords(&mut client, name);
    }
    let log = fs::read_to_string(place.site.dir.path().join("dovecot/log")).unwrap_or_default();
    let complaints: Vec<_> = log
        .lines()
        .filter(|l| COMPLAINTS.iter().any(|c| l.contains(c)))
        .collect();
    assert!(
        complaints.is_empty(),
        "{}\n{}",
        complaints.join("\n"),
        roost.log()
    );
    drop(client);
    roost.stop();
    let roost = place.roost();
    let again = Account::read(&mut super::login(&roost)).unwrap();
    assert_eq!(difference(&read(1), &again), None, "Dovecot / Roost anew");
}

/// No message has a keyword of another class.
fn check_keywords(client: &mut Client, mailbox: &str) {
    client.ok(&format!("EXAMINE {mailbox}")).unwrap();
    let fetch = "UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])";
    for line in client.ok(fetch).unwrap().lines() {
        let Some((uid, number)) = uid_and_number(&line) else {
            continue;
        };
        let class = number_after(&line, "kw");
        assert!(
            class.is_none_or(|c| c == number % CLASSES),
            "UID {uid}: {line}"
        );
        assert!(!line.contains("unknown-"), "{line}");
    }
}
