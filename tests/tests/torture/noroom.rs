//! Disks on which nothing more can be written: the one with the Maildir, where
//! even a rename may need room, and the one with the index, which is worth no
//! command's failure.

use super::full::Mount;
use super::{Place, USER, login, read, uids_of};
use roost_tests::client::{Answer, Client};
use roost_tests::mail;
use roost_tests::maildir;
use roost_tests::process::in_namespace;
use roost_tests::roost::{Roost, Setup};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const MESSAGES: u32 = 200;
/// Letters of a file's name.
const KEYWORDS: usize = 24;

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A folder of an index elsewhere, and the server that uses it.
fn with_index(place: &Place, index: &Path) -> Roost {
    let setting = format!("index_dir = {}", index.display());
    let setup = Setup::of(&[USER]).with(&[("mail", &setting)]);
    place.site.roost(setup).unwrap()
}

/// Messages whose FETCH responses show the first keyword, by number.
fn told(answer: &Answer, known: &mut BTreeSet<u32>) {
    for line in answer.lines() {
        let Some((number, rest)) = line
            .strip_prefix("* ")
            .and_then(|l| l.split_once(" FETCH "))
        else {
            continue;
        };
        if rest.contains("k0 ") {
            known.insert(number.parse().unwrap());
        }
    }
}

/// Messages whose files have the letter of the first keyword, by number.
fn renamed(maildir: &Path) -> BTreeSet<u32> {
    let names = fs::read_dir(maildir.join("cur")).unwrap();
    let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
    let with_letter = names.filter(|n| n.rsplit(',').next().unwrap().contains('a'));
    let number = |name: String| super::number_after(&name, ".M").unwrap();
    with_letter.map(number).collect()
}

#[test]
fn renames_without_room_are_refused_and_the_others_told() {
    if !in_namespace("a small file system") {
        return;
    }
    let place = Place::new();
    let home = place.site.homes.join(USER);
    let Some(mount) = Mount::ext4(&home) else {
        eprintln!("skipped: no image of ext4 can be mounted here");
        return;
    };
    maildir::give(&home);
    let mut roost = place.roost();
    let mut client = login(&roost);
    client.ok("SELECT INBOX").unwrap();
    for n in 1..=MESSAGES {
        // Short, so that its letters make it more than twice as long.
        let path = place.maildir().join(format!("cur/1.M{n}P:2,"));
        place.write(&path, &mail::small(n));
    }
    let all: Vec<String> = (0..KEYWORDS).map(|n| format!("k{n}")).collect();
    let all = all.join(" ");
    client.ok("NOOP").unwrap();
    // Each has its letter, and those are to be removed later.
    client.ok(&format!("STORE 1 +FLAGS ({all})")).unwrap();
    client.ok(&format!("STORE 1 -FLAGS ({all})")).unwrap();
    client.ok("STORE 1:9 +FLAGS (\\Deleted)").unwrap();
    mount.fill();
    let mut known = BTreeSet::new();
    let store = format!("STORE 1:* +FLAGS ({all})");
    let answer = client.command(&store).unwrap();
    assert!(
        answer.tagged.starts_with("NO [OVERQUOTA] "),
        "{}",
        answer.tagged
    );
    told(&answer, &mut known);
    told(&client.ok("NOOP").unwrap(), &mut known);
    assert_eq!(known, renamed(&place.maildir()));
    assert!(known.len() < MESSAGES as usize);
    drop(client);
    roost.crash_and_restart().unwrap();
    // Still full.
    let mut client = login(&roost);
    client.ok("SELECT INBOX").unwrap();
    let found = client.ok("UID SEARCH KEYWORD k0").unwrap();
    let uids: BTreeSet<u32> = uids_of(&found).into_iter().collect();
    assert_eq!(uids, known);
    // That makes room.
    let gone = client.ok("EXPUNGE").unwrap();
    assert_eq!(gone.lines().filter(|l| l.ends_with(" EXPUNGE")).count(), 9);
    mount.empty();
    client.ok(&store).unwrap();
    assert_eq!(renamed(&place.maildir()).len(), MESSAGES as usize - 9);
    let left = read(&mut client, "INBOX").messages;
    assert_eq!(
        left.keys().copied().collect::<Vec<_>>(),
        (10..=MESSAGES).collect::<Vec<_>>()
    );
}

fn work(client: &mut Client, first: u32) {
    for n in first..first + 5 {
        let answer = client.append("INBOX", "(Word)", &mail::small(n)).unwrap();
        assert!(answer.ok(), "{answer:?}");
    }
    client.ok("SELECT INBOX").unwrap();
    for command in [
        "STORE 1:2 +FLAGS (\\Flagged)",
        "COPY 1 Other",
        "MOVE 2 Other",
        "STORE 1 +FLAGS (\\Deleted)",
        "EXPUNGE",
        "SEARCH TEXT body",
        "FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
        "SORT (SUBJECT) UTF-8 ALL",
        "STATUS Other (MESSAGES UNSEEN)",
    ] {
        client.ok(command).unwrap();
    }
}

fn complaints(roost: &Roost, what: &str) -> usize {
    roost.log().matches(what).count()
}

#[test]
fn without_room_for_the_index_everything_works() {
    if !in_namespace("a small file system") {
        return;
    }
    let place = Place::new();
    let index = place.site.dir.path().join("index");
    fs::create_dir(&index).unwrap();
    let mount = Mount::new(&index);
    maildir::give(&index);
    let mut roost = with_index(&place, &index);
    let mut client = login(&roost);
    client.ok("CREATE Other").unwrap();
    work(&mut client, 1);
    mount.fill();
    work(&mut client, 11);
    work(&mut client, 21);
    let before = [read(&mut client, "INBOX"), read(&mut client, "Other")];
    assert_eq!(before[0].messages.len(), 9);
    drop(client);
    roost.crash_and_restart().unwrap();
    let mut client = login(&roost);
    assert_eq!(
        [read(&mut client, "INBOX"), read(&mut client, "Other")],
        before
    );
    work(&mut client, 31);
    // For each mailbox in each of the two processes.
    let complaints = complaints(&roost, "index cannot be written");
    assert!(
        (1..=4).contains(&complaints),
        "{complaints}:\n{}",
        roost.log()
    );
}

#[test]
fn with_an_index_that_is_read_only_everything_works() {
    if !in_namespace("a small file system") {
        return;
    }
    let place = Place::new();
    let index = place.site.dir.path().join("index");
    fs::create_dir(&index).unwrap();
    let _mount = Mount::new(&index);
    maildir::give(&index);
    let mut roost = with_index(&place, &index);
    let mut client = login(&roost);
    client.ok("CREATE Other").unwrap();
    work(&mut client, 1);
    drop(client);
    roost.crash_and_restart().unwrap();
    done(Command::new("mount").args(["-o", "remount,ro"]).arg(&index));
    let mut client = login(&roost);
    work(&mut client, 11);
    work(&mut client, 21);
    let before = [read(&mut client, "INBOX"), read(&mut client, "Other")];
    assert_eq!(
        complaints(&roost, "working without an index"),
        1,
        "{}",
        roost.log()
    );
    drop(client);
    done(Command::new("mount").args(["-o", "remount,rw"]).arg(&index));
    roost.crash_and_restart().unwrap();
    let mut client = login(&roost);
    assert_eq!(
        [read(&mut client, "INBOX"), read(&mut client, "Other")],
        before
    );
}

/// Keywords beyond those that have letters stand in a file of their own.
#[test]
fn keywords_that_cannot_be_written_down_are_not_told() {
    if !in_namespace("a small file system") {
        return;
    }
    let place = Place::new();
    let home = place.site.homes.join(USER);
    let mount = Mount::new(&home);
    maildir::give(&home);
    let index = place.site.dir.path().join("index");
    fs::create_dir(&index).unwrap();
    maildir::give(&index);
    let mut roost = with_index(&place, &index);
    let mut client = login(&roost);
    client.ok("SELECT INBOX").unwrap();
    place.fill(&place.maildir(), 1, 9);
    client.ok("NOOP").unwrap();
    let all: Vec<String> = (0..40).map(|n| format!("k{n}")).collect();
    client
        .ok(&format!("STORE 1 +FLAGS ({})", all.join(" ")))
        .unwrap();
    let before = read(&mut login(&roost), "INBOX");
    mount.fill();
    // Room for the lock, so that the file can be written to its block's end.
    mount.give_back_one();
    let mut other = login(&roost);
    other.ok("SELECT INBOX").unwrap();
    let mut refused = None;
    for n in 0..400 {
        let sign = ["+", "-"][n % 2];
        let command = format!("STORE 2:9 {sign}FLAGS (k35 k36 k37 k38)");
        let answer = client.command(&command).unwrap();
        if !answer.ok() {
            assert!(
                answer.tagged.starts_with("NO [OVERQUOTA] "),
                "{}",
                answer.tagged
            );
            refused = Some(n);
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(refused > 0);
    let has = |client: &mut Client| uids_of(&client.ok("UID SEARCH KEYWORD k36").unwrap());
    let expected: &[u32] = if refused % 2 == 0 {
        &[1]
    } else {
        &[1, 2, 3, 4, 5, 6, 7, 8, 9]
    };
    for client in [&mut client, &mut other] {
        client.ok("NOOP").unwrap();
        assert_eq!(has(client), expected);
    }
    drop((client, other));
    roost.crash_and_restart().unwrap();
    mount.empty();
    let mut client = login(&roost);
    client.ok("SELECT INBOX").unwrap();
    assert_eq!(has(&mut client), expected);
    client.ok("STORE 2:9 -FLAGS (k35 k36 k37 k38)").unwrap();
    assert_eq!(read(&mut client, "INBOX"), before);
}
