use super::*;
use crate::settings::tests::setup;
use roost_ipc::{AuthBackend, Route};
use roost_os::identity::{current_user, is_root, user_by_id};
use std::path::Path;

const LOCAL: &str = "192.0.2.1";

/// The file's lines, with `UID` for one whose mail is served.
fn settings(dir: &Path, lines: &str) -> Settings {
    let path = dir.join("users");
    std::fs::write(&path, lines.replace("UID", &served().to_string())).unwrap();
    let pam = AuthBackend::Pam {
        service: "roost".into(),
    };
    Settings::new(setup(vec![AuthBackend::PasswdFile { path }, pam]), None).unwrap()
}

fn served() -> u32 {
    match is_root() {
        true => 4001,
        false => current_user().0,
    }
}

fn ask(settings: &Settings, owner: Option<&str>, asker: &str) -> Found {
    let lookup = Lookup {
        request: 7,
        owner: owner.map(str::to_owned),
        asker: Some(asker.to_owned()),
        local: LOCAL.parse().unwrap(),
    };
    let found = answer(settings, &lookup);
    assert_eq!(found.request, 7);
    found
}

fn name_of(found: &Found) -> Option<&str> {
    match &found.owner {
        Owner::Account { account, .. } => Some(account),
        Owner::Nobody {} => None,
        Owner::Unknown {} => panic!("not looked up"),
    }
}

const FILE: &str = "\
ann@one.example:{PLAIN}x:UID:1::/srv/ann::userdb_mail=maildir:~/m
ann@two.example:{PLAIN}x:UID:1::/srv/ann2::userdb_acl_groups=sales,,staff
public:{PLAIN}*:UID:1::/srv/public::nologin
low:{PLAIN}x:0:0::/srv/low
";

#[test]
fn a_name_without_a_domain_is_of_the_askers() {
    let dir = tempfile::tempdir().unwrap();
    let s = settings(dir.path(), FILE);
    let owner = |owner, asker| name_of(&ask(&s, Some(owner), asker)).map(str::to_owned);
    assert_eq!(owner("ann", "bob@two.example").unwrap(), "ann@two.example");
    // That of the address which the client has connected to.
    assert_eq!(owner("Ann", "bob").unwrap(), "ann@one.example");
    assert_eq!(owner("ann%two.example", "bob").unwrap(), "ann@two.example");
    assert_eq!(owner("ann@three.example", "bob"), None);
    assert_eq!(owner("public", "bob").unwrap(), "public");
    assert_eq!(owner("public", "bob@two.example"), None);
    for odd in ["", "~ann", "a/b", "a b", "..", "\u{0}", &"x".repeat(300)] {
        assert_eq!(owner(odd, "bob"), None, "{odd:?}");
    }
}

#[test]
fn accounts_whose_mail_is_not_served_are_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = settings(dir.path(), FILE);
    assert_eq!(name_of(&ask(&s, Some("root"), "bob")), None);
    if is_root() {
        assert_eq!(name_of(&ask(&s, Some("low"), "bob")), None);
    }
    s.deny_users = vec!["public".into()];
    assert!(name_of(&ask(&s, Some("public"), "bob")).is_some());
    s.minimum_uid = u32::MAX;
    assert_eq!(name_of(&ask(&s, Some("public"), "bob")), None);
}

#[test]
fn accounts_that_have_moved_are_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = settings(dir.path(), FILE);
    let moved = Route::Elsewhere {
        user: "ann".into(),
        host: "other.example".into(),
    };
    s.router.insert("ann@two.example".into(), moved);
    for (raw, asker) in [
        ("ann", "bob@two.example"),
        ("Ann@two.example", "bob"),
        ("ann%two.example", "bob@one.example"),
    ] {
        assert_eq!(name_of(&ask(&s, Some(raw), asker)), None, "{raw}");
    }
    assert!(name_of(&ask(&s, Some("ann"), "bob")).is_some());
}

#[test]
fn groups_are_those_of_the_line_and_of_the_unix_account_of_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let s = settings(dir.path(), FILE);
    let groups = |asker: &str| ask(&s, None, asker).groups;
    assert_eq!(groups("ann@two.example"), ["sales", "staff"]);
    assert!(groups("ann@one.example").is_empty(), "not those of the uid");
    assert!(groups("nobody@here.example").is_empty());
    let daemon = directory::user_by_name("daemon").unwrap().unwrap();
    let own = directory::group_by_id(daemon.gid).unwrap().unwrap();
    assert!(groups("daemon").contains(&own));
    let root = user_by_id(roost_os::UserId(0)).unwrap().unwrap();
    assert!(!groups(&root.name).is_empty());
    // Without an owner there is nothing to know.
    assert!(ask(&s, Some("none"), "ann@two.example").groups.is_empty());
}

#[test]
fn a_file_that_cannot_be_read_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let s = settings(dir.path(), FILE);
    std::fs::remove_file(dir.path().join("users")).unwrap();
    let lookup = Lookup {
        request: 1,
        owner: Some("public".into()),
        asker: None,
        local: LOCAL.parse().unwrap(),
    };
    assert_eq!(answer(&s, &lookup).owner, Owner::Unknown {});
}
