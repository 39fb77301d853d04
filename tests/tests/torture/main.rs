//! The store under what a long life brings: another server in the same
//! Maildir, full disks, damaged files, foreign locks and sudden ends.
//!
//! What must hold everywhere: nothing acknowledged is lost, no UID names two
//! messages, no keyword comes to mean another, and a failure is told.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod damaged;
mod full;
mod killed;
mod locked;
mod noroom;
mod status;
mod together;

use roost_tests::client::{Answer, Client};
use roost_tests::roost::{Roost, Setup};
use roost_tests::site::Site;
use roost_tests::state::Mailbox;
use roost_tests::{mail, maildir};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const USER: &str = "maria";

/// The home of one user.
struct Place {
    site: Site,
}

impl Place {
    fn new() -> Self {
        Self {
            site: Site::new(&[USER]).unwrap(),
        }
    }

    fn maildir(&self) -> PathBuf {
        self.site.maildir(USER)
    }

    fn write(&self, path: &Path, bytes: &[u8]) {
        fs::write(path, bytes).unwrap();
        maildir::give(path);
    }

    fn roost(&self) -> Roost {
        self.site.roost(Setup::of(&[USER])).unwrap()
    }

    /// Puts messages into `cur/`, numbered from `first`, as many programs
    /// would have left them.
    fn fill(&self, mailbox: &Path, first: u32, count: u32) {
        for n in first..first + count {
            let path = mailbox
                .join("cur")
                .join(format!("1700{n:06}.M{n}P1.test:2,S"));
            self.write(&path, &mail::small(n));
        }
    }
}

fn login(roost: &Roost) -> Client {
    roost.login(USER)
}

fn read(client: &mut Client, mailbox: &str) -> Mailbox {
    let read = Mailbox::read(client, mailbox).unwrap();
    client.ok("UNSELECT").unwrap();
    read
}

/// What SEARCH has found.
fn uids_of(search: &Answer) -> Vec<u32> {
    let lines = search
        .lines()
        .filter_map(|l| Some(l.strip_prefix("* SEARCH")?.to_owned()));
    let words: Vec<String> = lines.collect();
    let numbers = words.iter().flat_map(|l| l.split_whitespace());
    numbers.map_while(|n| n.parse().ok()).collect()
}

/// The numbers of the messages in a mailbox, by UID.
fn numbers(client: &mut Client, mailbox: &str) -> BTreeMap<u32, u32> {
    client.ok(&format!("EXAMINE {mailbox}")).unwrap();
    let fetch = "UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])";
    let answer = client.ok(fetch).unwrap();
    let found = answer.lines().filter_map(|l| uid_and_number(&l)).collect();
    client.ok("UNSELECT").unwrap();
    found
}

fn number_after(text: &str, what: &str) -> Option<u32> {
    let at = text.find(what)? + what.len();
    let digits: String = text[at..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// Of a FETCH response with UID and Subject.
fn uid_and_number(line: &str) -> Option<(u32, u32)> {
    Some((
        number_after(line, "UID ")?,
        number_after(line, "Subject: Message ")?,
    ))
}
