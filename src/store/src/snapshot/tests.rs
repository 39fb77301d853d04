//! Pictures made by drafts, and their differences.

use super::draft::{Draft, NewRow};
use super::keywords::{KeywordSetId, SetKey};
use super::sight::{Sight, Sights};
use super::{IN_NEW, RECENT, Snapshot};
use crate::format::name::Letters;
use proptest::prelude::*;
use roost_types::{Keyword, SeqNum, SystemFlags, Uid, UidSet, UidValidity};
use std::collections::BTreeMap;
use std::sync::Arc;

fn uid(n: u32) -> Uid {
    Uid::new(n).unwrap()
}

fn row(n: u32, flags: SystemFlags) -> (Uid, SystemFlags, String) {
    (uid(n), flags, format!("{n}.M1P1.host,S={n},W={}", n + 1))
}

fn push(draft: &mut Draft, n: u32, flags: SystemFlags, state: u8) {
    let (uid, flags, base) = row(n, flags);
    draft.push(&NewRow {
        uid,
        flags,
        keywords: KeywordSetId::EMPTY,
        state,
        base: base.as_bytes(),
        guid: None,
        stored: Some(u64::from(n)),
        size: None,
        saved: None,
    });
}

fn filled(count: u32) -> Snapshot {
    let mut draft = Draft::first(UidValidity::MIN, Uid::MIN, 7);
    for n in 1..=count {
        push(&mut draft, n, SystemFlags::NONE, RECENT | IN_NEW);
    }
    draft.finish()
}

#[test]
fn one_changed_flag_copies_one_chunk() {
    let old = filled(5_000);
    assert_eq!(old.chunks.len(), 5);
    let mut draft = Draft::of(&old);
    draft.set_flags(2_500, SystemFlags::SEEN, KeywordSetId::EMPTY);
    let new = draft.finish();
    let shared = old
        .chunks
        .iter()
        .zip(&new.chunks)
        .filter(|(a, b)| Arc::ptr_eq(a, b));
    assert_eq!(shared.count(), 4);
    let diff = Snapshot::diff(&old, &new);
    assert_eq!(diff.changed.len(), 1);
    assert_eq!(diff.changed[0].0, SeqNum::new(2_500).unwrap());
    assert_eq!((new.unseen(), old.unseen()), (4_999, 5_000));
    assert!(new.highest_modseq() > old.highest_modseq());
    let row = new.row(SeqNum::new(2_500).unwrap()).unwrap();
    assert_eq!(row.modseq, new.highest_modseq());
    assert!(
        new.changed_since(old.highest_modseq())
            .eq(diff.changed.iter().copied())
    );
    assert_eq!(new.changed_since(roost_types::ModSeq(6)).count(), 5_000);
    assert_eq!(new.changed_since(new.highest_modseq()).count(), 0);
}

/// The next picture, in which a message has the only keyword, of that name.
fn marked(old: &Snapshot, n: u32, name: &str) -> Snapshot {
    let mut draft = Draft::of(old);
    let keyword = Keyword::new(name).unwrap();
    draft.rename_keywords([(0, &keyword)].into_iter(), [].into_iter());
    let mut letters = Letters::NONE;
    letters.insert(0);
    let set = draft.intern(&SetKey::of_letters(letters)).unwrap();
    draft.set_flags(n, SystemFlags::NONE, set);
    draft.finish()
}

#[test]
fn pictures_of_what_is_shown_share_all_but_what_is_not() {
    let mut sights = Sights::default();
    let plain = Arc::new(filled(5_000));
    assert!(Arc::ptr_eq(&sights.shown(&plain, Sight::USUAL), &plain));
    let whole = Arc::new(marked(&plain, 2_500, "$service"));
    let shown = sights.shown(&whole, Sight::USUAL);
    assert!(Arc::ptr_eq(&shown, &sights.shown(&whole, Sight::USUAL)));
    assert!(Arc::ptr_eq(&whole, &sights.shown(&whole, Sight::ALL)));
    assert_eq!((shown.len(), shown.unseen()), (4_999, 4_999));
    assert_eq!(shown.left_out(), &UidSet::range(uid(2_500), uid(2_500)));
    assert_eq!(shown.row_of(uid(2_500)), None);
    assert_eq!(shown.seq_of(uid(2_501)), SeqNum::new(2_500));
    assert_eq!(shown.known_size(uid(2_499)), whole.known_size(uid(2_499)));
    let same = |a: &Snapshot, b: &Snapshot| {
        let pairs = a.chunks.iter().zip(&b.chunks);
        pairs.filter(|(a, b)| Arc::ptr_eq(a, b)).count()
    };
    assert_eq!(same(&whole, &shown), 4);
    let diff = Snapshot::diff(&plain, &shown);
    assert_eq!(diff.expunged, [(SeqNum::new(2_500).unwrap(), uid(2_500))]);
    assert_eq!((diff.added, diff.changed.len()), (0, 0));
    // What is shown of a chunk is made once.
    let mut draft = Draft::of(&whole);
    draft.set_flags(1, SystemFlags::SEEN, KeywordSetId::EMPTY);
    let later = sights.shown(&Arc::new(draft.finish()), Sight::USUAL);
    assert_eq!(same(&later, &shown), 4);
    // A keyword of another name has another meaning.
    let renamed = Arc::new(marked(&whole, 7, "other"));
    let back = sights.shown(&renamed, Sight::USUAL);
    assert!(Arc::ptr_eq(&back, &renamed));
    let came = shown.came_back(&back);
    assert_eq!(came, UidSet::range(uid(2_500), uid(2_500)));
    let without = back.without(&came);
    assert_eq!(without.left_out(), &came);
    assert_eq!(Snapshot::diff(&shown, &without).added, 0);
    assert!(Arc::ptr_eq(&back, &back.without(&UidSet::new())));
    // Those who have not seen the same share it.
    let shared = sights.without(&back, &came);
    assert_eq!(shared.left_out(), &came);
    assert!(Arc::ptr_eq(&shared, &sights.without(&back, &came)));
    let less = UidSet::range(uid(1), uid(2));
    assert_eq!(sights.without(&back, &less).left_out(), &less);
    assert!(Arc::ptr_eq(&back, &sights.without(&back, &UidSet::new())));
}

#[test]
fn who_is_shown_what() {
    let mut sights = Sights::default();
    let whole = Arc::new(marked(&filled(3), 1, "$Hidden"));
    let mut len = |service, hidden| sights.shown(&whole, Sight { service, hidden }).len();
    assert_eq!((len(true, true), len(false, true)), (3, 3));
    assert_eq!((len(true, false), len(false, false)), (2, 2));
    // Nothing is left of a chunk.
    let whole = Arc::new(marked(&filled(1), 1, "$Service"));
    let none = sights.shown(&whole, Sight::USUAL);
    assert!(none.is_empty() && none.last_uid().is_none());
    assert_eq!(none.uid_next(), whole.uid_next());
}

#[test]
fn what_sessions_do_not_see_is_no_change() {
    let old = filled(10);
    let mut draft = Draft::of(&old);
    draft.update(3, |r| r.set(RECENT, false));
    assert!(draft.touched() && !draft.changed());
    let new = draft.finish();
    assert_eq!((old.recent(), new.recent()), (10, 9));
    assert_eq!(Snapshot::diff(&old, &new), Default::default());
    assert_eq!(new.highest_modseq(), old.highest_modseq());
}

#[test]
fn single_deliveries_fill_chunks() {
    let mut picture = filled(0);
    for n in 1..=2_100 {
        let mut draft = Draft::of(&picture);
        push(&mut draft, n, SystemFlags::NONE, 0);
        picture = draft.finish();
    }
    assert_eq!(picture.chunks.len(), 3);
    assert_eq!(picture.uid_next(), uid(2_101));
    let cold = picture.cold(1_500).unwrap();
    assert_eq!(cold.base(), b"1500.M1P1.host,S=1500,W=1501");
    assert_eq!(cold.stored(), Some(1_500));
}

#[test]
fn what_was_learnt_survives_the_copying_of_chunks() {
    let old = filled(10);
    old.cold(4).unwrap().set_size(44);
    old.cold(4).unwrap().set_dates(-5, 6);
    old.cold(4).unwrap().set_dates(9, 9);
    let mut draft = Draft::of(&old);
    push(&mut draft, 11, SystemFlags::NONE, 0);
    let new = draft.finish();
    let cold = new.cold(4).unwrap();
    assert_eq!(
        (cold.size(), cold.internal_date(), cold.save_date()),
        (Some(44), Some(-5), Some(6))
    );
    assert_eq!(new.cold(11).unwrap().internal_date(), None);
}

#[test]
fn chunks_of_a_shrinking_mailbox_are_merged() {
    let old = filled(10_000);
    let mut draft = Draft::of(&old);
    let gone: UidSet = (1..=10_000).filter(|n| n % 50 != 0).map(uid).collect();
    draft.remove(&gone);
    let new = draft.finish();
    assert_eq!(new.len(), 200);
    assert_eq!(new.chunks.len(), 1);
    assert_eq!(new.cold(50).unwrap().base(), b"50.M1P1.host,S=50,W=51");
    assert_eq!(new.uid_next(), uid(10_001));
}

#[test]
fn renamed_keywords_touch_their_messages() {
    let mut draft = Draft::of(&filled(3));
    let mut letters = Letters::NONE;
    letters.insert(2);
    let key = SetKey {
        letters,
        extras: Box::default(),
    };
    let set = draft.intern(&key).unwrap();
    draft.set_flags(2, SystemFlags::NONE, set);
    let old = draft.finish();
    let mut draft = Draft::of(&old);
    let name = roost_types::Keyword::new("Later").unwrap();
    draft.rename_keywords([(2, &name)].into_iter(), [].into_iter());
    let new = draft.finish();
    let mut again = Draft::of(&new);
    again.rename_keywords([(2, &name)].into_iter(), [].into_iter());
    assert!(!again.touched());
    let diff = Snapshot::diff(&old, &new);
    assert_eq!(
        diff.changed.iter().map(|c| c.1.uid).collect::<Vec<_>>(),
        [uid(2)]
    );
    assert!(diff.keywords_changed);
    assert_eq!(new.keyword_names(diff.changed[0].1.keywords), [name]);
}

#[derive(Clone, Debug)]
enum Op {
    Push(u32),
    Flag(u32, u8),
    Remove(u32, u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (1u32..1_500).prop_map(Op::Push),
        (1u32..4_000, 0u8..32).prop_map(|(n, f)| Op::Flag(n, f)),
        (1u32..4_000, 0u32..1_500).prop_map(|(n, k)| Op::Remove(n, n + k)),
    ]
}

type Model = BTreeMap<u32, SystemFlags>;

fn check(picture: &Snapshot, model: &Model) -> Result<(), TestCaseError> {
    let rows: Vec<_> = picture
        .iter()
        .map(|(_, r)| (r.uid.get(), r.flags))
        .collect();
    let expected: Vec<_> = model.iter().map(|(&u, &f)| (u, f)).collect();
    prop_assert_eq!(rows, expected);
    prop_assert_eq!(picture.len() as usize, model.len());
    let unseen = model
        .values()
        .filter(|f| !f.contains(SystemFlags::SEEN))
        .count();
    prop_assert_eq!(picture.unseen() as usize, unseen);
    let first = model.values().position(|f| !f.contains(SystemFlags::SEEN));
    prop_assert_eq!(picture.first_unseen().map(|s| s.get() as usize - 1), first);
    for (at, &n) in model.keys().enumerate().step_by(97) {
        let seq = SeqNum::new(at as u32 + 1).unwrap();
        prop_assert_eq!(picture.seq_of(uid(n)), Some(seq));
        prop_assert_eq!(picture.uid_at(seq), Some(uid(n)));
        prop_assert_eq!(picture.count_below(uid(n)) as usize, at);
        prop_assert_eq!(
            picture.rows_from(seq).next(),
            picture.row(seq).map(|r| (seq, r))
        );
        let base = format!("{n}.M1P1.host,S={n},W={}", n + 1);
        let cold = picture.cold(n).unwrap();
        prop_assert_eq!(cold.base(), base.as_bytes());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_picture_is_what_was_done_and_diffs_lead_to_the_next(
        steps in prop::collection::vec(prop::collection::vec(op(), 1..4), 1..8)
    ) {
        let mut picture = filled(0);
        let mut model = Model::new();
        let mut next = 1;
        for step in steps {
            let mut draft = Draft::of(&picture);
            let mut after = model.clone();
            let mut pushes = 0;
            for op in step {
                match op {
                    Op::Push(count) => pushes += count,
                    Op::Flag(n, bits) => if let Some(flags) = after.get_mut(&n) {
                        *flags = SystemFlags::from_bits(bits);
                        draft.set_flags(n, *flags, KeywordSetId::EMPTY);
                    },
                    Op::Remove(a, b) => {
                        after.retain(|n, _| *n < a || *n > b);
                        draft.remove(&UidSet::range(uid(a), uid(b)));
                    }
                }
            }
            for _ in 0..pushes {
                push(&mut draft, next, SystemFlags::NONE, 0);
                after.insert(next, SystemFlags::NONE);
                next += 1;
            }
            let new = draft.finish();
            check(&new, &after)?;
            let diff = Snapshot::diff(&picture, &new);
            let gone: Vec<u32> = diff.expunged.iter().map(|e| e.1.get()).collect();
            let expected: Vec<u32> =
                model.keys().filter(|n| !after.contains_key(n)).copied().collect();
            prop_assert_eq!(gone, expected);
            for (seq, n) in &diff.expunged {
                prop_assert_eq!(picture.uid_at(*seq), Some(*n));
            }
            let added = after.keys().filter(|n| !model.contains_key(n)).count();
            prop_assert_eq!(diff.added as usize, added);
            for (n, flags) in &model {
                let told = diff.changed.iter().find(|c| c.1.uid.get() == *n);
                match (after.get(n), told) {
                    (Some(now), None) => prop_assert_eq!(now, flags),
                    (Some(now), Some((seq, row))) => {
                        prop_assert_eq!(*now, row.flags);
                        prop_assert_eq!(new.uid_at(*seq), Some(uid(*n)));
                    }
                    (None, told) => prop_assert!(told.is_none()),
                }
            }
            picture = new;
            model = after;
        }
    }
}
