//! Against the real libpam, with service files in folders of the tests' own.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use super::*;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn conversation(dir: &Path, stack: &str) -> Conversation {
    fs::write(dir.join("roost"), stack).unwrap();
    // libpam refuses a service without an "other" to fall back on.
    fs::write(
        dir.join("other"),
        "auth required pam_deny.so\naccount required pam_deny.so\n",
    )
    .unwrap();
    Conversation {
        service: "roost".to_owned(),
        user: "alice".to_owned(),
        password: Some(Zeroizing::new(b"secret".to_vec())),
        rhost: LOCAL,
        tty: "roost".to_owned(),
        confdir: Some(dir.to_owned()),
    }
}

#[test]
fn permit_and_deny() {
    let dir = tempfile::tempdir().unwrap();
    let yes = "auth required pam_permit.so\naccount required pam_permit.so\n";
    assert_eq!(
        conversation(dir.path(), yes).authenticate().unwrap().user,
        "alice"
    );
    let no = "auth required pam_deny.so\naccount required pam_permit.so\n";
    let failure = conversation(dir.path(), no).authenticate().unwrap_err();
    assert_eq!(
        (failure.error, failure.authenticated),
        (Error::AuthFailed, false)
    );
}

#[test]
fn the_account_phase_counts() {
    let dir = tempfile::tempdir().unwrap();
    let stack = "auth required pam_permit.so\naccount required pam_deny.so\n";
    let failure = conversation(dir.path(), stack).authenticate().unwrap_err();
    assert!(failure.error.is_verdict(), "{:?}", failure.error);
    assert!(failure.authenticated);
}

#[test]
fn without_a_password_the_account_phase_alone_counts() {
    let dir = tempfile::tempdir().unwrap();
    let known = |stack| {
        let mut c = conversation(dir.path(), stack);
        c.password = None;
        c.authenticate()
    };
    let open = "auth required pam_deny.so\naccount required pam_permit.so\n";
    assert_eq!(known(open).unwrap().user, "alice");
    let closed = "auth required pam_permit.so\naccount required pam_deny.so\n";
    let failure = known(closed).unwrap_err();
    assert!(failure.error.is_verdict() && failure.authenticated);
}

#[test]
fn a_missing_module_is_a_fault_of_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let stack = "auth required pam_no_such_module.so\naccount required pam_permit.so\n";
    let failure = conversation(dir.path(), stack).authenticate().unwrap_err();
    assert!(matches!(failure.error, Error::System { .. }), "{failure:?}");
}

#[test]
fn modules_get_the_password_and_the_items() {
    let dir = tempfile::tempdir().unwrap();
    let seen = dir.path().join("seen");
    let script = dir.path().join("check");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\nread -r p\necho \"$PAM_USER $PAM_RHOST $PAM_TTY $PAM_RUSER $p\" > {}\n\
             [ \"$p\" = secret ]\n",
            seen.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let stack = format!(
        "auth required pam_exec.so expose_authtok {}\nauth required pam_permit.so\n\
         account required pam_permit.so\n",
        script.display()
    );
    let mut c = conversation(dir.path(), &stack);
    c.rhost = "::ffff:192.0.2.7".parse().unwrap();
    c.authenticate().unwrap();
    let text = fs::read_to_string(&seen).unwrap();
    assert_eq!(
        text.replace('\0', ""),
        "alice 192.0.2.7 roost alice secret\n"
    );

    c.password = Some(Zeroizing::new(b"wrong".to_vec()));
    let started = Instant::now();
    let failure = c.authenticate().unwrap_err();
    assert!(!failure.authenticated, "{:?}", failure.error);
    assert!(failure.messages.iter().any(|m| m.text.contains("failed")));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn senseless_requests_never_reach_a_module() {
    let dir = tempfile::tempdir().unwrap();
    let stack = "auth required pam_permit.so\naccount required pam_permit.so\n";
    let refused = |change: fn(&mut Conversation)| {
        let mut c = conversation(dir.path(), stack);
        change(&mut c);
        c.authenticate().unwrap_err().error
    };
    for password in [vec![], b"a\0b".to_vec(), vec![b'x'; 512]] {
        let mut c = conversation(dir.path(), stack);
        c.password = Some(Zeroizing::new(password));
        assert_eq!(c.authenticate().unwrap_err().error, Error::AuthFailed);
    }
    assert_eq!(refused(|c| c.user.clear()), Error::UserUnknown);
    assert_eq!(refused(|c| c.service = "../x".into()), Error::Service);
}

#[test]
fn delays_are_told_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let stack = "auth optional pam_faildelay.so delay=7000000\nauth required pam_deny.so\n\
                 account required pam_permit.so\n";
    let started = Instant::now();
    let failure = conversation(dir.path(), stack).authenticate().unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3));
    // libpam spreads them by a quarter or a half.
    let told = failure.delay.as_secs_f64();
    assert!((3.0..=11.0).contains(&told), "{told}");
    let late = "auth optional pam_faildelay.so delay=7000000\nauth required pam_permit.so\n\
                account required pam_deny.so\n";
    let failure = conversation(dir.path(), late).authenticate().unwrap_err();
    assert_eq!(
        (failure.authenticated, failure.delay),
        (true, Duration::ZERO)
    );
    let none = "auth required pam_deny.so\naccount required pam_permit.so\n";
    let failure = conversation(dir.path(), none).authenticate().unwrap_err();
    assert_eq!(failure.delay, Duration::ZERO);
}

#[test]
fn a_session_is_open_while_the_caller_is_told_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let seen = dir.path().join("seen");
    let script = dir.path().join("session");
    let text = format!(
        "#!/bin/sh\necho $PAM_TYPE $PAM_USER >> {}\n",
        seen.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let stack = format!(
        "auth required pam_permit.so\naccount required pam_permit.so\n\
         session required pam_exec.so {}\n",
        script.display()
    );
    let mut c = conversation(dir.path(), &stack);
    c.authenticate().unwrap();
    assert!(!seen.exists());
    c.password = None;
    let text = || fs::read_to_string(&seen).unwrap();
    let opened = |told: Authenticated| {
        assert_eq!(told.user, "alice");
        assert_eq!(text(), "open_session alice\n");
    };
    c.session(opened).unwrap();
    assert_eq!(text(), "open_session alice\nclose_session alice\n");
    let stack = stack.replace(&script.display().to_string(), "/no/such/program");
    let mut c = conversation(dir.path(), &stack);
    c.password = None;
    let failure = c.session(|_| panic!("it is not open")).unwrap_err();
    assert!(
        failure.authenticated && !failure.error.is_verdict(),
        "{failure:?}"
    );
}
