//! A mailbox of a million messages works in every command, and the worker
//! that has it selected stays small: nothing may be held for each message but
//! what the index's records are.
//!
//! Thirty thousand by default, so that it takes seconds; the whole is
//! `ROOST_TEST_MESSAGES=1000000 ... --test million -- --nocapture`, which also
//! shows what each command took.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::maildir;
use roost_tests::process::eventually;
use roost_tests::roost::{Roost, Setup, folder};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

const MESSAGES: usize = 30_000;
/// Names for one file: few enough for every file system, and a million
/// messages still have many subjects and Message-IDs.
const LINKS: usize = 4;
/// Messages of one thread, links apart.
const THREAD: usize = 5;
/// One of so many is unseen.
const UNSEEN: usize = 10;
/// One of so many contents has the word that is searched.
const WORD: usize = 16;
/// What the worker may have resident, in octets: a process that has searched
/// and sorted on all its threads, each with memory of its own, and so much for
/// each message; 300 MB with a million. What takes most are THREAD and the
/// first SELECT.
const BASE: u64 = 40_000_000;
const EACH: u64 = 260;
/// For one response; a million files are opened before some.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the mailbox holds, by sequence number less one.
#[derive(Clone, Copy)]
struct Mail {
    messages: usize,
    contents: usize,
    topics: usize,
}

impl Mail {
    fn new(messages: usize) -> Self {
        let contents = messages / LINKS;
        let topics = contents / THREAD;
        Self {
            messages,
            contents,
            topics,
        }
    }

    fn content(self, n: usize) -> usize {
        n % self.contents
    }

    fn topic(self, n: usize) -> usize {
        self.content(n) % self.topics
    }

    /// Seconds; the order is not that of the numbers.
    fn arrival(self, n: usize) -> usize {
        1_600_000_000 + self.content(n) * 7919 % self.contents
    }

    fn unseen(n: usize) -> bool {
        n.is_multiple_of(UNSEEN)
    }

    fn word(self, n: usize) -> bool {
        self.content(n).is_multiple_of(WORD)
    }

    /// Sequence numbers of those for which `wanted` holds.
    fn which(self, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let found = (0..self.messages).filter(|&n| wanted(n));
        found.map(|n| n + 1).collect()
    }

    fn sorted(self, key: impl Fn(usize) -> usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (1..=self.messages).collect();
        numbers.sort_by_key(|&number| key(number - 1));
        numbers
    }

    fn text(self, content: usize) -> String {
        let (topic, first) = (content % self.topics, content < self.topics);
        let re = if first { "" } else { "Re: " };
        let references = match content.checked_sub(self.topics) {
            Some(parent) => format!("References: <{parent}@roost.test>\r\n"),
            None => String::new(),
        };
        let word = if self.word(content) { "wheat" } else { "straw" };
        format!(
            "From: Sender {} <s{}@roost.test>\r\nTo: u@roost.test\r\n\
             Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <{content}@roost.test>\r\n\
             {references}Subject: {re}topic {topic:07}\r\n\r\nNothing but {word}.\r\n",
            content % 97,
            content % 97,
        )
    }
}

/// A mailbox that another program has made; gives its octets.
fn fill(maildir: &Path, mail: Mail) -> u64 {
    maildir::make(maildir);
    let path = |n: usize| {
        let flags = if Mail::unseen(n) { "" } else { "S" };
        let seconds = 1_700_000_000 + n;
        maildir.join(format!("cur/{seconds}.M{n}P1.host:2,{flags}"))
    };
    let mut octets = 0;
    for n in 0..mail.messages {
        let first = path(mail.content(n));
        let text = mail.text(mail.content(n));
        octets += text.len() as u64;
        if n >= mail.contents {
            fs::hard_link(first, path(n)).unwrap();
            continue;
        }
        let mut file = File::create(&first).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let arrival = Duration::from_secs(mail.arrival(n) as u64);
        file.set_modified(UNIX_EPOCH + arrival).unwrap();
        maildir::give(&first);
    }
    octets
}

/// A session that watches what its worker takes.
struct Session<'a> {
    roost: &'a Roost,
    client: Client,
    /// KiB resident.
    limit: u64,
}

impl<'a> Session<'a> {
    fn new(roost: &'a Roost, mail: Mail) -> Self {
        let client = roost.login("u");
        client.set_patience(PATIENCE).unwrap();
        let limit = (BASE + EACH * mail.messages as u64) / 1024;
        Self {
            roost,
            client,
            limit,
        }
    }

    /// A command that must be answered OK; `each` gets every untagged
    /// response, none is kept. Gives the tagged one.
    fn run(&mut self, command: &str, mut each: impl FnMut(&str)) -> String {
        // Where the system allows it, the peak is that of this command alone.
        for worker in self.roost.role_pids("worker") {
            let _ = fs::write(format!("/proc/{worker}/clear_refs"), "5");
        }
        let start = Instant::now();
        let tag = self.client.send(command.as_bytes()).unwrap();
        let tagged = loop {
            let response = self.client.response().unwrap();
            let text = std::str::from_utf8(&response).unwrap();
            match text.strip_prefix(&*tag).and_then(|r| r.strip_prefix(' ')) {
                Some(rest) => break rest.to_owned(),
                None if text.starts_with("* OK [INPROGRESS") => {}
                None => each(text),
            }
        };
        assert!(tagged.starts_with("OK"), "{command}: {tagged}");
        let (took, peak) = (start.elapsed().as_secs_f64(), self.peak());
        let head: String = command.chars().take(60).collect();
        println!("{took:8.2} s {:7} KiB  {head}", peak);
        assert!(peak < self.limit, "{command}: {peak} KiB resident");
        tagged
    }

    /// The most that a worker has had resident.
    fn peak(&self) -> u64 {
        let peaks = self.roost.role_pids("worker").into_iter().map(|worker| {
            let status = fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
            let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
            peak.unwrap()
                .trim()
                .trim_end_matches(" kB")
                .parse()
                .unwrap()
        });
        peaks.max().expect("a worker")
    }

    /// The only untagged response that begins with `head`, without it.
    fn one(&mut self, command: &str, head: &str) -> String {
        let mut found = Vec::new();
        self.run(command, |text| {
            found.extend(text.strip_prefix(head).map(str::to_owned));
        });
        assert_eq!(found.len(), 1, "{command}: {found:?}");
        found.remove(0)
    }

    /// The same as numbers.
    fn numbers(&mut self, command: &str, head: &str) -> Vec<usize> {
        let text = self.one(command, head);
        text.split_ascii_whitespace()
            .map(|word| word.parse().unwrap())
            .collect()
    }

    /// How many untagged responses are of `kind`: `* 7 KIND ...`. `each` gets
    /// the number and what follows.
    fn count(&mut self, command: &str, kind: &str, mut each: impl FnMut(usize, &str)) -> usize {
        let mut count = 0;
        self.run(command, |text| {
            let mut words = text.splitn(4, ' ').skip(1);
            let number = words.next().and_then(|w| w.parse().ok());
            if let (Some(number), true) = (number, words.next() == Some(kind)) {
                each(number, words.next().unwrap_or(""));
                count += 1;
            }
        });
        count
    }

    /// EXISTS, UIDVALIDITY, HIGHESTMODSEQ, UIDs that have vanished, and FETCH
    /// responses.
    fn select(&mut self, parameters: &str) -> Selected {
        let mut told = Selected::default();
        self.run(&format!("SELECT INBOX{parameters}"), |text| {
            let code = |name: &str| text.strip_prefix(name)?.split(']').next()?.parse().ok();
            if let Some(exists) = text.strip_suffix(" EXISTS") {
                told.exists = exists.trim_start_matches("* ").parse().unwrap();
            } else if let Some(valid) = code("* OK [UIDVALIDITY ") {
                told.valid = valid;
            } else if let Some(modseq) = code("* OK [HIGHESTMODSEQ ") {
                told.modseq = modseq;
            } else if let Some(set) = text.strip_prefix("* VANISHED (EARLIER) ") {
                told.vanished += members(set);
            } else if text.contains(" FETCH (") {
                told.fetched += 1;
            }
        });
        told
    }
}

#[derive(Default)]
struct Selected {
    exists: usize,
    valid: u64,
    modseq: u64,
    vanished: usize,
    fetched: usize,
}

/// How many numbers a sequence set has.
fn members(set: &str) -> usize {
    let each = set.split(',').map(|range| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        from.parse::<usize>()
            .unwrap()
            .abs_diff(to.parse::<usize>().unwrap())
            + 1
    });
    each.sum()
}

fn fetches(s: &mut Session<'_>, mail: Mail) {
    let n = mail.messages;
    let mut subjects = Vec::new();
    let newest = s.count(
        &format!("FETCH {}:* (ENVELOPE)", n - 99),
        "FETCH",
        |number, text| {
            subjects.push((number, text.to_owned()));
        },
    );
    assert_eq!(newest, 100);
    for (number, text) in subjects {
        let topic = format!("topic {:07}\"", mail.topic(number - 1));
        assert!(text.contains(&topic), "{number} {text}");
    }
    let mut next = 1;
    s.count("FETCH 1:* FLAGS", "FETCH", |number, text| {
        assert_eq!(number, next);
        assert_eq!(!text.contains(r"\Seen"), Mail::unseen(number - 1), "{text}");
        next += 1;
    });
    assert_eq!(next, n + 1);
    let mut next = 1;
    let all = "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)";
    s.count(all, "FETCH", |number, text| {
        assert_eq!(number, next);
        assert!(text.contains(&format!("UID {number} ")), "{text}");
        let id = format!("<{}@roost.test>", mail.content(number - 1));
        assert!(text.contains(&id), "{text}");
        next += 1;
    });
    assert_eq!(next, n + 1);
}

fn searches(s: &mut Session<'_>, mail: Mail) {
    let unseen = mail.which(Mail::unseen);
    assert_eq!(s.numbers("SEARCH UNSEEN", "* SEARCH "), unseen);
    let told = s.one("SEARCH RETURN (MIN MAX COUNT) UNSEEN", "* ESEARCH ");
    let (max, count) = (unseen.last().unwrap(), unseen.len());
    let wanted = format!("MIN 1 MAX {max} COUNT {count}");
    assert!(told.ends_with(&wanted), "{told}");
    let told = s.one("SEARCH RETURN (PARTIAL -1:-100) SEEN", "* ESEARCH ");
    let set = told.split(['(', ')', ' ']).rfind(|w| w.contains(':'));
    assert_eq!(members(set.unwrap()), 100, "{told}");
    let wanted = mail.which(|n| mail.topic(n) == 7);
    let found = s.numbers(r#"SEARCH SUBJECT "TOPIC 0000007""#, "* SEARCH ");
    assert_eq!(found, wanted);
    let wanted = mail.which(|n| mail.word(n));
    assert_eq!(s.numbers("SEARCH BODY WHEAT", "* SEARCH "), wanted);
    assert_eq!(s.numbers("SEARCH TEXT wheat", "* SEARCH "), wanted);
    s.run("SEARCH RETURN (SAVE) BODY wheat", |_| {});
    let saved = s.count("FETCH $ UID", "FETCH", |_, _| {});
    assert_eq!(saved, wanted.len());
}

/// An administrator sees a search that is under way, and for how long it has been.
fn is_seen(s: &mut Session<'_>) {
    let roost = s.roost;
    let who = || {
        let (_, text) = roost.ctl(&["who", "searching"]);
        text.lines().nth(1).map(str::to_owned)
    };
    let done = AtomicBool::new(false);
    let line = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let line = eventually(PATIENCE, who);
            done.store(true, Ordering::Relaxed);
            line
        });
        while !done.load(Ordering::Relaxed) {
            s.run("SEARCH RETURN (COUNT) BODY wheat", |_| {});
        }
        watcher.join().unwrap()
    });
    let line = line.expect("no search was seen");
    println!("{line}");
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "127.0.0.1", "u", _, running, "searching", "messages"] = words[..] else {
        panic!("{line}");
    };
    assert!(running.ends_with('s') && running.starts_with(|c: char| c.is_ascii_digit()));
}

fn orders(s: &mut Session<'_>, mail: Mail) {
    let sort =
        |s: &mut Session<'_>, key: &str| s.numbers(&format!("SORT ({key}) UTF-8 ALL"), "* SORT ");
    assert!(sort(s, "ARRIVAL") == mail.sorted(|n| mail.arrival(n)));
    assert!(sort(s, "SUBJECT") == mail.sorted(|n| mail.topic(n)));
    for key in ["FROM DATE", "REVERSE SIZE", "DISPLAYTO CC"] {
        let mut numbers = sort(s, key);
        numbers.sort_unstable();
        assert!(numbers == mail.which(|_| true), "{key}");
    }
    for kind in ["ORDEREDSUBJECT", "REFERENCES", "REFS"] {
        threads(s, mail, kind);
    }
}

fn threads(s: &mut Session<'_>, mail: Mail, kind: &str) {
    let told = s.one(&format!("THREAD {kind} UTF-8 ALL"), "* THREAD ");
    let mut seen = vec![false; mail.messages + 1];
    for word in told.split(|c: char| !c.is_ascii_digit()) {
        if let Ok(number) = word.parse::<usize>() {
            assert!(!std::mem::replace(&mut seen[number], true), "{number}");
        }
    }
    assert!(seen[1..].iter().all(|&s| s));
    let (mut depth, mut threads) = (0, 0);
    for byte in told.bytes() {
        match byte {
            b'(' => {
                threads += usize::from(depth == 0);
                depth += 1;
            }
            b')' => depth -= 1,
            _ => {}
        }
    }
    // REFS leaves subjects alone, so each link is a thread.
    let roots = if kind == "REFS" { LINKS } else { 1 };
    assert_eq!(threads, mail.topics * roots, "{kind}");
}

/// How many are gone from the mailbox after it, and how many more changed.
fn changes(s: &mut Session<'_>, mail: Mail, modseq: u64) -> (usize, usize) {
    let (half, part) = (mail.messages / 2, mail.messages / 10);
    let store = format!(r"STORE 1:{half} +FLAGS (\Flagged)");
    assert_eq!(s.count(&store, "FETCH", |_, _| {}), half);
    let told = s.one("SEARCH RETURN (COUNT) FLAGGED", "* ESEARCH ");
    assert!(told.ends_with(&format!("COUNT {half}")), "{told}");
    let changed = format!("FETCH 1:* FLAGS (CHANGEDSINCE {modseq})");
    assert_eq!(s.count(&changed, "FETCH", |_, _| {}), half);
    let told = s.one(
        &format!("SEARCH RETURN (ALL) MODSEQ {}", modseq + 1),
        "* ESEARCH ",
    );
    assert!(told.contains(&format!(" ALL 1:{half} ")), "{told}");
    let store = format!(r"STORE 1:* (UNCHANGEDSINCE {modseq}) -FLAGS.SILENT (\Draft)");
    let tagged = s.run(&store, |_| {});
    assert!(
        tagged.contains(&format!("[MODIFIED 1:{half}]")),
        "{tagged:.80}"
    );
    s.run("CREATE Copies", |_| {});
    s.run("CREATE Moved", |_| {});
    let tagged = s.run(&format!("COPY 1:{part} Copies"), |_| {});
    assert!(
        tagged.contains(&format!(" 1:{part} 1:{part}]")),
        "{tagged:.80}"
    );
    let moved = format!("MOVE 1:{part} Moved");
    assert_eq!(s.count(&moved, "EXPUNGE", |_, _| {}), part);
    let store = format!(r"STORE 1:{part} +FLAGS.SILENT (\Deleted)");
    // The MODSEQ alone, since it has been asked for above.
    let silent = s.count(&store, "FETCH", |_, text| {
        assert!(!text.contains("FLAGS"), "{text}");
    });
    assert_eq!(silent, part);
    assert_eq!(s.count("EXPUNGE", "EXPUNGE", |_, _| {}), part);
    let gone = 2 * part;
    s.count("FETCH 1 UID", "FETCH", |number, text| {
        assert_eq!((number, text), (1, &*format!("(UID {})", gone + 1)));
    });
    for mailbox in ["Copies", "Moved"] {
        let told = s.one(&format!("STATUS {mailbox} (MESSAGES)"), "* STATUS ");
        assert_eq!(told, format!("{mailbox} (MESSAGES {part})"));
    }
    s.run("RENAME Copies Kept", |_| {});
    s.run("DELETE Moved", |_| {});
    (gone, half - gone)
}

/// Mail from elsewhere while it is selected.
fn delivery(s: &mut Session<'_>, maildir: &Path, mail: Mail, exists: usize) {
    let path = maildir.join("new/1900000000.M1P1.host");
    fs::write(&path, mail.text(0)).unwrap();
    maildir::give(&path);
    let told = eventually(PATIENCE, || {
        let mut told = 0;
        s.count("NOOP", "EXISTS", |number, _| told = number);
        (told > 0).then_some(told)
    });
    assert_eq!(told, Some(exists + 1));
}

/// What is done to whole mailboxes.
fn mailboxes(s: &mut Session<'_>, mail: Mail, exists: usize) {
    let text = mail.text(1);
    let answer = s.client.append("INBOX", r"(\Seen)", text.as_bytes());
    assert!(answer.unwrap().ok());
    let tagged = s.run("COPY 1:* Kept", |_| {});
    assert!(tagged.starts_with("OK [COPYUID "), "{tagged:.80}");
    s.run(r"STORE 1:100 +FLAGS.SILENT (\Deleted)", |_| {});
    s.run("CLOSE", |_| {});
    let left = exists + 1 - 100;
    s.run("RENAME INBOX Old", |_| {});
    let mut told = Vec::new();
    s.run(r#"LIST "" * RETURN (STATUS (MESSAGES))"#, |text| {
        told.extend(text.strip_prefix("* STATUS ").map(str::to_owned));
    });
    told.sort();
    let wanted = [
        "INBOX (MESSAGES 0)".to_owned(),
        format!("Kept (MESSAGES {})", mail.messages / 10 + exists + 1),
        format!("Old (MESSAGES {left})"),
    ];
    assert_eq!(told, wanted);
    s.run("DELETE Old", |_| {});
}

#[test]
fn a_huge_mailbox_works_and_its_worker_stays_small() {
    let messages = std::env::var("ROOST_TEST_MESSAGES").map_or(MESSAGES, |n| n.parse().unwrap());
    let mail = Mail::new(messages);
    let dir = folder();
    let maildir = dir.path().join("homes/u/Maildir");
    let octets = fill(&maildir, mail);
    let setup = Setup::of(&["u"]);
    let roost = Roost::start(dir.path(), &setup).unwrap();
    let mut s = Session::new(&roost, mail);
    let first = s.select("");
    assert_eq!(first.exists, messages);
    let told = s.one("STATUS INBOX (MESSAGES UNSEEN SIZE)", "* STATUS INBOX ");
    let unseen = messages.div_ceil(UNSEEN);
    let wanted = format!("(MESSAGES {messages} UNSEEN {unseen} SIZE {octets})");
    assert_eq!(told, wanted);
    fetches(&mut s, mail);
    searches(&mut s, mail);
    is_seen(&mut s);
    orders(&mut s, mail);
    let mut other = Session::new(&roost, mail);
    other.select("");
    let (gone, changed) = changes(&mut s, mail, first.modseq);
    assert_eq!(other.count("NOOP", "EXPUNGE", |_, _| {}), gone);
    let flagged = other.one("SEARCH RETURN (COUNT) FLAGGED", "* ESEARCH ");
    assert!(flagged.ends_with(&format!("COUNT {changed}")), "{flagged}");
    drop(other);
    s.run("UNSELECT", |_| {});
    s.run("ENABLE QRESYNC", |_| {});
    let since = format!(" (QRESYNC ({} {}))", first.valid, first.modseq);
    let exists = messages - gone;
    let check = |s: &mut Session<'_>| {
        let again = s.select(&since);
        assert_eq!((again.exists, again.vanished), (exists, gone));
        assert_eq!(again.fetched, changed);
    };
    check(&mut s);
    drop(s);
    roost.stop();

    // What a new worker makes of the index.
    let roost = Roost::start(dir.path(), &setup).unwrap();
    let mut s = Session::new(&roost, mail);
    s.run("STATUS INBOX (MESSAGES UNSEEN SIZE)", |_| {});
    s.run("ENABLE QRESYNC", |_| {});
    check(&mut s);
    let told = s.one("SEARCH RETURN (COUNT) BODY wheat", "* ESEARCH ");
    let wanted = (gone..messages).filter(|&n| mail.word(n)).count();
    assert!(told.ends_with(&format!("COUNT {wanted}")), "{told}");
    delivery(&mut s, &maildir, mail, exists);
    mailboxes(&mut s, mail, exists + 1);
    drop(s);
    roost.stop();
}
