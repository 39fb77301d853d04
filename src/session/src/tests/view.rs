//! Views with ghosts, as tables.

use super::Site;
use roost_types::{SeqNum, SeqSet, SequenceSet, SetBound, Uid, UidSet};
use std::num::NonZeroU32;

fn uids(ids: &[u32]) -> UidSet {
    ids.iter().filter_map(|&n| Uid::new(n)).collect()
}

fn range(a: u32, b: u32) -> (SetBound, SetBound) {
    let bound = |n| NonZeroU32::new(n).map_or(SetBound::Star, SetBound::Number);
    (bound(a), bound(b))
}

/// UIDs 1 to 7 under numbers 1 to 7, of which `gone` are ghosts.
fn view(gone: &str) -> crate::View {
    let site = Site::new();
    let (mut a, mut b) = (site.client(), site.client());
    a.fill("INBOX", 7);
    a.say("a SELECT INBOX");
    b.say("b SELECT INBOX");
    b.say(&format!("b STORE {gone} +FLAGS.SILENT (\\Deleted)"));
    b.say("b EXPUNGE");
    a.say("a STORE 3 +FLAGS (\\Seen)");
    a.session.selected().unwrap().view().clone()
}

#[test]
fn ghosts_keep_their_numbers() {
    for gone in ["1", "7", "1,7", "2,4:5", "1:2,4:7", "2:7", "4"] {
        let view = view(gone);
        let ghosts: Vec<u32> = view
            .rows(SeqNum::MIN)
            .filter(|m| m.ghost)
            .map(|m| m.seq.get())
            .collect();
        let expected: SeqSet = ghosts.iter().filter_map(|&n| SeqNum::new(n)).collect();
        assert_eq!(expected.to_string(), gone);
        assert_eq!(view.len(), 7);
        assert_eq!(view.last_uid(), Uid::new(7));
        for n in 1..=7 {
            let (seq, uid) = (SeqNum::new(n).unwrap(), Uid::new(n).unwrap());
            assert_eq!(view.uid_at(seq), Some(uid), "{n} with {gone} gone");
            assert_eq!(view.seq_of(uid), Some(seq), "{n} with {gone} gone");
            assert_eq!(view.rows(seq).next().map(|m| m.seq), Some(seq));
            assert_eq!(view.rows(seq).count(), 8 - n as usize);
        }
        assert_eq!(view.uid_at(SeqNum::new(8).unwrap()), None);
        assert_eq!(view.seq_of(Uid::new(8).unwrap()), None);
        assert_eq!(view.rows(SeqNum::new(8).unwrap()).next(), None);
    }
}

#[test]
fn sets_with_ghosts_in_them() {
    let view = view("2,5:6");
    let saved = uids(&[2, 3, 9]);
    let resolve = |ranges: &[_], uid| {
        let set = SequenceSet::Ranges(ranges.to_vec());
        view.resolve(&set, uid, &saved).map(|s| s.to_string())
    };
    let some = |text: &str| Some(text.to_string());
    assert_eq!(resolve(&[range(2, 3)], false), some("2:3"));
    assert_eq!(resolve(&[range(0, 6)], false), some("6:7"));
    assert_eq!(resolve(&[range(8, 8)], false), None);
    assert_eq!(resolve(&[range(1, 8)], false), None);
    assert_eq!(resolve(&[range(6, 4_000_000_000)], true), some("6:7"));
    assert_eq!(resolve(&[range(9, 0)], true), some("7"));
    assert_eq!(resolve(&[range(9, 12)], true), some(""));
    let dollar = view.resolve(&SequenceSet::Saved, false, &saved).unwrap();
    assert_eq!(dollar.to_string(), "2:3");
    let both = view.uids_of(&view.seqs_of(&uids(&[1, 2, 3, 6, 7])));
    assert_eq!(both.live, uids(&[1, 3, 7]));
    assert_eq!(both.ghosts, uids(&[2, 6]));
}

#[test]
fn an_empty_mailbox_has_no_numbers() {
    let site = Site::new();
    let mut client = site.client();
    client.say("a SELECT INBOX");
    let view = client.session.selected().unwrap().view();
    let all = SequenceSet::Ranges(vec![range(1, 0)]);
    let none = UidSet::new();
    assert_eq!(view.resolve(&all, false, &none), None);
    assert_eq!(view.resolve(&all, true, &none), Some(SeqSet::new()));
    assert!(view.is_empty());
}
