use crate::format::uidlist::FILE;
use crate::format::{Dir, ExtraKeywords, UidList, UidListLock, keywords, open};
use crate::options::Fsync;
use roost_types::UidValidity;
use std::path::Path;
use std::time::Duration;

const BASE: &str = "1795324101.M541215P15618V000000000000FE00I00000000009E84CA_";

fn base(n: u32) -> String {
    format!("{BASE}{n}.vm,S=28")
}

/// A mailbox as Courier leaves it: messages 1 to 5, UIDs 2, 4, 6, 8 and 10.
fn mailbox() -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    for dir in ["cur", "new", "tmp", "courierimapkeywords"] {
        std::fs::create_dir(temp.path().join(dir)).unwrap();
    }
    let mut db = String::from("1 795324101 12\n");
    for n in 1..=5 {
        db.push_str(&format!("{} {}\n", n * 2, base(n)));
        std::fs::write(temp.path().join("cur").join(format!("{}:2,S", base(n))), "").unwrap();
    }
    std::fs::write(temp.path().join("courierimapuiddb"), db).unwrap();
    temp
}

fn keyword_file(temp: &Path, name: &str, text: &str) {
    std::fs::write(temp.join("courierimapkeywords").join(name), text).unwrap();
}

fn taken_over(temp: &Path) -> UidList {
    let dir = Dir::open(temp).unwrap();
    let mut lock = UidListLock::acquire(&dir, Duration::ZERO).unwrap();
    open::open(&mut lock, Fsync::Always, || panic!("UIDVALIDITY is kept")).unwrap()
}

fn names_in_cur(temp: &Path) -> Vec<String> {
    let names = std::fs::read_dir(temp.join("cur")).unwrap();
    let mut names: Vec<String> = names
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn uids_are_kept() {
    let temp = mailbox();
    let list = taken_over(temp.path());
    assert_eq!(list.uid_validity().get(), 795_324_101);
    assert_eq!(list.uid_next().get(), 12);
    assert_eq!(list.uid_of(base(3).as_bytes()).unwrap().get(), 6);
    let text = std::fs::read_to_string(temp.path().join(FILE)).unwrap();
    let guid = list.guid().unwrap();
    assert!(text.starts_with(&format!("3 V795324101 N12 G{guid}\n2 :{}\n", base(1))));
    assert!(!temp.path().join(keywords::FILE).exists());
    // From now on ours counts.
    std::fs::write(temp.path().join("courierimapuiddb"), "1 7 2\n1 x\n").unwrap();
    assert_eq!(taken_over(temp.path()).len(), 5);
}

#[test]
fn keywords_become_letters_by_their_precedence() {
    let temp = mailbox();
    let list = format!(
        "$Forwarded\nJunk\nold\n\n{}:0 1\n{}:2\n{}:0\n{}:1\nunknown:0\n",
        base(1),
        base(2),
        base(3),
        base(4)
    );
    keyword_file(temp.path(), ":list", &list);
    // Newest of the numbered ones, which beats the list.
    keyword_file(temp.path(), &format!(".5984414.{}", base(2)), "junk\n");
    keyword_file(temp.path(), &format!(".5984413.{}", base(2)), "old\n");
    // No keywords at all beats everything.
    keyword_file(temp.path(), &base(3), "");
    keyword_file(temp.path(), &format!(".9999999.{}", base(3)), "old\n");
    keyword_file(temp.path(), &base(5), "n\u{e9}w (x)\n");
    keyword_file(temp.path(), &format!(".tmp.17953.{}", base(4)), "old\n");
    taken_over(temp.path());
    let keywords = std::fs::read_to_string(temp.path().join(keywords::FILE)).unwrap();
    assert_eq!(keywords, "0 $Forwarded\n1 Junk\n2 n_w__x_\n");
    let expected = [(1, "Sab"), (2, "Sb"), (3, "S"), (4, "Sb"), (5, "Sc")]
        .map(|(n, flags)| format!("{}:2,{flags}", base(n)));
    assert_eq!(names_in_cur(temp.path()), expected);
}

#[test]
fn more_than_26_keywords_go_to_the_sidecar() {
    let temp = mailbox();
    let mut list = String::new();
    for i in 0..30 {
        list.push_str(&format!("k{i}\n"));
    }
    let all: Vec<String> = (0..30).map(|i| i.to_string()).collect();
    list.push_str(&format!("\n{}:{}\n", base(1), all.join(" ")));
    keyword_file(temp.path(), ":list", &list);
    let uids = taken_over(temp.path());
    let dir = Dir::open(temp.path()).unwrap();
    let extra = ExtraKeywords::load(&dir, uids.uid_validity()).unwrap();
    let extra: Vec<String> = extra.iter().map(|(k, u)| format!("{k} {u}")).collect();
    assert_eq!(extra, ["k26 2", "k27 2", "k28 2", "k29 2"]);
    let letters: String = ('a'..='z').collect();
    assert_eq!(
        names_in_cur(temp.path())[0],
        format!("{}:2,S{letters}", base(1))
    );
}

/// Cut short anywhere before its last step, a take-over begins anew and comes
/// to the same end.
#[test]
fn a_take_over_can_be_repeated() {
    let temp = mailbox();
    keyword_file(temp.path(), ":list", &format!("a\n\n{}:0\n", base(1)));
    taken_over(temp.path());
    let names = names_in_cur(temp.path());
    std::fs::remove_file(temp.path().join(FILE)).unwrap();
    let list = taken_over(temp.path());
    assert_eq!(list.uid_of(base(1).as_bytes()).unwrap().get(), 2);
    assert_eq!(names_in_cur(temp.path()), names);
}

#[test]
fn a_doubled_or_damaged_database_keeps_what_it_can() {
    let temp = mailbox();
    let db = format!(
        "1 795324101 5\n1 {}\n2 {}\ngarbage\n3 {}\n",
        base(1),
        base(2),
        base(1)
    );
    std::fs::write(temp.path().join("courierimapuiddb"), db).unwrap();
    let list = taken_over(temp.path());
    assert_eq!(list.uid_of(base(1).as_bytes()).unwrap().get(), 3);
    assert_eq!(list.len(), 2);
    assert!(list.uid_next().get() > 5);
}

/// Makes the file of Courier's the newer one.
fn courier_writes(temp: &Path, db: &str) {
    std::fs::write(temp.join("courierimapuiddb"), db).unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(100);
    let file = std::fs::File::options()
        .write(true)
        .open(temp.join("courierimapuiddb"));
    file.unwrap().set_modified(later).unwrap();
}

fn opened(temp: &Path) -> UidList {
    let dir = Dir::open(temp).unwrap();
    let mut lock = UidListLock::acquire(&dir, Duration::ZERO).unwrap();
    let validity = UidValidity::new(795_324_102).unwrap();
    open::open(&mut lock, Fsync::Always, || Ok(validity)).unwrap()
}

fn shown(list: &UidList) -> Vec<u32> {
    let uids = (1..=7).filter_map(|n| list.uid_of(base(n).as_bytes()));
    uids.map(|uid| uid.get()).collect()
}

/// Courier went on where we stood: clients that were there know its UIDs.
#[test]
fn what_courier_has_numbered_since_counts() {
    let temp = mailbox();
    let guid = taken_over(temp.path()).guid();
    let db = format!("1 795324101 20\n4 {}\n13 {}\n", base(2), base(6));
    courier_writes(temp.path(), &db);
    std::fs::write(temp.path().join("cur").join(base(6)), "").unwrap();
    let list = opened(temp.path());
    assert_eq!(list.uid_validity().get(), 795_324_101);
    assert_eq!(list.guid(), guid);
    assert_eq!(shown(&list), [2, 4, 6, 8, 10, 13]);
    assert_eq!(list.uid_next().get(), 20);
    let written = UidList::load(&Dir::open(temp.path()).unwrap()).unwrap();
    assert_eq!(shown(&written.unwrap()), shown(&list));
}

/// Both have numbered: no UID may mean two messages.
#[test]
fn where_courier_has_numbered_otherwise_all_begins_anew() {
    let there = [
        // Another UID for the same message, and another message for a UID.
        format!("1 795324101 13\n4 {}\n12 {}\n", base(2), base(3)),
        format!("1 795324101 13\n6 {}\n", base(6)),
        // One that we had given to a message that is gone.
        format!("1 795324101 13\n3 {}\n", base(6)),
    ];
    for db in there {
        let temp = mailbox();
        taken_over(temp.path());
        let dir = Dir::open(temp.path()).unwrap();
        let validity = UidValidity::new(795_324_101).unwrap();
        let beyond = crate::format::extra_keywords::Change {
            keyword: roost_types::Keyword::new("beyond").unwrap(),
            set: true,
            uids: roost_types::UidSet::range(roost_types::Uid::MIN, roost_types::Uid::MIN),
        };
        let mut lock = UidListLock::acquire(&dir, Duration::ZERO).unwrap();
        let mut extra = ExtraKeywords::load(&dir, validity).unwrap();
        extra.change(&mut lock, Fsync::Never, &[beyond]).unwrap();
        drop(lock);
        courier_writes(temp.path(), &db);
        std::fs::write(temp.path().join("cur").join(base(6)), "").unwrap();
        let found = crate::migrate::survey::survey(temp.path(), crate::options::Encoding::Detect);
        let problems = &found.unwrap().mailboxes[0].problems;
        assert!(
            problems[0].starts_with("Courier has given other UIDs"),
            "{db}"
        );
        let list = opened(temp.path());
        assert_eq!(list.uid_validity().get(), 795_324_102, "{db}");
        assert_eq!(list.uid_next().get(), 13, "{db}");
        let extra = ExtraKeywords::load(&dir, list.uid_validity()).unwrap();
        let extra: Vec<String> = extra.iter().map(|(k, u)| format!("{k} {u}")).collect();
        assert_eq!(extra, ["beyond 1"], "{db}");
    }
}

/// What it had before we came is no news, whenever it was copied.
#[test]
fn old_numbers_of_couriers_change_nothing() {
    let temp = mailbox();
    let before = taken_over(temp.path());
    let db = std::fs::read_to_string(temp.path().join("courierimapuiddb")).unwrap();
    let gone = format!("\n3 {}\n4 ", base(7));
    courier_writes(temp.path(), &db.replace("\n4 ", &gone));
    let list = opened(temp.path());
    assert_eq!(list.uid_validity(), before.uid_validity());
    assert_eq!(shown(&list), shown(&before));
}
