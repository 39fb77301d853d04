//! Rights: kept in the mailboxes, inherited, taken over from Courier, and
//! looked at again when others have changed them.

use crate::support::*;
use roost_store::acl::{Entry, Identifier, Subject};
use roost_types::Rights;
use std::fs;

fn of(account: &roost_store::Account, mailbox: &str, asker: &str) -> String {
    let subject = Subject {
        owner: "alice".into(),
        asker: (asker != "alice").then_some((asker, &[])),
    };
    account.rights(&name(mailbox), &subject).to_string()
}

fn give(account: &roost_store::Account, mailbox: &str, who: &str, letters: &str) -> bool {
    let id = Identifier::parse(who, "alice".into()).unwrap();
    let rights = Rights::parse(letters).unwrap();
    let edit = |acl: &mut roost_store::acl::Acl| {
        assert!(acl.set(false, &id, rights));
        Ok(())
    };
    account.change_acl(&name(mailbox), edit).unwrap()
}

#[test]
fn a_mailbox_takes_the_list_of_the_one_above() {
    let site = Site::new();
    let account = &site.account;
    for mailbox in ["Team", "Other"] {
        account.create(&name(mailbox), false, None).unwrap();
    }
    assert!(give(account, "Team", "bob", "lrs"));
    assert!(!give(account, "Team", "bob", "lr"), "seen as before");
    account.create(&name("Team/a/b"), false, None).unwrap();
    account.create(&name("Other/c"), false, None).unwrap();
    assert_eq!(of(account, "Team/a/b", "bob"), "lr");
    assert_eq!(of(account, "Team/a", "bob"), "", "no mailbox");
    assert_eq!(of(account, "Other/c", "bob"), "");
    assert!(!site.root().join(".Other.c/dovecot-acl").exists());
    assert_eq!(of(account, "Other/c", "alice"), Rights::ALL.to_string());
    // Its own from then on.
    assert!(give(account, "Team", "bob", ""));
    assert_eq!(of(account, "Team/a/b", "bob"), "lr");
    assert_eq!(
        account.shares().unwrap().into_iter().collect::<Vec<_>>(),
        ["bob"]
    );
}

#[test]
fn who_is_shown_nothing_is_told_of_nothing() {
    let site = Site::new();
    let account = &site.account;
    let shares = || account.shares().unwrap().into_iter().collect::<Vec<_>>();
    let set = |mailbox: &str, text: &str| {
        let file = site.root().join(format!(".{mailbox}/dovecot-acl"));
        std::fs::write(file, text).unwrap();
    };
    for mailbox in ["Team", "Other"] {
        account.create(&name(mailbox), false, None).unwrap();
    }
    set("Team", "anyone lr\n-user=bob l\n-group=staff r\n");
    assert_eq!(shares(), ["-bob", "anyone"]);
    set("Other", "user=carol lr\n");
    assert_eq!(shares(), ["-bob", "anyone", "carol"]);
    // Shown by another one.
    set("Other", "group=staff lr\n");
    assert_eq!(shares(), ["#staff", "anyone"]);
    // Whose negative entries come and go is told, too.
    set("Other", "");
    let bob = Entry::parse("-bob", "alice".into()).unwrap();
    assert!(account.delete_rights(&name("Team"), &bob).unwrap());
    assert_eq!(shares(), ["anyone"]);
}

#[test]
fn what_others_write_counts_at_once() {
    let site = Site::new();
    let account = &site.account;
    account.create(&name("Team"), false, None).unwrap();
    let file = site.root().join(".Team/dovecot-acl");
    for (text, expected) in [
        ("user=bob l\n", "l"),
        ("user=bob r\n", "r"),
        ("user=bob w\n", "w"),
        ("-user=bob w\n", ""),
    ] {
        fs::write(&file, text).unwrap();
        assert_eq!(of(account, "Team", "bob"), expected);
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(of(account, "Team", "bob"), "");
}

#[test]
fn dovecot_looks_again_when_somebody_else_sees_a_mailbox() {
    let site = Site::new();
    let account = &site.account;
    account.create(&name("Team"), false, None).unwrap();
    let list = site.root().join("dovecot-acl-list");
    fs::write(&list, "").unwrap();
    give(account, "Team", "bob", "r");
    assert!(list.exists());
    give(account, "Team", "bob", "lr");
    assert!(!list.exists());
}

#[test]
fn a_list_that_cannot_be_read_is_the_owners_alone() {
    let site = Site::new();
    let account = &site.account;
    account.create(&name("Team"), false, None).unwrap();
    let text = "user=bob lr\n".repeat(20_000);
    fs::write(site.root().join(".Team/dovecot-acl"), text).unwrap();
    assert_eq!(of(account, "Team", "bob"), "");
    assert_eq!(of(account, "Team", "alice"), Rights::ALL.to_string());
}

#[test]
fn who_has_the_mailbox_open_is_woken() {
    let site = Site::new();
    let account = &site.account;
    account.create(&name("Team"), false, None).unwrap();
    let mailbox = account.open(&name("Team")).unwrap();
    let mut changes = mailbox.changes();
    changes.mark_unchanged();
    let before = account.acl_changes();
    give(account, "Team", "bob", "lr");
    assert!(changes.has_changed().unwrap());
    assert!(account.acl_changes() > before);
}

#[test]
fn courier_lists_are_taken_over() {
    let mut site = Site::new();
    for mailbox in ["Team", "Team/a", "Lone", "Cut"] {
        site.account.create(&name(mailbox), false, None).unwrap();
    }
    let root = site.root();
    fs::write(root.join("courierimapacl"), "owner aceilrstwx\nanyone l\n").unwrap();
    fs::write(
        root.join(".Team/courierimapacl"),
        "owner aceilrst\nanyone lr\nuser=bob cws\n-user=carol r\nadministrators a\nodd line\n",
    )
    .unwrap();
    fs::create_dir(root.join("courierimaphieracl")).unwrap();
    fs::write(root.join("courierimaphieracl/Cut"), "anyone lr\n-x\n").unwrap();
    site.restart();
    let account = &site.account;
    assert_eq!(of(account, "Team", "bob"), "lrwsk");
    assert_eq!(of(account, "Team", "carol"), "l");
    assert_eq!(of(account, "Team", "alice"), "lrstipeka");
    assert_eq!(of(account, "Team/a", "bob"), "lrwsk", "as its parent");
    assert_eq!(of(account, "Lone", "bob"), "l", "as INBOX");
    assert_eq!(of(account, "Cut", "bob"), "", "what it takes is not clear");
    assert_eq!(
        fs::read_to_string(root.join(".Team/dovecot-acl")).unwrap(),
        "anyone lr\ngroup=administrators akxeilprwts\n-owner xw\nuser=bob klrws\n-user=carol r\n"
    );
    // Ours from now on: what Courier has is not looked at again.
    assert!(root.join(".Team/courierimapacl").exists());
    give(account, "Team", "bob", "");
    give(account, "Team", "anyone", "");
    assert_eq!(of(account, "Team", "bob"), "");
    account.create(&name("New"), false, None).unwrap();
    assert_eq!(of(account, "New", "bob"), "");
}

/// A level that has had a list of its own since is asked for that.
#[test]
fn what_was_taken_over_and_changed_is_handed_down_as_it_is_now() {
    let mut site = Site::new();
    site.account.create(&name("Team"), false, None).unwrap();
    let root = site.root();
    fs::write(root.join("courierimapacl"), "user=bob lr\n").unwrap();
    fs::write(
        root.join(".Team/courierimapacl"),
        "user=bob lr\nuser=carol l\n",
    )
    .unwrap();
    site.restart();
    let account = &site.account;
    assert_eq!(of(account, "INBOX", "bob"), "lr");
    assert_eq!(of(account, "Team", "bob"), "lr");
    give(account, "INBOX", "bob", "");
    give(account, "Team", "bob", "");
    for made in [".Private", ".Team.x"] {
        for sub in ["cur", "new", "tmp"] {
            fs::create_dir_all(root.join(made).join(sub)).unwrap();
        }
    }
    site.restart();
    let account = &site.account;
    assert_eq!(of(account, "Private", "bob"), "");
    assert_eq!(of(account, "Team/x", "bob"), "");
    assert_eq!(of(account, "Team/x", "carol"), "l");
}

/// INBOX is above other mailboxes for Courier alone.
#[test]
fn what_was_given_to_inbox_without_courier_is_not_handed_down() {
    let mut site = Site::new();
    let root = site.root();
    fs::write(root.join("dovecot-acl"), "user=bob lr\n").unwrap();
    fs::write(root.join("courierimapuiddb"), "").unwrap();
    for sub in ["cur", "new", "tmp"] {
        fs::create_dir_all(root.join(".Private").join(sub)).unwrap();
    }
    site.restart();
    assert_eq!(of(&site.account, "INBOX", "bob"), "lr");
    assert_eq!(of(&site.account, "Private", "bob"), "");
}
