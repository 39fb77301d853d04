//! Another program that holds the lock of a mailbox for long.

use super::{Place, login};
use roost_tests::mail;
use std::fs;
use std::time::{Duration, Instant};

/// Far below the time that a change waits for the lock.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn a_foreign_lock_keeps_only_those_waiting_who_need_it() {
    let place = Place::new();
    let roost = place.roost();
    let mut client = login(&roost);
    client.ok("CREATE Other").unwrap();
    for n in 1..=5 {
        assert!(client.append("INBOX", "", &mail::small(n)).unwrap().ok());
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let lock = place.maildir().join("dovecot-uidlist.lock");
    let holder = format!("{}:{}", std::process::id(), host.trim());
    place.write(&lock, holder.as_bytes());

    let mut waiting = login(&roost);
    let message = mail::small(6);
    let head = format!("APPEND INBOX {{{}+}}\r\n", message.len());
    let tag = waiting.send(&[head.as_bytes(), &message].concat()).unwrap();
    place.write(
        &place.maildir().join("new/1700000001.M1P1.test"),
        &mail::small(7),
    );

    let mut quick = login(&roost);
    let mut at_once = |command: &str| {
        let start = Instant::now();
        let answer = quick.ok(command).unwrap();
        assert!(
            start.elapsed() < AT_ONCE,
            "{command}: {:?}",
            start.elapsed()
        );
        answer
    };
    at_once("SELECT INBOX");
    at_once("FETCH 1:* (FLAGS BODY.PEEK[])");
    at_once("NOOP");
    at_once("STATUS INBOX (MESSAGES UIDNEXT)");
    at_once("LIST \"\" * RETURN (STATUS (MESSAGES))");
    at_once("COPY 1:3 Other");
    at_once("SELECT Other");
    at_once("STORE 1 +FLAGS (\\Flagged Word)");
    at_once("STATUS INBOX (UNSEEN)");
    // A change of flags that does not need the lock goes on without it.
    quick.ok("SELECT INBOX").unwrap();
    let start = Instant::now();
    quick.ok("STORE 1 +FLAGS (\\Flagged)").unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    let start = Instant::now();
    quick.ok("FETCH 1 FLAGS").unwrap();
    assert!(start.elapsed() < AT_ONCE);

    fs::remove_file(&lock).unwrap();
    let answer = waiting.wait(&tag).unwrap();
    assert!(answer.ok(), "{}", answer.tagged);
    let uids = super::numbers(&mut quick, "INBOX");
    assert_eq!(uids.len(), 7, "{uids:?}");
}
