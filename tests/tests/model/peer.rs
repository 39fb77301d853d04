//! A client with a cache, that believes what it is told.

use super::reference::{Flags, Reference, flags};
use roost_tests::client::{Answer, Client};
use roost_tests::process::eventually;
use roost_tests::roost::{PASSWORD, Roost};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Plain,
    CondStore,
    QResync,
}

pub struct Peer {
    pub kind: Kind,
    pub connection: Option<Client>,
    /// UIDs by message number, as far as they are known.
    list: Vec<Option<u32>>,
    pub cache: BTreeMap<u32, Flags>,
    modseqs: BTreeMap<u32, u64>,
    validity: u64,
    /// What the client takes for the mailbox's (RFC 7162 §6).
    modseq: u64,
}

impl Peer {
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            connection: None,
            list: Vec::new(),
            cache: BTreeMap::new(),
            modseqs: BTreeMap::new(),
            validity: 0,
            modseq: 0,
        }
    }

    /// The MODSEQ of a message as far as this client knows.
    pub fn modseq_of(&self, uid: u32) -> u64 {
        self.modseqs.get(&uid).copied().unwrap_or(self.modseq)
    }

    /// Connects and brings the cache up to date, if it is not connected.
    pub fn connect(&mut self, roost: &Roost, user: &str, reference: &mut Reference) {
        if self.connection.is_some() {
            return;
        }
        let mut client = login(roost, user);
        if self.kind == Kind::QResync {
            client.ok("ENABLE QRESYNC").unwrap();
        }
        self.connection = Some(client);
        self.select(reference);
    }

    /// Selects INBOX, and asks what has changed.
    fn select(&mut self, reference: &mut Reference) {
        self.list.clear();
        let (validity, modseq) = (self.validity, self.modseq);
        let last = self.cache.keys().last().copied().unwrap_or(0);
        let select = match self.kind {
            Kind::Plain => "SELECT INBOX".to_string(),
            Kind::QResync if modseq > 0 => {
                format!("SELECT INBOX (QRESYNC ({validity} {modseq}))")
            }
            _ => "SELECT INBOX (CONDSTORE)".to_string(),
        };
        let answer = self.send(&select);
        let text = text_of(&answer);
        let value = |name| number_after(&text, name).unwrap_or(0);
        self.validity = value("[UIDVALIDITY ");
        let highest = value("[HIGHESTMODSEQ ");
        reference.is_selected(self.validity, highest);
        self.hear(&answer, reference);
        match self.kind {
            Kind::Plain => self.cache.clear(),
            Kind::CondStore => {
                let search = self.send("UID SEARCH ALL");
                let there: Vec<u32> = text_of(&search)
                    .trim_start_matches("* SEARCH")
                    .split_whitespace()
                    .map_while(|n| n.parse().ok())
                    .collect();
                self.cache.retain(|uid, _| there.contains(uid));
                if modseq > 0 && last > 0 {
                    let fetch = format!("UID FETCH 1:{last} (FLAGS) (CHANGEDSINCE {modseq})");
                    self.command(&fetch, reference);
                }
            }
            Kind::QResync => {}
        }
        self.list_all(reference);
        self.modseq = self.modseq.max(highest);
    }

    /// Learns the numbers of all messages, and of new ones everything.
    fn list_all(&mut self, reference: &mut Reference) {
        if !self.list.is_empty() {
            self.command("FETCH 1:* (UID)", reference);
        }
        self.fetch_new(reference);
    }

    /// Fetches messages that are not in the cache.
    fn fetch_new(&mut self, reference: &mut Reference) {
        if self.list.iter().any(Option::is_none) {
            self.command("FETCH 1:* (UID)", reference);
        }
        let known = |uid: &u32| self.cache.contains_key(uid);
        let new: Vec<String> = self
            .list
            .iter()
            .flatten()
            .filter(|uid| !known(uid))
            .map(u32::to_string)
            .collect();
        if !new.is_empty() {
            let modseq = if self.kind == Kind::Plain {
                ""
            } else {
                "MODSEQ "
            };
            let subject = "BODY.PEEK[HEADER.FIELDS (SUBJECT)]";
            let fetch = format!("UID FETCH {} (FLAGS {modseq}{subject})", new.join(","));
            self.command(&fetch, reference);
        }
    }

    pub fn send(&mut self, command: &str) -> Answer {
        let client = self.connection.as_mut().unwrap();
        let answer = client.command(command).unwrap();
        assert!(!answer.tagged.starts_with("BAD"), "{command}: {answer:?}");
        answer
    }

    /// Takes in an answer, and asks for what has come new.
    pub fn take_in(&mut self, answer: &Answer, reference: &mut Reference) {
        self.hear(answer, reference);
        self.fetch_new(reference);
    }

    /// Sends a command and takes in what it is answered.
    pub fn command(&mut self, command: &str, reference: &mut Reference) -> Answer {
        let answer = self.send(command);
        self.hear(&answer, reference);
        answer
    }

    /// The same, and asks for what has come new.
    pub fn act(&mut self, command: &str, reference: &mut Reference) -> Answer {
        let answer = self.command(command, reference);
        self.fetch_new(reference);
        answer
    }

    pub fn append(&mut self, options: &str, message: &[u8], reference: &mut Reference) {
        let client = self.connection.as_mut().unwrap();
        let answer = client.append("INBOX", options, message).unwrap();
        assert!(answer.ok(), "{answer:?}");
        self.hear(&answer, reference);
        self.fetch_new(reference);
    }

    fn hear(&mut self, answer: &Answer, reference: &mut Reference) {
        let (mut told, mut fetched) = (None, 0);
        for line in answer.lines() {
            told = number_after(&line, "* OK [HIGHESTMODSEQ ").or(told);
            fetched = fetched.max(self.line(&line, reference));
        }
        told = number_after(&answer.tagged, "[HIGHESTMODSEQ ").or(told);
        self.modseq = told.unwrap_or(self.modseq.max(fetched));
    }

    /// Takes in one untagged response; the MODSEQ in it.
    fn line(&mut self, line: &str, reference: &mut Reference) -> u64 {
        if let Some(uids) = line.strip_prefix("* VANISHED (EARLIER) ") {
            for uid in set(uids) {
                self.forget(uid);
            }
            return 0;
        }
        if let Some(uids) = line.strip_prefix("* VANISHED ") {
            for uid in set(uids) {
                // One that has come with the same answer has no UID yet.
                let known = self.list.iter().position(|&known| known == Some(uid));
                let at = known.or_else(|| self.list.iter().rposition(Option::is_none));
                self.list
                    .remove(at.unwrap_or_else(|| panic!("{line}: not there")));
                self.forget(uid);
            }
            return 0;
        }
        let Some((number, rest)) = line.strip_prefix("* ").and_then(|l| l.split_once(' ')) else {
            return 0;
        };
        let Ok(number) = number.parse::<usize>() else {
            return 0;
        };
        match rest.split(' ').next() {
            Some("EXISTS") => self.list.resize(number, None),
            Some("EXPUNGE") => {
                assert_ne!(self.kind, Kind::QResync, "{line}");
                if let Some(uid) = self.list.remove(number - 1) {
                    self.forget(uid);
                }
            }
            Some("FETCH") => return self.fetch(number, rest, reference),
            _ => {}
        }
        0
    }

    fn forget(&mut self, uid: u32) {
        self.cache.remove(&uid);
        self.modseqs.remove(&uid);
    }

    fn fetch(&mut self, number: usize, items: &str, reference: &mut Reference) -> u64 {
        let told = number_after(items, "UID ").map(|uid| uid as u32);
        let known = &mut self.list[number - 1];
        if let (Some(a), Some(b)) = (told, *known) {
            assert_eq!(a, b, "message {number} is another: {items}");
        }
        *known = told.or(*known);
        let modseq = number_after(items, "MODSEQ (").unwrap_or(0);
        reference.has_seen(modseq);
        let Some(uid) = *known else {
            return modseq;
        };
        if let Some(n) = number_after(items, "Subject: Message ") {
            reference.is_named(uid, n as u32);
        }
        if modseq > 0 {
            self.modseqs.insert(uid, modseq);
        }
        if let Some((_, rest)) = items.split_once("FLAGS (") {
            let flags = flags(rest.split(')').next().unwrap());
            if modseq > 0 {
                reference.is_told(uid, &flags, modseq);
            }
            self.cache.insert(uid, flags);
        }
        modseq
    }

    /// Carries out what the server does not repeat (STORE .SILENT).
    pub fn apply(&mut self, uid: u32, sign: &str, flag: &str) {
        if let Some(flags) = self.cache.get_mut(&uid) {
            change(flags, sign, flag);
        }
    }
}

/// Logs in; where a worker has just been killed, as soon as there is another.
pub fn login(roost: &Roost, user: &str) -> Client {
    let try_once = || Client::login(roost.addr(), user, PASSWORD).ok();
    eventually(Duration::from_secs(30), try_once).expect("login")
}

/// What STORE does to flags.
pub fn change(flags: &mut Flags, sign: &str, flag: &str) {
    let flag = flag.to_lowercase();
    match sign {
        "+" => {
            flags.insert(flag);
        }
        "-" => {
            flags.remove(&flag);
        }
        _ => *flags = Flags::from([flag]),
    }
}

pub fn set(text: &str) -> Vec<u32> {
    let mut uids = Vec::new();
    for range in text.trim_end().split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        uids.extend(first.parse::<u32>().unwrap()..=last.parse().unwrap());
    }
    uids
}

pub fn text_of(answer: &Answer) -> String {
    answer.lines().collect::<Vec<_>>().join("\n")
}

pub fn number_after(text: &str, what: &str) -> Option<u64> {
    let at = text.find(what)? + what.len();
    let digits = text[at..].split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}
