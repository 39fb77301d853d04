//! What is said of mailboxes beside their messages, when its file cannot be
//! written, or not read.

use super::support::*;
use roost_store::acl::Subject;
use roost_store::{Error, QuotaOptions};
use roost_types::Rights;
use std::fs;

/// Until it is dropped, `roost-folders` cannot be replaced.
struct Stuck(std::path::PathBuf);

impl Stuck {
    fn new(site: &Site) -> Self {
        let path = site.root().join("roost-folders.tmp");
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).unwrap();
    }
}

fn own_rights(site: &Site, mailbox: &str) -> Rights {
    let owner = Subject {
        owner: "alice".into(),
        asker: None,
    };
    site.account.rights(&name(mailbox), &owner)
}

fn is_locked(site: &Site, mailbox: &str) -> bool {
    !own_rights(site, mailbox).contains(Rights::INSERT)
}

#[test]
fn a_mailbox_is_not_renamed_without_its_lock() {
    let site = Site::new();
    site.create("a/Minutes");
    site.account.set_locked(&name("a/Minutes"), true).unwrap();
    let stuck = Stuck::new(&site);
    assert!(site.account.rename(&name("a"), &name("b")).is_err());
    assert!(is_locked(&site, "a/Minutes"));
    drop(stuck);
    site.account.rename(&name("a"), &name("b")).unwrap();
    assert!(is_locked(&site, "b/Minutes"));
    assert!(!is_locked(&site, "a/Minutes"));
    // What was said of another mailbox of the new name is over.
    fs::remove_dir_all(site.root().join(".b.Minutes")).unwrap();
    site.create("c");
    site.account.rename(&name("c"), &name("b/Minutes")).unwrap();
    assert!(!is_locked(&site, "b/Minutes"));
    // A rename that does not come about leaves nothing.
    site.create("d");
    site.account.set_locked(&name("d"), true).unwrap();
    fs::write(site.root().join(".e"), "").unwrap();
    assert!(site.account.rename(&name("d"), &name("e")).is_err());
    fs::remove_file(site.root().join(".e")).unwrap();
    let text = fs::read_to_string(site.root().join("roost-folders")).unwrap();
    assert_eq!(text, "roost-folders 1\nlocked\td\n");
}

#[test]
fn what_cannot_be_read_may_be_locked() {
    let site = Site::new();
    site.create("Minutes");
    assert!(!is_locked(&site, "Minutes"));
    fs::write(site.root().join("roost-folders"), "roost-folders 2\n").unwrap();
    assert!(is_locked(&site, "Minutes"));
    assert!(own_rights(&site, "Minutes").contains(Rights::READ));
    assert_eq!(own_rights(&site, "INBOX"), Rights::ALL);
}

#[test]
fn nothing_is_created_whose_use_cannot_be_written() {
    let site = Site::new();
    let stuck = Stuck::new(&site);
    let sent = Some(roost_types::SpecialUse::Sent);
    assert!(site.account.create(&name("Out"), false, sent).is_err());
    assert!(!site.root().join(".Out").exists());
    drop(stuck);
    site.account.create(&name("Out"), false, sent).unwrap();
    assert_eq!(
        site.account
            .folders()
            .unwrap()
            .get(&name("Out"))
            .unwrap()
            .special_use,
        sent
    );
    // A directory becomes a mailbox, and goes as one.
    site.account.create(&name("d"), true, None).unwrap();
    site.account.create(&name("d"), false, None).unwrap();
    fs::remove_dir_all(site.root().join(".d")).unwrap();
    assert!(site.account.folders().unwrap().get(&name("d")).is_none());
}

#[test]
fn aliases_are_names_that_count() {
    let mut site = Site::new();
    site.set_quota(QuotaOptions {
        max_mailboxes: 3,
        ..QuotaOptions::default()
    });
    let set = |alias: &str, target| site.account.set_alias(&name(alias), Some(target));
    set("a", "~bob/a").unwrap();
    set("b", "~bob/b").unwrap();
    assert!(matches!(set("c", "~bob/c"), Err(Error::OverQuota)));
    set("b", "~bob/x").unwrap();
    let more = site.account.create(&name("d"), false, None);
    assert!(matches!(more, Err(Error::OverQuota)));
    site.account.set_alias(&name("a"), None).unwrap();
    set("c", "~bob/c").unwrap();
}

#[test]
fn an_account_of_inbox_alone_shows_no_other_mailbox_and_loses_none() {
    let mut site = Site::new();
    site.create("Work/sub");
    site.account
        .set_alias(&name("Ours"), Some("~bob/x"))
        .unwrap();
    site.account.create(&name("d"), true, None).unwrap();
    let all = |site: &Site| {
        let folders = site.account.folders().unwrap();
        folders.iter().map(|f| f.name.join('/')).collect::<Vec<_>>()
    };
    let before = all(&site);
    let only = |inbox_only| QuotaOptions {
        max_mailboxes: u32::from(inbox_only),
        inbox_only,
        ..QuotaOptions::default()
    };
    site.set_quota(only(true));
    assert_eq!(all(&site), ["INBOX"]);
    for hidden in ["Work/sub", "Ours", "d"] {
        let opened = site.account.open(&name(hidden));
        assert!(matches!(opened, Err(Error::NoSuchMailbox)), "{hidden}");
        let deleted = site.account.delete(&name(hidden));
        assert!(matches!(deleted, Err(Error::NoSuchMailbox)), "{hidden}");
        let made = site.account.create(&name(hidden), false, None);
        assert!(matches!(made, Err(Error::OverQuota)), "{hidden}");
        let renamed = site.account.rename(&name("INBOX"), &name(hidden));
        assert!(matches!(renamed, Err(Error::OverQuota)), "{hidden}");
    }
    let alias = site.account.set_alias(&name("x"), Some("INBOX"));
    assert!(matches!(alias, Err(Error::OverQuota)));
    append(
        &site.inbox(),
        "Subject: a\n\n",
        roost_types::SystemFlags::NONE,
        &[],
    );
    site.set_quota(only(false));
    assert_eq!(all(&site), before);
}

#[test]
fn no_alias_ever_stands_for_an_alias() {
    let site = Site::new();
    let set = |alias: &str, target: &str| site.account.set_alias(&name(alias), Some(target));
    let refused = |alias: &str, target: &str| {
        let done = set(alias, target);
        assert!(matches!(done, Err(Error::InvalidName(_))), "{alias}");
    };
    set("a", "b").unwrap();
    refused("c", "a");
    refused("a", "a");
    // What the first stands for does not become one.
    refused("b", "~bob/x");
    let account = site.account.name();
    set("d", &format!("~{account}/e")).unwrap();
    refused("e", "~bob/x");
    refused("f", &format!("~{account}/d"));
    set("g", "~bobby/e").unwrap();
    set("a", "x").unwrap();
    set("b", "~bob/x").unwrap();
}

#[test]
fn what_nobody_could_read_again_is_not_written() {
    let site = Site::new();
    let path = site.root().join("roost-folders");
    let text = format!("roost-folders 1\nx\t{}\n", "x".repeat((16 << 20) - 40));
    fs::write(&path, &text).unwrap();
    let set = |alias: &str| {
        site.account
            .set_alias(&name(alias), Some("~bob/some/mailbox"))
    };
    assert!(matches!(set("a"), Err(Error::Limit(_))));
    assert!(site.account.folders().unwrap().get(&name("a")).is_none());
    assert!(fs::read_to_string(&path).unwrap() == text);
    let path = site.root().join("subscriptions");
    let text = "x".repeat((16 << 20) - 4) + "\n";
    fs::write(&path, &text).unwrap();
    let subscribed = site.account.subscribe(&name("a/long/name"));
    assert!(matches!(subscribed, Err(Error::Limit(_))));
    assert_eq!(site.account.subscriptions().unwrap().len(), 0);
    assert!(fs::read_to_string(&path).unwrap() == text);
}
