mod damage;
mod killed;

use super::*;
use crate::options::Fsync;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

struct Place {
    dir: Dir,
    file: PathBuf,
    temp: tempfile::TempDir,
}

fn place(text: &[u8]) -> Place {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join(FILE);
    std::fs::write(&file, text).unwrap();
    Place {
        dir: Dir::open(temp.path()).unwrap(),
        file,
        temp,
    }
}

impl Place {
    fn load(&self) -> UidList {
        UidList::load(&self.dir).unwrap().unwrap()
    }

    fn lock(&self) -> UidListLock {
        UidListLock::acquire(&self.dir, Duration::from_secs(30)).unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap()
    }

    fn append(&self, text: &str) {
        let mut file = File::options().append(true).open(&self.file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// As Dovecot rewrites it.
    fn replace(&self, text: &str) {
        let other = self.temp.path().join("dovecot-uidlist.tmp");
        std::fs::write(&other, text).unwrap();
        std::fs::rename(other, &self.file).unwrap();
    }

    fn set_aside(&self) -> Vec<Vec<u8>> {
        let all = std::fs::read_dir(self.temp.path()).unwrap();
        all.map(|e| e.unwrap().path())
            .filter(|p| p.to_string_lossy().contains("dovecot-uidlist.damaged-"))
            .map(|p| std::fs::read(p).unwrap())
            .collect()
    }

    fn assign(&self, list: &mut UidList, names: &[&str]) -> Vec<u32> {
        let mut lock = self.lock();
        let mut uids = Vec::new();
        let records = names.iter().map(|name| NewRecord {
            base: name.as_bytes(),
            guid: None,
        });
        list.assign(&mut lock, Fsync::Always, records, &mut uids)
            .unwrap();
        uids.iter().map(|u| u.get()).collect()
    }
}

fn shown(list: &UidList) -> Vec<(u32, String)> {
    let text = |base: &[u8]| String::from_utf8_lossy(base).into_owned();
    list.iter_from(0)
        .map(|(uid, base)| (uid.get(), text(base)))
        .collect()
}

fn records(list: &UidList) -> BTreeMap<u32, String> {
    shown(list).into_iter().collect()
}

const REAL: &str = "3 V1795324062 N5 G29e1501e9c78026bb57b000083ecc375\n\
                    1 :1795324060.M518386P31669.vm,S=28,W=32\n";

#[test]
fn a_real_file_with_a_higher_uid_appended() {
    let p = place(REAL.as_bytes());
    p.append("50 :1795324099.M1P2.vm,S=28,W=32\n");
    let list = p.load();
    assert_eq!(list.uid_validity().get(), 1_795_324_062);
    assert_eq!(list.uid_next().get(), 51, "the header's 5 is out of date");
    let base = b"1795324060.M518386P31669.vm,S=28,W=32";
    assert_eq!(list.uid_of(base), Uid::new(1));
    assert_eq!(list.base_of(Uid::MIN), Some(&base[..]));
    assert_eq!(list.uid_of(b"1795324060.M518386P31669.vm"), None);
    assert!(!list.needs_rewrite());
}

#[test]
fn records_are_appended_and_the_header_stays() {
    let p = place(REAL.as_bytes());
    let mut list = p.load();
    let known = "1795324060.M518386P31669.vm,S=28,W=32";
    assert_eq!(p.assign(&mut list, &["b", known, "a", "b"]), [5, 1, 6, 5]);
    assert_eq!(p.text(), format!("{REAL}5 :b\n6 :a\n"));
    assert_eq!(p.assign(&mut list, &["c"]), [7]);
    assert_eq!(p.assign(&mut list, &[]), []);
    assert_eq!(shown(&p.load()), shown(&list));
    assert!(!p.temp.path().join("dovecot-uidlist.lock").exists());
}

#[test]
fn what_others_append_is_read_on() {
    let p = place(REAL.as_bytes());
    let mut list = p.load();
    assert_eq!(list.refresh().unwrap(), Refresh::Unchanged);
    p.append("5 :x\n6 W9 S7 G1.y :y\n7 :z");
    assert_eq!(list.refresh().unwrap(), Refresh::Appended { first: 1 });
    assert_eq!(list.len(), 3, "the last line is not whole yet");
    assert_eq!(list.refresh().unwrap(), Refresh::Unchanged);
    assert_eq!(list.message_guid(Uid::new(6).unwrap()), Some(&b"1.y"[..]));
    p.append(",S=1\n");
    assert_eq!(list.refresh().unwrap(), Refresh::Appended { first: 3 });
    assert_eq!(list.uid_of(b"z,S=1").unwrap().get(), 7);
    assert!(!list.needs_rewrite());
    // Before assigning, what is on disk comes first.
    p.append("8 :theirs\n");
    assert_eq!(p.assign(&mut list, &["ours", "theirs"]), [9, 8]);
}

#[test]
fn a_replaced_file_is_read_anew() {
    let p = place(REAL.as_bytes());
    let mut list = p.load();
    p.assign(&mut list, &["a", "b"]);
    let new = "3 V1795324062 N5 G29e1501e9c78026bb57b000083ecc375 Xkeep\n5 :a\n";
    p.replace(new);
    assert_eq!(list.refresh().unwrap(), Refresh::Replaced);
    assert_eq!(shown(&list), [(5, "a".to_owned())]);
    assert_eq!(list.uid_next().get(), 7, "the next UID never goes down");
    assert!(list.needs_rewrite());
    assert_eq!(p.assign(&mut list, &["c"]), [7]);
    let expected = "3 V1795324062 N8 G29e1501e9c78026bb57b000083ecc375 Xkeep\n5 :a\n7 :c\n";
    assert_eq!(p.text(), expected);
    p.replace("3 V99 N2 G29e1501e9c78026bb57b000083ecc375\n");
    assert_eq!(list.refresh().unwrap(), Refresh::Replaced);
    assert_eq!((list.uid_validity().get(), list.uid_next().get()), (99, 2));
    assert!(p.set_aside().is_empty());
}

#[test]
fn version_one_becomes_version_three() {
    let p = place(b"1 795324101 4\n1 a:2,S\n3 b,S=28\n");
    let mut list = p.load();
    assert!(list.needs_rewrite());
    assert_eq!(list.refresh().unwrap(), Refresh::Unchanged);
    assert_eq!(p.assign(&mut list, &["c"]), [4]);
    let guid = list.guid().unwrap();
    let expected = format!("3 V795324101 N5 G{guid}\n1 :a\n3 :b,S=28\n4 :c\n");
    assert_eq!(p.text(), expected);
    assert!(p.set_aside().is_empty(), "old is not damaged");
}

#[test]
fn fields_survive_a_rewriting_and_unknown_ones_go() {
    let p = place(b"3 P%u V9 Kk N7\n1 S28 W32 P O3 Gx :a\n2 q1 S4 :b\n4 :a2:2,S\n");
    let mut list = p.load();
    let mut lock = p.lock();
    list.rewrite(&mut lock, Fsync::Always, |uid, _| uid.get() != 4)
        .unwrap();
    let guid = list.guid().unwrap();
    let expected = format!("3 V9 N7 G{guid} P%u Kk\n1 S28 W32 P O3 Gx :a\n2 S4 :b\n");
    assert_eq!(p.text(), expected);
    assert_eq!(shown(&p.load()), shown(&list));
}

#[test]
fn a_doubled_name_keeps_its_later_uid() {
    let p = place(b"3 V9 N4 G29e1501e9c78026bb57b000083ecc375\n1 :a\n2 :b\n3 :a\n");
    let mut list = p.load();
    assert_eq!(shown(&list), [(2, "b".to_owned()), (3, "a".to_owned())]);
    p.append("4 :b\n");
    assert_eq!(list.refresh().unwrap(), Refresh::Replaced);
    assert_eq!(shown(&list), [(3, "a".to_owned()), (4, "b".to_owned())]);
    assert!(list.needs_rewrite());
    assert_eq!(p.assign(&mut list, &["c"]), [5]);
    assert!(p.text().ends_with("\n3 :a\n4 :b\n5 :c\n"));
}

#[test]
fn copies_keep_their_guid() {
    let p = place(REAL.as_bytes());
    let mut list = p.load();
    let record = NewRecord {
        base: b"new",
        guid: Some(b"1795324060.M518386P31669.vm,S=28,W=32"),
    };
    let mut uids = Vec::new();
    list.assign(&mut p.lock(), Fsync::Always, [record], &mut uids)
        .unwrap();
    assert!(
        p.text()
            .ends_with("\n5 G1795324060.M518386P31669.vm,S=28,W=32 :new\n")
    );
    assert_eq!(p.load().message_guid(uids[0]), record.guid);
}

#[test]
fn what_cannot_be_a_name_is_refused_whole() {
    let p = place(REAL.as_bytes());
    let mut list = p.load();
    let long = [b'x'; 256];
    for bad in [&b""[..], b"a:b", b"a/b", b"a\nb", &long] {
        let records = [b"good", bad].map(|base| NewRecord { base, guid: None });
        let mut uids = Vec::new();
        let refused = list.assign(&mut p.lock(), Fsync::Never, records, &mut uids);
        assert!(matches!(refused, Err(FormatError::Name { .. })));
        assert!(uids.is_empty());
        assert_eq!((list.len(), list.uid_next().get()), (1, 5));
        let guid = Some(if bad == long { bad } else { b"a b" });
        let record = NewRecord { base: b"x", guid };
        assert!(
            list.assign(&mut p.lock(), Fsync::Never, [record], &mut uids)
                .is_err()
        );
    }
    assert_eq!(p.text(), REAL);
}

#[test]
fn the_last_uid() {
    let p = place(b"3 V9 N4294967294 G29e1501e9c78026bb57b000083ecc375\n");
    let mut list = p.load();
    assert_eq!(p.assign(&mut list, &["a"]), [MAX_UID]);
    let record = NewRecord {
        base: b"b",
        guid: None,
    };
    let mut uids = Vec::new();
    let none_left = list.assign(&mut p.lock(), Fsync::Never, [record], &mut uids);
    assert!(matches!(none_left, Err(FormatError::Exhausted { .. })));
    assert_eq!(p.load().len(), 1);
}

#[test]
fn compaction_is_worth_it_from_a_quarter() {
    let p = place(REAL.as_bytes());
    let mut list = p.load();
    let names: Vec<String> = (0..399).map(|i| format!("n{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    p.assign(&mut list, &names);
    assert!(!list.wants_compaction(400));
    assert!(!list.wants_compaction(301));
    assert!(list.wants_compaction(300));
    let mut lock = p.lock();
    list.rewrite(&mut lock, Fsync::Never, |uid, _| uid.get() > 350)
        .unwrap();
    assert!(!list.wants_compaction(53));
    assert_eq!(list.len(), 53);
    assert_eq!(list.uid_next().get(), 404);
    assert_eq!(p.load().uid_next().get(), 404);
    drop(lock);
    assert_eq!(p.assign(&mut list, &["n0"]), [404], "no UID comes back");
}

#[test]
fn a_foreign_lock_is_waited_for_and_a_lost_one_noticed() {
    let p = place(REAL.as_bytes());
    let lock_file = p.temp.path().join("dovecot-uidlist.lock");
    std::fs::write(&lock_file, "1:elsewhere").unwrap();
    let waited = UidListLock::acquire(&p.dir, Duration::from_millis(30));
    assert!(matches!(waited, Err(FormatError::Locked { .. })));
    std::fs::remove_file(&lock_file).unwrap();

    let mut lock = p.lock();
    std::fs::rename(&lock_file, p.temp.path().join("gone")).unwrap();
    std::fs::write(&lock_file, "1:elsewhere").unwrap();
    let mut list = p.load();
    let record = NewRecord {
        base: b"a",
        guid: None,
    };
    let lost = list.assign(&mut lock, Fsync::Never, [record], &mut Vec::new());
    assert!(matches!(lost, Err(FormatError::LockLost { .. })));
    let other = place(REAL.as_bytes());
    let wrong = other.load().rewrite(&mut lock, Fsync::Never, |_, _| true);
    assert!(matches!(wrong, Err(FormatError::LockLost { .. })));
    assert_eq!((p.text(), other.text()), (REAL.to_owned(), REAL.to_owned()));
}

#[test]
fn two_writers_never_give_one_uid_twice() {
    let p = place(REAL.as_bytes());
    let all: Vec<(u32, String)> = std::thread::scope(|scope| {
        let work = |me: usize| {
            let p = &p;
            move || {
                let mut list = p.load();
                let mut mine = Vec::new();
                for i in 0..30 {
                    let name = format!("{me}-{i}");
                    let uids = p.assign(&mut list, &[&name]);
                    mine.push((uids[0], name));
                    if i % 10 == me {
                        let mut lock = p.lock();
                        list.rewrite(&mut lock, Fsync::Never, |_, _| true).unwrap();
                    }
                }
                mine
            }
        };
        let threads: Vec<_> = (0..3).map(|me| scope.spawn(work(me))).collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    let by_uid: BTreeMap<u32, String> = all.iter().cloned().collect();
    assert_eq!(by_uid.len(), all.len());
    let mut on_disk = records(&p.load());
    on_disk.remove(&1);
    assert_eq!(on_disk, by_uid);
}

#[test]
fn a_hundred_thousand_records_load_quickly() {
    let mut text = REAL.to_owned();
    for uid in 5..100_005 {
        text.push_str(&format!(
            "{uid} :1795324060.M{uid}P31669.vm,S=2828,W=2932\n"
        ));
    }
    let p = place(text.as_bytes());
    let start = std::time::Instant::now();
    let list = p.load();
    let took = start.elapsed();
    assert_eq!(list.len(), 100_001);
    assert_eq!(
        list.uid_of(b"1795324060.M77777P31669.vm,S=2828,W=2932")
            .unwrap()
            .get(),
        77_777
    );
    // Far above what it takes, for the sake of slow machines.
    assert!(took < Duration::from_secs(20), "{took:?}");
}
