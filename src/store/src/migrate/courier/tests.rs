use super::ASIDE;
use crate::account::Account;
use crate::format::acl::{Acl, Identifier};
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

/// What Courier gave and Roost has taken away stays away, though nobody shares
/// anything any more.
#[test]
fn a_revoked_right_does_not_come_back() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    for folder in ["", ".Work", ".Later"] {
        for sub in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(root.join(folder).join(sub)).unwrap();
        }
    }
    let given = "owner aceilrstwx\nuser=carol lr\n";
    std::fs::write(root.join(".Work/courierimapacl"), given).unwrap();
    std::fs::create_dir(root.join("courierimaphieracl")).unwrap();
    std::fs::write(root.join("courierimaphieracl/Later"), given).unwrap();
    let account = open(root);
    for name in ["Work", "Later"] {
        let name = MailboxName::from_levels([name]).unwrap();
        let carol = Identifier::User("carol".to_owned());
        let revoke = |acl: &mut Acl| {
            assert!(acl.remove(false, &carol));
            Ok(())
        };
        account.change_acl(&name, revoke).unwrap();
    }
    let lost = account.export_to_courier(Encoding::Utf8, &mut |_| {});
    assert_eq!(lost.unwrap(), Vec::<String>::new());
    for folder in [".Work", ".Later"] {
        let list = text(&root.join(folder).join("courierimapacl"));
        assert_eq!(list, "administrators aceilrstwx\nowner aceilrstwx\n");
    }
    let names = std::fs::read_dir(root.join("courierimaphieracl")).unwrap();
    assert_eq!(names.count(), 0);
    let aside = root.join(format!("courierimaphieracl{ASIDE}/Later"));
    assert_eq!(text(&aside), given);
}

#[test]
fn nothing_is_deleted_through_a_link() {
    let temp = maildir();
    let folder = temp.path().join(FOLDER);
    let elsewhere = temp.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    for name in ["precious", "a", ":list"] {
        std::fs::write(elsewhere.join(name), name).unwrap();
    }
    std::os::unix::fs::symlink(&elsewhere, folder.join("courierimapkeywords")).unwrap();
    let account = open(temp.path());
    let lost = account.export_to_courier(Encoding::Mutf7, &mut |_| {});
    assert_eq!(lost.unwrap(), Vec::<String>::new());
    for name in ["precious", "a", ":list"] {
        assert_eq!(text(&elsewhere.join(name)), name);
    }
    let list = text(&folder.join("courierimapkeywords/:list"));
    assert_eq!(list, "k0\nk1\nbeyond\n\na:0 1\nb:2\n");
}

/// Only what would count for a message is deleted.
#[test]
fn other_files_among_keywords_stay() {
    let temp = maildir();
    let folder = temp.path().join(FOLDER).join("courierimapkeywords");
    std::fs::create_dir_all(folder.join("b")).unwrap();
    for name in ["a", ".12.a", "notes", ".x.a"] {
        std::fs::write(folder.join(name), "old\n").unwrap();
    }
    let account = open(temp.path());
    let lost = account.export_to_courier(Encoding::Mutf7, &mut |_| {});
    assert_eq!(lost.unwrap(), Vec::<String>::new());
    let there = |name: &str| folder.join(name).exists();
    assert!(there("b") && there("notes") && there(".x.a"));
    assert!(!there("a") && !there(".12.a"));
}

#[test]
fn a_mailbox_that_fails_holds_up_no_other() {
    let temp = maildir();
    std::fs::create_dir(temp.path().join(".Bad")).unwrap();
    std::fs::write(temp.path().join(".Bad/cur"), "").unwrap();
    // Keywords fail here: the UIDs are told all the same.
    for sub in ["cur", "new", "tmp", "courierimapkeywords/:list"] {
        std::fs::create_dir_all(temp.path().join(".Half").join(sub)).unwrap();
    }
    let half = temp.path().join(".Half");
    std::fs::write(half.join("dovecot-uidlist"), "3 V78 N5\n4 :d\n").unwrap();
    std::fs::write(half.join("cur/d:2,S"), "x").unwrap();
    let account = open(temp.path());
    let mut told = Vec::new();
    let lost = account
        .export_to_courier(Encoding::Mutf7, &mut |done| told.push(done.mailbox))
        .unwrap();
    assert_eq!(told, [MailboxName::inbox(), name()]);
    let of = |name: &str| lost.iter().filter(|l| l.starts_with(name)).count();
    assert_eq!(
        (of("Bad: "), of("Half: "), lost.len()),
        (1, 1, 2),
        "{lost:?}"
    );
    assert_eq!(text(&half.join("courierimapuiddb")), "1 78 5\n4 d\n");
    assert!(half.join("dovecot-uidlist").exists());
    assert!(temp.path().join("courierimapsubscribed").exists());
}

#[test]
fn subscriptions_of_other_namespaces_stay() {
    let temp = maildir();
    let file = temp.path().join("courierimapsubscribed");
    let old = "INBOX.Gone\n#shared.bob.Work\n";
    std::fs::write(&file, old).unwrap();
    let account = open(temp.path());
    let lost = account.export_to_courier(Encoding::Mutf7, &mut |_| {});
    assert_eq!(lost.unwrap(), Vec::<String>::new());
    assert_eq!(
        text(&file),
        "INBOX\nINBOX.Work.&AOk-t&AOk-\n#shared.bob.Work\n"
    );
    let aside = temp.path().join(format!("courierimapsubscribed{ASIDE}"));
    assert_eq!(text(&aside), old);
}
