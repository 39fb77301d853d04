use super::ASIDE;
use crate::account::Account;
use crate::migrate::survey::{Origin, survey};
use crate::options::{AccountOptions, Encoding, Options};
use crate::snapshot::Snapshot;
use crate::store::Store;
use roost_types::MailboxName;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const FOLDER: &str = ".Work.&AOk-t&AOk-";

/// What Dovecot leaves, with 27 keywords, of which the last has no letter.
fn maildir() -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    for folder in ["", FOLDER] {
        for sub in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(root.join(folder).join(sub)).unwrap();
        }
    }
    let at = |name: &str| root.join(FOLDER).join(name);
    let names: String = (0..26).map(|n| format!("{n} k{n}\n")).collect();
    std::fs::write(at("dovecot-keywords"), names).unwrap();
    std::fs::write(at("dovecot-uidlist"), "3 V77 N9\n3 :a\n5 :b\n8 :c\n").unwrap();
    std::fs::write(
        at("roost-keywords"),
        "roost-keywords 1 77\n= 26 beyond\n+ 26 5\n",
    )
    .unwrap();
    std::fs::write(at("cur/a:2,Sab"), "x").unwrap();
    std::fs::write(at("cur/b:2,F"), "x").unwrap();
    std::fs::write(at("new/c"), "x").unwrap();
    std::fs::write(at("dovecot-acl"), "user=bob lrk\n-group=x r\n").unwrap();
    std::fs::write(root.join("subscriptions"), "INBOX\nWork.&AOk-t&AOk-\n").unwrap();
    temp
}

fn open(root: &Path) -> Arc<Account> {
    let options = Options {
        inotify: false,
        ..Options::default()
    };
    let store = Store::new(options).unwrap();
    store
        .account("ann", root, AccountOptions::default())
        .unwrap()
}

fn name() -> MailboxName {
    MailboxName::from_levels(["Work", "été"]).unwrap()
}

fn keywords(picture: &Snapshot) -> BTreeMap<u32, Vec<String>> {
    let rows = picture.iter().map(|(_, row)| {
        let mut names: Vec<String> = picture
            .keyword_names(row.keywords)
            .iter()
            .map(ToString::to_string)
            .collect();
        names.sort();
        (row.uid.get(), names)
    });
    rows.collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn couriers_files_hold_all_and_are_taken_over_again() {
    let temp = maildir();
    let root = temp.path();
    let found = survey(root, Encoding::Detect).unwrap();
    let work = &found.mailboxes[1];
    assert_eq!(
        (work.origin, work.uid_validity, work.uid_next),
        (Origin::Dovecot, 77, 9)
    );
    assert_eq!((work.messages, work.without_uid, work.keywords), (3, 0, 27));
    assert!(work.may_have_more_keywords() && work.rights == 2);
    assert_eq!(found.subscriptions, 2);

    let account = open(root);
    let before = keywords(&account.open(&name()).unwrap().snapshot());
    let mut told = Vec::new();
    let lost = account
        .export_to_courier(Encoding::Utf8, &mut |exported| told.push(exported))
        .unwrap();
    drop(account);
    assert_eq!(lost, Vec::<String>::new());
    assert_eq!(
        (told[1].uid_validity, told[1].messages, told[1].keywords),
        (77, 3, 3)
    );
    let folder = root.join(".Work.été");
    assert_eq!(
        text(&folder.join("courierimapuiddb")),
        "1 77 9\n3 a\n5 b\n8 c\n"
    );
    let list = text(&folder.join("courierimapkeywords/:list"));
    assert_eq!(list, "k0\nk1\nbeyond\n\na:0 1\nb:2\n");
    assert_eq!(
        text(&folder.join("courierimapacl")),
        "-group=x r\nadministrators aceilrstwx\nowner aceilrstwx\nuser=bob clr\n"
    );
    assert_eq!(
        text(&root.join("courierimapsubscribed")),
        "INBOX\nINBOX.Work.été\n"
    );
    let mut cur: Vec<String> = std::fs::read_dir(folder.join("cur"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    cur.sort();
    assert_eq!(cur, ["a:2,S", "b:2,F", "c:2,"]);
    for file in [
        "dovecot-uidlist",
        "dovecot-keywords",
        "roost-keywords",
        "dovecot-acl",
    ] {
        assert!(!folder.join(file).exists(), "{file}");
        assert!(folder.join(format!("{file}{ASIDE}")).exists(), "{file}");
    }

    let found = survey(root, Encoding::Detect).unwrap();
    let work = &found.mailboxes[1];
    assert_eq!(
        (work.origin, work.uid_next, work.keywords),
        (Origin::Courier, 9, 3)
    );
    let account = open(root);
    let mailbox = account.open(&name()).unwrap();
    assert_eq!(mailbox.snapshot().uid_validity().get(), 77);
    assert_eq!(keywords(&mailbox.snapshot()), before);
    let entries: Vec<String> = account
        .acl_entries(&name())
        .unwrap()
        .iter()
        .map(|(who, rights)| format!("{who} {rights}"))
        .collect();
    assert!(entries.contains(&"bob lrk".to_owned()), "{entries:?}");
    assert!(entries.contains(&"-#x r".to_owned()), "{entries:?}");
    assert_eq!(
        account.subscriptions().unwrap(),
        [MailboxName::inbox(), name()]
    );
}

#[test]
fn an_account_that_others_serve_is_left_alone() {
    let temp = maildir();
    let first = open(temp.path());
    assert!(first.owns_index());
    let second = open(temp.path());
    let refused = second.export_to_courier(Encoding::Utf8, &mut |_| {});
    assert!(refused.is_err());
    assert!(!temp.path().join("courierimapsubscribed").exists());
}

#[test]
fn what_does_not_belong_into_a_maildir_is_told() {
    let temp = maildir();
    for sub in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(temp.path().join("Archive").join(sub)).unwrap();
    }
    std::fs::create_dir(temp.path().join(".Work.été")).unwrap();
    std::fs::write(temp.path().join("dovecot-uidlist"), "nonsense\n").unwrap();
    let found = survey(temp.path(), Encoding::Detect).unwrap();
    assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
    assert!(found.problems[0].contains("LAYOUT=fs"));
    assert_eq!(found.mailboxes[0].origin, Origin::Damaged);
    assert!(!found.mailboxes[0].problems.is_empty());
}
