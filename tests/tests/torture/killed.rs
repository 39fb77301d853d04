//! Every process killed in the middle of a change.

use super::{Place, login, number_after, numbers};
use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::process::eventually;
use roost_tests::roost::Roost;
use roost_tests::state::Mailbox;
use std::collections::BTreeSet;
use std::time::Duration;

const MANY: u32 = 500;
/// A lock of a dead process is left alone for two seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// When to kill, in milliseconds after the command was sent.
const MOMENTS: [u64; 4] = [3, 12, 30, 70];

/// `MANY` messages in `Src`, an empty `Dst`.
fn furnished() -> (Place, Roost) {
    let place = Place::new();
    let roost = place.roost();
    let mut client = login(&roost);
    for name in ["Src", "Dst"] {
        client.ok(&format!("CREATE {name}")).unwrap();
    }
    place.fill(&place.maildir().join(".Src"), 1, MANY);
    (place, roost)
}

/// Sends a command, kills everything soon after, and starts it again; true if
/// the command was acknowledged.
fn kill_in(client: Client, roost: &mut Roost, command: &[u8], moment: u64) -> bool {
    kill_among(client, roost, &[command], moment) == [true]
}

/// The same for several commands, each with its answer.
fn kill_among(mut client: Client, roost: &mut Roost, commands: &[&[u8]], moment: u64) -> Vec<bool> {
    let tags: Vec<String> = commands.iter().map(|c| client.send(c).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(moment));
    roost.crash_and_restart().unwrap();
    // What was written before the end is still to be read.
    let responses = std::iter::from_fn(|| client.response().ok());
    let acknowledged: Vec<String> = responses
        .filter_map(|r| {
            let text = String::from_utf8_lossy(&r);
            text.split_once(" OK").map(|(tag, _)| tag.to_owned())
        })
        .collect();
    tags.iter().map(|t| acknowledged.contains(t)).collect()
}

fn selected(roost: &Roost) -> Client {
    let mut client = login(roost);
    client.ok("SELECT Src").unwrap();
    client
}

fn all() -> BTreeSet<u32> {
    (1..=MANY).collect()
}

fn values(client: &mut Client, mailbox: &str) -> Vec<u32> {
    numbers(client, mailbox).into_values().collect()
}

/// UIDs known before still name the same messages.
fn same_names(roost: &Roost, before: &std::collections::BTreeMap<u32, u32>) {
    let now = numbers(&mut login(roost), "Src");
    for (uid, number) in now {
        assert_eq!(*before.get(&uid).unwrap_or(&number), number, "UID {uid}");
    }
}

#[test]
fn in_the_middle_of_copy() {
    let (_place, mut roost) = furnished();
    for moment in MOMENTS {
        let mut client = login(&roost);
        let old = values(&mut client, "Dst").len();
        let done = kill_in(selected(&roost), &mut roost, b"COPY 1:* Dst", moment);
        let source: BTreeSet<u32> = values(&mut login(&roost), "Src").into_iter().collect();
        assert_eq!(source, all());
        let copied = values(&mut login(&roost), "Dst").len() - old;
        assert!(!done || copied == MANY as usize, "{copied} of {MANY}");
    }
}

#[test]
fn in_the_middle_of_move() {
    for moment in MOMENTS {
        let (_place, mut roost) = furnished();
        let before = numbers(&mut login(&roost), "Src");
        let done = kill_in(selected(&roost), &mut roost, b"MOVE 1:* Dst", moment);
        same_names(&roost, &before);
        let source = values(&mut login(&roost), "Src");
        // What has no UID yet gets one when the dead worker's lock is broken.
        let target = eventually(PATIENCE, || {
            let target = values(&mut login(&roost), "Dst");
            let both: BTreeSet<u32> = source.iter().chain(&target).copied().collect();
            (both == all()).then_some(target)
        });
        let target = target.unwrap_or_else(|| panic!("lost at {moment} ms"));
        assert!(!done || source.is_empty() && target.len() == MANY as usize);
        let twice: BTreeSet<u32> = target.iter().copied().collect();
        assert_eq!(twice.len(), target.len(), "two of one in one mailbox");
    }
}

#[test]
fn in_the_middle_of_expunge() {
    let (_place, mut roost) = furnished();
    for moment in MOMENTS {
        let mut client = selected(&roost);
        let before = numbers(&mut login(&roost), "Src");
        let half = before.len() / 2;
        client
            .ok(&format!("STORE 1:{half} +FLAGS.SILENT (\\Deleted)"))
            .unwrap();
        let done = kill_in(client, &mut roost, b"EXPUNGE", moment);
        same_names(&roost, &before);
        let now = numbers(&mut login(&roost), "Src");
        let left = before.keys().take(half).filter(|u| now.contains_key(u));
        let left = left.count();
        assert!(!done || left == 0, "{left} of {half} are back");
        for (uid, number) in before.iter().skip(half) {
            assert_eq!(now.get(uid), Some(number));
        }
    }
}

#[test]
fn in_the_middle_of_rename() {
    let (_place, mut roost) = furnished();
    let mut client = login(&roost);
    let children: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
    client.ok("CREATE Old").unwrap();
    let mut validities = Vec::new();
    for name in &children {
        client.ok(&format!("CREATE Old/{name}")).unwrap();
        client
            .append(&format!("Old/{name}"), "", &mail::small(1))
            .unwrap();
        let made = Mailbox::read(&mut client, &format!("Old/{name}")).unwrap();
        validities.push(made.uid_validity);
    }
    for moment in [0, 2, 5] {
        kill_in(login(&roost), &mut roost, b"RENAME Old New", moment);
        let mut client = login(&roost);
        for (name, &validity) in children.iter().zip(&validities) {
            let found: Vec<Mailbox> = ["Old", "New"]
                .iter()
                .filter_map(|top| Mailbox::read(&mut client, &format!("{top}/{name}")).ok())
                .collect();
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(
                (found[0].uid_validity, found[0].messages.len()),
                (validity, 1)
            );
        }
        // What is left under either name can go where the rest is.
        for name in &children {
            let _ = client
                .command(&format!("RENAME New/{name} Old/{name}"))
                .unwrap();
        }
        let _ = client.command("RENAME New Aside").unwrap();
        let _ = client.command("DELETE Aside").unwrap();
        let _ = client.command("CREATE Old").unwrap();
    }
}

#[test]
fn in_the_middle_of_multiappend() {
    let (_place, mut roost) = furnished();
    let mut command = b"APPEND Dst".to_vec();
    for n in 1..=60 {
        let message = mail::small(n);
        command
            .extend_from_slice(format!(" (kept{}) {{{}+}}\r\n", n % 3, message.len()).as_bytes());
        command.extend_from_slice(&message);
    }
    let mut whole = 0;
    for moment in MOMENTS {
        let done = kill_in(login(&roost), &mut roost, &command, moment);
        whole += u32::from(done);
        let found = values(&mut login(&roost), "Dst");
        let count = |n: u32| found.iter().filter(|&&f| f == n).count();
        assert!((1..=60).all(|n| count(n) >= whole as usize), "{whole}");
        check_keywords(&roost, "Dst", "kept", 3, &[]);
    }
}

#[test]
fn in_the_middle_of_new_keywords() {
    let (_place, mut roost) = furnished();
    let mut kept = Vec::new();
    // Twenty-six have letters, the rest stand beside.
    for (round, moment) in [2u64, 5, 9, 14, 20, 30].into_iter().enumerate() {
        let client = selected(&roost);
        let commands: Vec<String> = (0..6)
            .map(|n| {
                let class = round as u32 * 6 + n;
                let uids: Vec<String> = numbers_of_class(class).map(|u| u.to_string()).collect();
                format!("UID STORE {} +FLAGS.SILENT (word{class})", uids.join(","))
            })
            .collect();
        let commands: Vec<&[u8]> = commands.iter().map(String::as_bytes).collect();
        let done = kill_among(client, &mut roost, &commands, moment);
        let done = (round as u32 * 6..).zip(done).filter(|(_, done)| *done);
        kept.extend(done.map(|(class, _)| class));
        check_keywords(&roost, "Src", "word", 36, &kept);
    }
}

/// In `Src` the UID is the message's number.
fn numbers_of_class(class: u32) -> impl Iterator<Item = u32> {
    (1..=MANY).filter(move |n| n % 36 == class)
}

/// A message has no keyword but the one of its class, and has that if the class
/// is one of those whose keyword was acknowledged.
fn check_keywords(roost: &Roost, mailbox: &str, word: &str, classes: u32, kept: &[u32]) {
    let mut client = login(roost);
    client.ok(&format!("EXAMINE {mailbox}")).unwrap();
    let fetch = "UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])";
    for line in client.ok(fetch).unwrap().lines() {
        let Some((_, number)) = super::uid_and_number(&line) else {
            continue;
        };
        let class = number_after(&line, word);
        let own = number % classes;
        assert!(class.is_none_or(|c| c == own), "{line}");
        assert!(class.is_some() || !kept.contains(&own), "lost: {line}");
        assert!(!line.contains("unknown-"), "{line}");
    }
}
