use crate::format::uidlist::FILE;
use crate::format::{Dir, ExtraKeywords, UidList, UidListLock, keywords, open};
use crate::options::Fsync;
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
