use super::*;
use crate::settings::tests::settings;

fn entry(line: &str) -> Entry {
    Entry::parse(line.as_bytes(), true, crate::scheme::Stored::parse)
        .unwrap()
        .unwrap()
}

fn account(line: &str) -> Result<Account, AccountError> {
    Account::of_entry(&entry(line), None)
}

#[test]
fn numbers_need_no_unix_account() {
    let got =
        account("a@b:{PLAIN}x:4000000123:4000000124::/srv/a::userdb_mail=maildir:/m").unwrap();
    assert_eq!(got.credentials.uid, UserId(4_000_000_123));
    assert_eq!(got.credentials.groups, [GroupId(4_000_000_124)]);
    assert_eq!(got.maildir.as_deref(), Some("/m"));
}

#[test]
fn names_are_looked_up_and_fill_what_is_missing() {
    let got = account("a:{PLAIN}x:daemon:::/srv/a").unwrap();
    let daemon = identity::user_by_name("daemon").unwrap().unwrap();
    assert_eq!(
        (got.credentials.uid, got.credentials.gid),
        (daemon.uid, daemon.gid)
    );
    let unix = Account::of_entry(&entry("daemon:{PLAIN}x"), Some("daemon")).unwrap();
    assert_eq!(unix.home, daemon.home);
    assert_eq!(
        unix.credentials,
        Account::of_unix("daemon").unwrap().credentials
    );
}

#[test]
fn lines_that_lead_to_no_account() {
    for line in [
        "a:{PLAIN}x",
        "a:{PLAIN}x:4000000123:::/srv/a",
        "a:{PLAIN}x:no-such-user-here:::/srv/a",
        "a:{PLAIN}x:1:no-such-group-here::/srv/a",
        "a:{PLAIN}x:4000000123:1",
        "a:{PLAIN}x:1:1::relative",
        // Two who share a uid would share its Unix account's home.
        "a:{PLAIN}x:0",
        "a:{PLAIN}x:daemon",
    ] {
        assert!(account(line).is_err(), "{line}");
    }
    assert!(Account::of_unix("no-such-user-here").is_err());
}

#[test]
fn lists_decide_who_may() {
    let own = identity::current_user().0;
    let who = account(&format!("me@here.example:{{PLAIN}}x:{own}:0::/srv")).unwrap();
    let may = |change: fn(&mut Settings)| {
        let mut s = settings();
        change(&mut s);
        who.check(&s)
    };
    assert!(may(|_| {}).is_ok());
    assert!(matches!(
        may(|s| s.deny_users = vec!["Me".into()]),
        Err(AccountError::Denied)
    ));
    assert!(may(|s| s.deny_users = vec!["other".into()]).is_ok());
    assert!(may(|s| s.allow_users = vec!["me@here.example".into()]).is_ok());
    let not = |r| matches!(r, Err(AccountError::NotAllowed));
    assert!(not(may(|s| s.allow_users = vec!["other".into()])));
    assert!(may(|s| s.allow_groups = vec!["root".into()]).is_ok());
    assert!(not(may(
        |s| s.allow_groups = vec!["no-such-group-here".into()]
    )));
    assert!(matches!(
        may(|s| s.minimum_uid = u32::MAX),
        Err(AccountError::MinimumUid(_))
    ));
}

#[test]
fn lists_may_name_bare_accounts_with_a_domain_of_this_host() {
    let own = identity::current_user().0;
    let of = |name: &str| account(&format!("{name}:{{PLAIN}}x:{own}:0::/srv")).unwrap();
    let mut s = settings();
    s.default_domain = Some("Example.org".into());
    for listed in ["bob@example.org", "Bob%EXAMPLE.org", "bob@one.example"] {
        s.deny_users = vec![listed.into()];
        let denied = of("bob").check(&s);
        assert!(matches!(denied, Err(AccountError::Denied)), "{listed}");
        assert!(of("bob@else.example").check(&s).is_ok(), "{listed}");
    }
    s.deny_users = vec!["bob@else.example".into()];
    assert!(of("bob").check(&s).is_ok());
    s.deny_users.clear();
    s.allow_users = vec!["bob@example.org".into()];
    assert!(of("bob").check(&s).is_ok());
    assert!(of("ann").check(&s).is_err());
}

#[test]
fn without_root_only_the_own_uid_is_served() {
    let who = account("a:{PLAIN}x:4000000123:4000000123::/srv").unwrap();
    assert_eq!(who.check(&settings()).is_ok(), identity::is_root());
}
