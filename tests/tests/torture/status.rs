//! STATUS of mailboxes that nobody has open, in a new process: what it tells is
//! what SELECT tells, whatever has become of the index.

use super::full::Mount;
use super::{Place, login};
use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::maildir;
use roost_tests::process::in_namespace;
use std::fs;
use std::path::{Path, PathBuf};

const NAMES: [&str; 3] = ["INBOX", "One", "Two"];

fn number(text: &str, what: &str) -> u64 {
    let at = text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    let rest = text[at + what.len()..].trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
    rest[..end].parse().unwrap()
}

/// UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ and the messages of each mailbox.
type Told = Vec<[u64; 4]>;

fn by_status(client: &mut Client) -> Told {
    let items = "STATUS (UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES)";
    let answer = client.ok(&format!("LIST \"\" * RETURN ({items})")).unwrap();
    let lines: Vec<String> = answer.lines().collect();
    let of = |name: &str| {
        let begins = format!("* STATUS {name} (");
        let line = lines.iter().find(|l| l.starts_with(&begins)).unwrap();
        let keys = ["UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ", "MESSAGES"];
        keys.map(|key| number(line, key))
    };
    NAMES.map(of).into()
}

fn by_select(client: &mut Client) -> Told {
    let mut of = |name: &str| {
        let answer = client.ok(&format!("EXAMINE {name}")).unwrap();
        let text = answer.lines().collect::<Vec<_>>().join("\n");
        client.ok("UNSELECT").unwrap();
        let exists = text.find(" EXISTS").unwrap();
        let exists = text[..exists].rsplit(' ').next().unwrap();
        let keys = ["[UIDVALIDITY", "[UIDNEXT", "[HIGHESTMODSEQ"];
        let [validity, next, modseq] = keys.map(|key| number(&text, key));
        [validity, next, modseq, exists.parse().unwrap()]
    };
    NAMES.map(&mut of).into()
}

/// Three mailboxes with mail, flags and history, and nobody who has them open.
fn furnish(place: &Place) {
    let roost = place.roost();
    let mut client = login(&roost);
    client.ok("CREATE One").unwrap();
    client.ok("CREATE Two").unwrap();
    for name in NAMES {
        for n in 1..=5 {
            let answer = client.append(name, "(Word)", &mail::small(n)).unwrap();
            assert!(answer.ok(), "{}", answer.tagged);
        }
        client.ok(&format!("SELECT {name}")).unwrap();
        client.ok("STORE 1:2 +FLAGS (\\Deleted)").unwrap();
        client.ok("EXPUNGE").unwrap();
        client.ok("UNSELECT").unwrap();
    }
    client.ok("LOGOUT").unwrap();
    roost.stop();
}

fn index(place: &Place) -> PathBuf {
    place.maildir().join("roost-index")
}

fn each_file(place: &Place, kind: &str, damage: impl Fn(&Path)) {
    let found = fs::read_dir(index(place)).unwrap().flatten();
    let paths = found.map(|e| e.path());
    let paths: Vec<PathBuf> = paths
        .filter(|p| p.to_string_lossy().ends_with(kind))
        .collect();
    assert!(paths.len() >= NAMES.len(), "{paths:?}");
    paths.iter().for_each(|path| damage(path));
}

fn tear(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len - 3).unwrap();
}

#[test]
fn status_tells_what_select_tells_in_a_new_process() {
    type Deed = (&'static str, fn(&Place));
    let deeds: [Deed; 5] = [
        ("nothing", |_| ()),
        ("no index", |place| {
            fs::remove_dir_all(index(place)).unwrap()
        }),
        ("no logs", |place| {
            each_file(place, ".log", |path| fs::remove_file(path).unwrap());
        }),
        ("no snapshots", |place| {
            each_file(place, ".index", |path| fs::remove_file(path).unwrap());
        }),
        ("torn logs", |place| each_file(place, ".log", tear)),
    ];
    let place = Place::new();
    furnish(&place);
    let mut before: Option<Told> = None;
    for (what, deed) in deeds {
        deed(&place);
        let roost = place.roost();
        let mut client = login(&roost);
        let told = by_status(&mut client);
        assert_eq!(by_select(&mut client), told, "{what}");
        for (old, new) in before.iter().flatten().zip(&told) {
            assert!(new[2] >= old[2], "{what}: HIGHESTMODSEQ fell");
            assert_eq!((old[0], old[1], old[3]), (new[0], new[1], new[3]), "{what}");
        }
        before = Some(told.clone());
        client.ok("LOGOUT").unwrap();
        roost.stop();
        // SELECT first, in yet another process.
        let roost = place.roost();
        let mut client = login(&roost);
        assert_eq!(by_select(&mut client), told, "{what}, once more");
        client.ok("LOGOUT").unwrap();
        roost.stop();
    }
}

/// What the last process has written last is not there after a crash.
#[test]
fn status_tells_what_select_tells_after_a_crash() {
    let place = Place::new();
    furnish(&place);
    let mut roost = place.roost();
    let mut client = login(&roost);
    client.ok("SELECT One").unwrap();
    client.ok("STORE 1 +FLAGS (\\Flagged)").unwrap();
    let told = by_status(&mut client);
    roost.crash_and_restart().unwrap();
    let mut client = login(&roost);
    assert_eq!(by_status(&mut client), told);
    assert_eq!(by_select(&mut client), told);
}

#[test]
fn status_on_a_full_disk() {
    if !in_namespace("a small file system") {
        return;
    }
    let place = Place::new();
    let mount = Mount::new(&place.site.homes.join(super::USER));
    maildir::give(&place.site.homes.join(super::USER));
    furnish(&place);
    fs::remove_dir_all(index(&place)).unwrap();
    mount.fill();
    let mut before: Option<Told> = None;
    for _ in 0..2 {
        let roost = place.roost();
        let mut client = login(&roost);
        // Without an index no change numbers are told that do not last.
        let mut told = by_status(&mut client);
        told.iter_mut().for_each(|of| of[2] = 0);
        if let Some(before) = before.replace(told.clone()) {
            assert_eq!(before, told);
        }
        client.ok("LOGOUT").unwrap();
        roost.stop();
    }
    mount.empty();
    let roost = place.roost();
    let mut client = login(&roost);
    let told = by_status(&mut client);
    assert_eq!(by_select(&mut client), told);
}
