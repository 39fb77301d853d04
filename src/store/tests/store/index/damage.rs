//! An index that is torn, or no longer what was written.

use super::*;

/// The parts that an index consists of, and what was done to them.
fn damaged(bytes: &[u8], cut: bool, at: usize, bit: u8) -> Vec<u8> {
    let at = at % bytes.len().max(1);
    if cut {
        return bytes.get(..at).unwrap_or_default().to_vec();
    }
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1 << bit;
    bytes
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]
    #[test]
    fn damage_anywhere_costs_no_message(
        which in 0usize..2, cut: bool, at: usize, bit in 0u8..8
    ) {
        thread_local! {
            static SITE: std::cell::RefCell<Option<(Site, All)>> =
                const { std::cell::RefCell::new(None) };
        }
        SITE.with_borrow_mut(|kept| {
            let (site, before) = kept.get_or_insert_with(|| {
                let site = Site::new();
                filled(&site);
                let before = all(&site);
                (site, before)
            });
            site.restart();
            let path = index_files(site).swap_remove(which);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, damaged(&bytes, cut, at, bit)).unwrap();
            assert_eq!(without_keywords(all(site)), without_keywords(before.clone()));
            // What was found damaged has been put right by now.
            assert_eq!(all(site), *before);
            for n in uids_in(&site.inbox().snapshot()) {
                assert!(body(&site.inbox(), n).starts_with("Subject"));
            }
            // It can still be changed, and is whole again afterwards.
            store(&site.inbox(), &[5], FlagMode::Add, SystemFlags::NONE, &[]);
            site.restart();
            assert_eq!(all(site), *before);
        });
    }
}

/// Keywords are known once damage that was found has been seen to.
fn without_keywords(mut all: All) -> All {
    for message in all.0.values_mut() {
        message.1.clear();
    }
    all
}

/// Number at an octet of a file.
fn number(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

/// Where the rows begin, and where they end, stands in the header.
const ROWS_AT: usize = 88;
const HEADER: usize = 116;

/// What SELECT and STATUS tell.
fn told(site: &Site) -> impl PartialEq + std::fmt::Debug + use<> {
    let picture = site.inbox().snapshot();
    (
        (picture.len(), picture.unseen(), picture.first_unseen()),
        (picture.deleted(), picture.recent()),
        (picture.first_uid(), picture.last_uid(), picture.uid_next()),
        picture.highest_modseq(),
    )
}

#[test]
fn rows_that_are_lost_are_made_up_and_told_to_everybody() {
    for how in ["rows", "rows and names", "rows, and a log"] {
        let mut site = Site::new();
        filled(&site);
        site.restart();
        drop(all(&site));
        let before = all(&site);
        site.restart();
        let highest = site.inbox().snapshot().highest_modseq();
        let before_told = told(&site);
        site.restart();
        let path = index_files(&site).swap_remove(0);
        let mut bytes = std::fs::read(&path).unwrap();
        let (rows, end) = (number(&bytes, ROWS_AT), number(&bytes, ROWS_AT + 8));
        let from = if how == "rows and names" {
            HEADER
        } else {
            rows
        };
        bytes[from..end].fill(0);
        // The same file, so that the log still believes it.
        std::fs::write(&path, &bytes).unwrap();
        let mut after = before.clone();
        if how == "rows, and a log" {
            store(
                &site.inbox(),
                &[3, 5],
                FlagMode::Replace,
                SystemFlags::SEEN,
                &[],
            );
            for n in [3, 5] {
                after.0.get_mut(&n).unwrap().0 = SystemFlags::SEEN;
                after.0.get_mut(&n).unwrap().1.clear();
            }
            site.restart();
        }
        if how != "rows, and a log" {
            assert_eq!(told(&site), before_told, "{how}: no row is needed for it");
            assert_eq!(told(&site), before_told, "{how}: nor was one read");
        }
        let picture = site.inbox().snapshot();
        assert_eq!(picture.len() as usize, after.0.len(), "{how}");
        assert_eq!(
            without_keywords(all(&site)),
            without_keywords(after.clone()),
            "{how}"
        );
        assert_eq!(all(&site), after, "{how}");
        let changed = site.inbox().snapshot();
        let changed = changed.changed_since(highest).count();
        assert_eq!(
            changed,
            after.0.len(),
            "{how}: who knows what they were told"
        );
        site.restart();
        assert_eq!(all(&site), after, "{how}, written anew");
    }
}

/// Messages that came later are in the log, and go behind the lost ones; or
/// the index is written again before anybody has looked at the disk.
#[test]
fn rows_that_are_lost_stay_lost_until_somebody_has_looked() {
    for how in ["a message in the log", "written again"] {
        let mut site = Site::new();
        filled(&site);
        for _ in 0..2 {
            site.restart();
            drop(all(&site));
        }
        site.restart();
        let highest = site.inbox().snapshot().highest_modseq();
        if how == "a message in the log" {
            append(&site.inbox(), "Subject: y\n\n", SystemFlags::NONE, &[]);
            site.restart();
        }
        let path = index_files(&site).swap_remove(0);
        let mut bytes = std::fs::read(&path).unwrap();
        let (rows, end) = (number(&bytes, ROWS_AT), number(&bytes, ROWS_AT + 8));
        bytes[rows..end].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        if how == "written again" {
            assert!(site.inbox().snapshot().iter().count() > 0);
            site.restart();
        }
        drop(all(&site));
        let picture = site.inbox().snapshot();
        let changed = picture.changed_since(highest).count();
        assert_eq!(changed, picture.len() as usize, "{how}");
    }
}

/// The index knows every message, so that nobody had to read the UID list.
#[test]
fn a_uid_list_that_is_spoilt_before_it_was_read_is_written_from_the_index() {
    for how in ["removed", "overwritten", "cut"] {
        let mut site = Site::new();
        filled(&site);
        let before = all(&site);
        let validity = site.inbox().snapshot().uid_validity();
        // What the second opening finds settled, the third need not read.
        site.restart();
        assert!(all(&site) == before);
        site.restart();
        let inbox = site.inbox();
        let path = site.root().join("dovecot-uidlist");
        let text = std::fs::read(&path).unwrap();
        match how {
            "removed" => std::fs::remove_file(&path).unwrap(),
            "overwritten" => std::fs::write(&path, "garbage\n").unwrap(),
            _ => std::fs::write(&path, &text[..text.len() / 2]).unwrap(),
        }
        deliver(&site.root(), "9999999999.M1P1.h", "new");
        wait_until("the new message is there", || {
            inbox.refresh().unwrap();
            inbox.snapshot().len() as usize == before.0.len() + 1
        });
        drop(inbox);
        for round in ["memory", "disk"] {
            let (mut messages, next, mut guids) = all(&site);
            let (&newest, _) = messages.last_key_value().unwrap();
            assert!(newest >= before.1 && next > newest, "{how}, {round}");
            messages.remove(&newest);
            guids.pop();
            assert!(messages == before.0 && guids == before.2, "{how}, {round}");
            assert_eq!(site.inbox().snapshot().uid_validity(), validity, "{how}");
            site.restart();
            let _ = std::fs::remove_dir_all(site.root().join("roost-index"));
        }
    }
}
