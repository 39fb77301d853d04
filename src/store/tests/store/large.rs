//! A hundred thousand messages. Times are printed, for machines differ.

use crate::support::*;
use roost_store::Details;
use roost_store::{FlagChange, FlagMode};
use roost_types::{SystemFlags, Uid, UidSet};
use std::time::Instant;

const MESSAGES: usize = 100_000;

#[test]
fn a_hundred_thousand_messages_open_and_work() {
    let mut site = Site::new();
    let cur = site.root().join("cur");
    let first = cur.join("first");
    std::fs::write(&first, "x\n").unwrap();
    // Links, for what counts here are names; a file takes so many of them.
    let mut source = first.clone();
    for n in 0..MESSAGES {
        if n % 30_000 == 29_999 {
            source = cur.join(format!("source{n}"));
            std::fs::write(&source, "x\n").unwrap();
        }
        let name = format!(
            "{}.M{n}P77.mail.example.org,S=2,W=3:2,S",
            1_700_000_000 + n / 10
        );
        std::fs::hard_link(&source, cur.join(name)).unwrap();
    }
    for name in files(&cur).iter().filter(|n| !n.contains(':')) {
        std::fs::remove_file(cur.join(name)).unwrap();
    }
    tick();
    let timed = |what: &str, start: Instant| println!("{what}: {:?}", start.elapsed());
    let start = Instant::now();
    let inbox = site.inbox();
    timed("first opening, all UIDs given out", start);
    assert_eq!(inbox.snapshot().len() as usize, MESSAGES);
    drop(inbox);
    site.restart();
    let start = Instant::now();
    let inbox = site.inbox();
    timed("opening", start);
    let picture = inbox.snapshot();
    assert_eq!((picture.len() as usize, picture.unseen()), (MESSAGES, 0));
    let start = Instant::now();
    for _ in 0..1000 {
        inbox.refresh().unwrap();
    }
    timed("1000 refreshes without changes", start);
    let start = Instant::now();
    assert_eq!(
        inbox.status(Details::Sizes).unwrap().sizes.unwrap().all,
        3 * MESSAGES as u64
    );
    timed("STATUS SIZE", start);
    let start = Instant::now();
    deliver(&site.root(), "1.M1P1.h", "x");
    wait_until("the delivery shows", || {
        inbox.snapshot().len() as usize == MESSAGES + 1
    });
    timed("a delivery", start);
    let all = UidSet::range(Uid::MIN, uid(MESSAGES as u32 + 1));
    let start = Instant::now();
    let change = FlagChange {
        mode: FlagMode::Add,
        system: SystemFlags::FLAGGED | SystemFlags::DELETED,
        keywords: &[],
        unchanged_since: None,
    };
    assert!(inbox.store_flags(&all, &change).unwrap().missing.is_empty());
    timed("STORE on all", start);
    let start = Instant::now();
    assert_eq!(inbox.expunge(None).unwrap(), all);
    timed("EXPUNGE of all", start);
    assert!(inbox.refresh().unwrap().is_empty());
    assert!(files(&cur).is_empty());
}
