use super::*;
use crate::settings::tests::setup;
use roost_ipc::{AuthBackend, AuthSetup, Route};
use roost_os::identity::{current_user, is_root};
use roost_types::SessionId;
use std::path::Path;

const FILE: &str = "\
ann:{PLAIN}x:UID:1::/srv/ann
closed:{PLAIN}*:UID:1::/srv/closed::nologin
denied:{PLAIN}x:UID:1::/srv/denied
low:{PLAIN}x:0:0::/srv/low
far:{PLAIN}x:UID:1::/srv/far::allow_nets=192.0.2.0/24
near:{PLAIN}x:UID:1::/srv/near::allow_nets=127.0.0.0/8
";

fn served() -> UserId {
    match is_root() {
        true => UserId(4001),
        false => current_user(),
    }
}

fn settings(dir: &Path) -> Arc<Settings> {
    let path = dir.join("users");
    std::fs::write(&path, FILE.replace("UID", &served().to_string())).unwrap();
    let setup = AuthSetup {
        deny_users: vec!["denied".into()],
        // Root's own account is below it, also where root may log in otherwise.
        minimum_uid: 1,
        ..setup(vec![AuthBackend::PasswdFile { path }])
    };
    Arc::new(Settings::new(setup, None).unwrap())
}

fn ask(
    settings: &Arc<Settings>,
    uid: UserId,
    name: Option<&str>,
    any: bool,
) -> Result<String, NoSession> {
    let claim = Claim {
        session: SessionId(7),
        uid,
        name: name.map(str::to_owned),
        any,
        client: true,
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let claimed = runtime.block_on(answer(Arc::clone(settings), claim));
    assert_eq!(claimed.session, SessionId(7));
    match claimed.result {
        ClaimResult::Granted { grant } => {
            assert_eq!(
                (grant.session, grant.method.as_str()),
                (SessionId(7), "PREAUTH")
            );
            let own = grant.credentials.uid == uid;
            assert_eq!(grant.reader == Reader::Owner, own);
            assert_eq!(grant.reader == Reader::Other, !own);
            Ok(grant.account)
        }
        ClaimResult::Refused { reason } => Err(reason),
    }
}

#[test]
fn users_get_their_own_by_the_rules_of_a_login() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let own = |name| ask(&settings, served(), Some(name), false);
    assert_eq!(own("Ann"), Ok("ann".into()));
    assert_eq!(own("near"), Ok("near".into()));
    for name in ["closed", "denied", "low", "far", "nobody-here", "a b"] {
        assert_eq!(own(name), Err(NoSession::NotAllowed), "{name}");
    }
    let stranger = UserId(served().0 + 1);
    let others = ask(&settings, stranger, Some("ann"), false);
    assert_eq!(others, Err(NoSession::NotAllowed));
}

#[test]
fn who_looks_after_the_server_gets_any_that_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let any = |name| ask(&settings, UserId(0), Some(name), true);
    for name in ["ann", "closed", "denied", "far"] {
        assert_eq!(any(name), Ok(name.into()));
    }
    assert_eq!(any("low"), Err(NoSession::NotAllowed));
    assert_eq!(any("nobody-here"), Err(NoSession::NoSuchAccount));
}

/// What is left of them here would be a mailbox that nothing is delivered to.
#[test]
fn accounts_that_have_moved_are_for_administrators_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    let moved = |name: &str| Route::Elsewhere {
        user: name.to_owned(),
        host: "other.example".to_owned(),
    };
    let router = &mut Arc::get_mut(&mut settings).unwrap().router;
    router.insert("ann".into(), moved("ann"));
    router.insert("nobody-here".into(), moved("nobody"));
    let own = |name| ask(&settings, served(), Some(name), false);
    assert_eq!(own("Ann"), Err(NoSession::Elsewhere));
    assert_eq!(own("near"), Ok("near".into()));
    // Which names have moved is not everybody's business either.
    assert_eq!(own("nobody-here"), Err(NoSession::NotAllowed));
    let stranger = UserId(served().0 + 1);
    let others = ask(&settings, stranger, Some("ann"), false);
    assert_eq!(others, Err(NoSession::NotAllowed));
    let any = ask(&settings, UserId(0), Some("ann"), true);
    assert_eq!(any, Ok("ann".into()));
}

/// Also with `minimum_uid = 0`, where root may.
#[test]
fn nobody_gets_roots_account_where_it_may_not_log_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users");
    std::fs::write(&path, "low:{PLAIN}x:0:0::/srv/low::nologin\n").unwrap();
    let setup = setup(vec![AuthBackend::PasswdFile { path }]);
    assert_eq!(setup.minimum_uid, 0);
    let settings = Arc::new(Settings::new(setup, None).unwrap());
    let low = ask(&settings, UserId(0), Some("low"), true);
    assert_eq!(low, Err(NoSession::NotAllowed));
}

/// Nobody's uid, and root's, who is in no account file.
#[test]
fn without_a_name_it_is_the_account_of_the_uid() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    for uid in [UserId(0), UserId(3_999_999_999)] {
        let own = ask(&settings, uid, None, false);
        assert_eq!(own, Err(NoSession::NoSuchAccount), "{uid}");
    }
}
