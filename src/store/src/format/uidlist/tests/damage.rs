//! Lists torn, shortened, overwritten and lost.

use super::*;
use proptest::prelude::*;

#[test]
fn a_list_lost_on_disk_is_written_from_memory() {
    let p = place(REAL.as_bytes());
    let mut list = p.load();
    std::fs::remove_file(&p.file).unwrap();
    assert_eq!(list.refresh().unwrap(), Refresh::Lost);
    assert!(list.needs_rewrite());
    assert_eq!(p.assign(&mut list, &["a"]), [5]);
    assert_eq!(p.load().len(), 2);
    for garbage in ["", "garbage\n", "3 V17"] {
        p.replace(garbage);
        assert_eq!(list.refresh().unwrap(), Refresh::Lost);
        let before = list.uid_next().get();
        assert_eq!(
            p.assign(
                &mut list,
                &[&format!("x{garbage}").trim_end().replace(' ', "")]
            ),
            [before]
        );
        assert_eq!(shown(&p.load()), shown(&list));
    }
    assert_eq!(p.set_aside().len(), 3);
}

#[test]
fn a_shortened_file_is_mended_from_memory() {
    let p = place(REAL.as_bytes());
    let mut list = p.load();
    p.assign(&mut list, &["a", "b"]);
    let whole = p.text();
    File::options()
        .write(true)
        .open(&p.file)
        .unwrap()
        .set_len(60)
        .unwrap();
    assert_eq!(list.refresh().unwrap(), Refresh::Unchanged);
    assert!(list.is_damaged());
    let uids = p.assign(&mut list, &["c"]);
    assert!(uids[0] >= 7);
    assert_eq!(shown(&p.load()), shown(&list));
    assert!(
        p.text()
            .contains(&format!("\n5 :a\n6 :b\n{} :c\n", uids[0]))
    );
    assert_eq!(p.set_aside(), [whole.as_bytes()[..60].to_vec()]);
}

/// The UIDs that the next messages get, with the list opened as the engine
/// opens it.
fn reopened(p: &Place) -> (UidList, Option<UidValidity>) {
    let mut lock = p.lock();
    let mut new = None;
    let fresh = UidValidity::new(4_000_000_000).unwrap();
    let list = crate::format::open::open(&mut lock, Fsync::Never, || {
        new = Some(fresh);
        Ok(fresh)
    });
    (list.unwrap(), new)
}

/// Every prefix of a list, as a torn write leaves it: each whole record is
/// kept, no UID is given out again, and the file is good afterwards.
#[test]
fn torn_at_every_byte() {
    let header = "3 V1795324062 N58 G29e1501e9c78026bb57b000083ecc375\n";
    let text = format!("{header}3 :1.M1P1.h,S=1\n41 S7 :2.M1P1.h\n57 :3.M1P1.h,S=3,W=4\n");
    let all: BTreeMap<u32, String> = records(&place(text.as_bytes()).load());
    assert_eq!(all.len(), 3);
    for cut in 0..text.len() {
        let p = place(&text.as_bytes()[..cut]);
        let whole = text[..cut].rfind('\n').map_or("", |at| &text[..=at]);
        let kept = all
            .iter()
            .filter(|(uid, _)| whole.contains(&format!("\n{uid} ")));
        let kept: BTreeMap<u32, String> = kept.map(|(u, n)| (*u, n.clone())).collect();

        let (mut list, new_validity) = reopened(&p);
        assert_eq!(records(&list), kept, "cut at {cut}");
        let names: Vec<&str> = all.values().map(String::as_str).collect();
        let uids = p.assign(&mut list, &[&names[..], &["new"]].concat());
        for (name, uid) in names.iter().zip(&uids) {
            let old = all.iter().find(|(_, n)| n == name).unwrap().0;
            match kept.get(old) {
                Some(_) => assert_eq!(uid, old),
                // A new UIDVALIDITY makes every UID new.
                None => assert!(*uid > 57 || new_validity.is_some(), "cut at {cut}: {uid}"),
            }
        }
        // Only where the header tells neither is there a new one.
        let told = text[..cut].contains(" N58 ");
        assert_eq!(new_validity.is_none(), told, "cut at {cut}");
        let again = p.load();
        assert_eq!(records(&again), records(&list));
        assert!(!again.needs_rewrite());
        let damaged = !text[..cut].ends_with('\n');
        assert_eq!(p.set_aside().len(), usize::from(damaged), "cut at {cut}");
    }
}

/// The same where the header's next UID is out of date and the torn record is
/// one that was appended: its UID is not given out again.
#[test]
fn a_torn_append_burns_its_uid() {
    let p = place(REAL.as_bytes());
    p.append("5 :a\n6 :b");
    let mut list = p.load();
    assert_eq!(
        list.uid_next().get(),
        6,
        "without the lock it may still be coming"
    );
    let uids = p.assign(&mut list, &["c"]);
    assert!(uids[0] > 6);
    assert_eq!(p.set_aside().len(), 1);
    // Nothing of the number itself: as many UIDs as may have been lost.
    let p = place(REAL.as_bytes());
    p.append(&"\0".repeat(50));
    let mut list = p.load();
    assert!(p.assign(&mut list, &["c"])[0] >= 15);
}

#[test]
fn garbage_between_records_costs_only_itself() {
    let header = "3 V9 N5 G29e1501e9c78026bb57b000083ecc375\n";
    let text = format!("{header}1 :a\n\0\0\0\0\n4000000000 :wild\n2 :b\n3 c\n4 :d\n\n");
    let p = place(text.as_bytes());
    let list = p.load();
    assert_eq!(
        shown(&list),
        [(1, "a".into()), (2, "b".into()), (4, "d".into())]
    );
    assert!(list.is_damaged());
    let next = list.uid_next().get();
    assert!(next > 5 && next < 100);
    let (list, new) = reopened(&p);
    assert_eq!((list.uid_next().get(), new), (next, None));
    assert_eq!(p.set_aside(), [text.as_bytes().to_vec()]);
    assert!(!list.is_damaged());
}

#[test]
fn records_outlive_their_header() {
    let p = place(b"2 :a\n3 :b\n");
    assert!(UidList::load(&p.dir).unwrap().is_none());
    let (list, new) = reopened(&p);
    assert_eq!(list.uid_validity(), new.unwrap());
    assert_eq!(shown(&list), [(2, "a".to_owned()), (3, "b".to_owned())]);
    let p = place(b"x V9 N7\n3 :b\n");
    let (list, new) = reopened(&p);
    assert_eq!((list.uid_validity().get(), list.len(), new), (9, 1, None));
}

#[test]
fn lines_end_as_they_like() {
    let p = place(b"3 V9 N7 G29e1501e9c78026bb57b000083ecc375\r\n3 :b\r\n");
    let list = p.load();
    assert_eq!(list.uid_of(b"b").unwrap().get(), 3);
    assert!(list.needs_rewrite() && !list.is_damaged());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Octets changed anywhere behind the header: nothing panics, records on
    /// lines not touched stay unless their UID no longer fits, and no UID that
    /// was in the file is given to another name.
    #[test]
    fn changed_octets(changes in prop::collection::vec((0usize..200, any::<u8>()), 1..6)) {
        let header = "3 V9 N30 G29e1501e9c78026bb57b000083ecc375\n";
        let mut text = header.as_bytes().to_vec();
        for uid in 10..30 {
            text.extend(format!("{uid} :{uid}.M1P1.h\n").bytes());
        }
        let before = records(&place(&text).load());
        for (at, byte) in changes {
            let at = header.len() + at % (text.len() - header.len());
            text[at] = byte;
        }
        let p = place(&text);
        let (mut list, new) = reopened(&p);
        prop_assert_eq!(new, None);
        let untouched = before.iter().filter(|(uid, name)| {
            let line = format!("\n{uid} :{name}\n");
            memchr::memmem::find(&text, line.as_bytes()).is_some()
        }).count();
        let kept = before.iter().filter(|(uid, name)| records(&list).get(uid) == Some(name)).count();
        prop_assert!(kept + 6 >= untouched);
        let uids = p.assign(&mut list, &["new"]);
        prop_assert!(uids[0] >= 30);
        prop_assert_eq!(records(&p.load()), records(&list));
    }
}
