//! Everybody at once: no message may be lost, doubled, or get two UIDs.

use crate::support::*;
use roost_store::{FlagChange, FlagMode, Snapshot};
use roost_types::{SystemFlags, UidSet};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const FILES: usize = 3_000;

/// Renames files as another mail program does that toggles a flag.
fn rename_all_the_time(cur: &Path, stop: &AtomicBool) {
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        for (n, name) in files(cur).into_iter().enumerate() {
            if n % 7 != round % 7 || stop.load(Ordering::Relaxed) {
                continue;
            }
            let Some((base, flags)) = name.split_once(":2,") else {
                continue;
            };
            let flags = if flags.contains('S') {
                flags.replace('S', "")
            } else {
                format!("{flags}S")
            };
            // Somebody else may have been quicker.
            let _ = std::fs::rename(cur.join(&name), cur.join(format!("{base}:2,{flags}")));
        }
        round += 1;
    }
}

#[test]
fn a_renamer_and_a_deliverer_against_refresh() {
    let site = Site::new();
    let (cur, root) = (site.root().join("cur"), site.root());
    for n in 0..FILES {
        std::fs::write(cur.join(format!("{n}.M1P1.h:2,")), n.to_string()).unwrap();
    }
    let inbox = site.inbox();
    assert_eq!(inbox.snapshot().len() as usize, FILES);
    let (stop, delivering) = (AtomicBool::new(false), AtomicBool::new(true));
    std::thread::scope(|scope| {
        scope.spawn(|| rename_all_the_time(&cur, &stop));
        scope.spawn(|| {
            for n in 0..300 {
                deliver(&root, &format!("{}.M2P2.h", 10_000 + n), &format!("d{n}"));
                std::thread::sleep(Duration::from_millis(3));
            }
            delivering.store(false, Ordering::Relaxed);
        });
        let mut old = inbox.snapshot();
        let start = Instant::now();
        while delivering.load(Ordering::Relaxed) || start.elapsed() < Duration::from_secs(2) {
            let new = inbox.refresh().unwrap();
            let diff = Snapshot::diff(&old, &new);
            assert!(diff.expunged.is_empty(), "lost {:?}", diff.expunged);
            assert_eq!(old.len() + diff.added, new.len());
            old = new;
        }
        stop.store(true, Ordering::Relaxed);
    });
    wait_until("all is there", || {
        inbox.refresh().unwrap().len() as usize == FILES + 300
    });
    let mut texts: Vec<String> = uids_in(&inbox.snapshot())
        .into_iter()
        .map(|n| body(&inbox, n))
        .collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), FILES + 300);
}

#[test]
fn sessions_and_others_together() {
    let mut site = Site::new();
    let inbox = site.inbox();
    let (cur, root) = (site.root().join("cur"), site.root());
    let stop = AtomicBool::new(false);
    // What a text got for a UID, by whoever saw it.
    let seen: Vec<BTreeMap<u32, String>> = std::thread::scope(|scope| {
        scope.spawn(|| rename_all_the_time(&cur, &stop));
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                deliver(&root, &format!("{}.M2P2.h", 10_000 + n), &format!("d{n}"));
                n += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let threads: Vec<_> = (0..4)
            .map(|t| {
                let (inbox, stop) = (&inbox, &stop);
                scope.spawn(move || session(t, inbox, stop))
            })
            .collect();
        std::thread::sleep(Duration::from_secs(3));
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let mut all: BTreeMap<u32, String> = BTreeMap::new();
    for (n, text) in seen.into_iter().flatten() {
        let known = all.entry(n).or_insert_with(|| text.clone());
        assert_eq!(*known, text, "UID {n} was two messages");
    }
    let picture = inbox.refresh().unwrap();
    for n in uids_in(&picture) {
        let text = body(&inbox, n);
        assert_eq!(
            *all.entry(n).or_insert_with(|| text.clone()),
            text,
            "UID {n}"
        );
    }
    tick();
    let before = view(&inbox.refresh().unwrap());
    let on_disk = files(&cur).len() + files(&site.root().join("new")).len();
    assert_eq!(before.len(), on_disk);
    drop(inbox);
    site.restart();
    assert_eq!(view(&site.inbox().snapshot()), before);
}

fn session(
    t: usize,
    inbox: &std::sync::Arc<roost_store::Mailbox>,
    stop: &AtomicBool,
) -> BTreeMap<u32, String> {
    let mut seen = BTreeMap::new();
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        let text = format!("s{t}/{n}");
        let new = append(inbox, &text, SystemFlags::NONE, &["k"]);
        assert_eq!(seen.insert(new.get(), text), None);
        let picture = inbox.refresh().unwrap();
        let some: UidSet = picture
            .iter()
            .skip(n % 11)
            .step_by(5)
            .map(|(_, r)| r.uid)
            .collect();
        let change = FlagChange {
            mode: if n % 2 == 0 {
                FlagMode::Add
            } else {
                FlagMode::Remove
            },
            system: SystemFlags::FLAGGED,
            keywords: &keywords(&["k"]),
            unchanged_since: None,
        };
        inbox.store_flags(&some, &change).unwrap();
        for uid in some.iter().take(3) {
            let mut body = String::new();
            if let Ok(mut message) = inbox.open_message(uid) {
                std::io::Read::read_to_string(&mut message, &mut body).unwrap();
                let known = seen.entry(uid.get()).or_insert_with(|| body.clone());
                assert_eq!(*known, body, "UID {uid}");
            }
        }
        if n % 4 == 0 {
            let victims: UidSet = picture
                .iter()
                .skip(t)
                .step_by(9)
                .map(|(_, r)| r.uid)
                .collect();
            let change = FlagChange {
                mode: FlagMode::Add,
                system: SystemFlags::DELETED,
                keywords: &[],
                unchanged_since: None,
            };
            inbox.store_flags(&victims, &change).unwrap();
            inbox.expunge(Some(&victims)).unwrap();
        }
    }
    seen
}
