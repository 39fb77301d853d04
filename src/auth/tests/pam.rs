//! PAM conversations in child processes, with service files and modules of the
//! test's own.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use roost_auth::pam::{Pam, PamError, Verdict};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OTHER: &str = "auth required pam_deny.so\naccount required pam_deny.so\n";

fn pam(dir: &Path, stack: &str, timeout: Duration) -> Pam {
    fs::write(dir.join("roost"), stack).unwrap();
    fs::write(dir.join("other"), OTHER).unwrap();
    Pam::new("roost", timeout)
        .confdir(dir)
        .executable(env!("CARGO_BIN_EXE_roost-auth"))
}

fn script(dir: &Path, body: &str) -> String {
    let path = dir.join("check");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn verdicts() {
    for (stack, expected) in [
        (
            "auth required pam_permit.so\naccount required pam_permit.so\n",
            Verdict::Accepted("alice".into()),
        ),
        (OTHER, Verdict::Refused),
        (
            "auth required pam_permit.so\naccount required pam_deny.so\n",
            Verdict::Denied,
        ),
        (
            "auth required pam_no_such_module.so\naccount required pam_permit.so\n",
            Verdict::Broken,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let reply = pam(dir.path(), stack, LONG)
            .ask("alice", b"secret", LOCAL)
            .await;
        assert_eq!(reply.unwrap().verdict, expected, "{stack}");
    }
}

#[tokio::test]
async fn the_account_phase_is_asked_by_itself() {
    for (stack, expected) in [
        (
            "auth required pam_deny.so\naccount required pam_permit.so\n",
            Verdict::Accepted("alice".into()),
        ),
        (
            "auth required pam_permit.so\naccount required pam_deny.so\n",
            Verdict::Denied,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let pam = pam(dir.path(), stack, LONG);
        let reply = pam.ask_account("alice", LOCAL).await;
        assert_eq!(reply.unwrap().verdict, expected, "{stack}");
    }
}

#[tokio::test]
async fn the_password_reaches_the_modules() {
    let dir = tempfile::tempdir().unwrap();
    let check = script(dir.path(), "read -r p; [ \"$p\" = secret ]");
    let stack = format!(
        "auth sufficient pam_exec.so quiet expose_authtok {check}\nauth required pam_deny.so\n\
         account required pam_permit.so\n"
    );
    // pam_exec hands on PAM_IGNORE; a permit behind it makes that a success.
    let stack = stack.replace(
        "required pam_deny.so\naccount",
        "required pam_permit.so\naccount",
    );
    let stack = stack.replace("sufficient pam_exec", "required pam_exec");
    let pam = pam(dir.path(), &stack, LONG);
    let right = pam.ask("alice", b"secret", LOCAL).await.unwrap();
    assert_eq!(right.verdict, Verdict::Accepted("alice".into()));
    let wrong = pam.ask("alice", b"wrong", LOCAL).await.unwrap();
    assert_ne!(wrong.verdict, Verdict::Accepted("alice".into()));
}

#[tokio::test]
async fn a_hanging_module_ends_with_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let check = script(
        dir.path(),
        &format!("echo $PPID > {}\nexec sleep 60", pid_file.display()),
    );
    let stack = format!("auth required pam_exec.so {check}\naccount required pam_permit.so\n");
    let pam = pam(dir.path(), &stack, Duration::from_secs(3));
    let since = Instant::now();
    let error = pam.ask("alice", b"x", LOCAL).await.unwrap_err();
    assert!(matches!(error, PamError::Timeout(_)), "{error}");
    assert!(since.elapsed() < Duration::from_secs(50));
    let pid = fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    let alive =
        || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "));
    let limit = Instant::now() + Duration::from_secs(30);
    while alive() && Instant::now() < limit {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!alive(), "process {pid} lives on");
}

#[tokio::test]
async fn a_crash_hurts_its_own_attempt_only() {
    let dir = tempfile::tempdir().unwrap();
    // The module's helper kills the process that PAM runs in.
    let check = script(
        dir.path(),
        "[ \"$PAM_USER\" = victim ] && kill -ABRT $PPID; exit 0",
    );
    let stack = format!(
        "auth required pam_exec.so {check}\nauth required pam_permit.so\n\
         account required pam_permit.so\n"
    );
    let pam = pam(dir.path(), &stack, LONG);
    let (crashed, fine) = tokio::join!(
        pam.ask("victim", b"x", LOCAL),
        pam.ask("alice", b"x", LOCAL)
    );
    assert!(matches!(crashed, Err(PamError::Died(_))), "{crashed:?}");
    assert_eq!(fine.unwrap().verdict, Verdict::Accepted("alice".into()));
}

/// The module of `told.c`; `None` where there is no compiler.
fn told(dir: &Path) -> Option<String> {
    let module = dir.join("told.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/told.c");
    let made = Command::new("cc")
        .args(["-std=c99", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o"])
        .args([module.as_os_str(), source.as_ref()])
        .status();
    match made {
        Ok(status) => {
            assert!(status.success());
            Some(module.display().to_string())
        }
        Err(_) => {
            eprintln!("left out: no cc");
            None
        }
    }
}

#[tokio::test]
async fn what_modules_say_in_each_phase() {
    let dir = tempfile::tempdir().unwrap();
    let Some(module) = told(dir.path()) else {
        return;
    };
    // The codes of <security/_pam_types.h>.
    for (arguments, expected) in [
        ("", Verdict::Accepted("alice".into())),
        // PAM_AUTH_ERR, PAM_USER_UNKNOWN, PAM_MAXTRIES
        ("auth=7", Verdict::Refused),
        ("auth=10", Verdict::Refused),
        ("auth=11", Verdict::Refused),
        // PAM_NEW_AUTHTOK_REQD, PAM_AUTHTOK_EXPIRED
        ("account=12", Verdict::Expired),
        ("account=27", Verdict::Expired),
        // Nobody who has not proved himself hears of it.
        ("auth=27", Verdict::Refused),
        // PAM_ACCT_EXPIRED, PAM_PERM_DENIED, PAM_AUTH_ERR
        ("account=13", Verdict::Denied),
        ("account=6", Verdict::Denied),
        ("account=7", Verdict::Denied),
        // PAM_AUTHINFO_UNAVAIL, PAM_SERVICE_ERR, PAM_SESSION_ERR
        ("auth=9", Verdict::Broken),
        ("account=9", Verdict::Broken),
        ("account=3", Verdict::Broken),
        // Not before Roost has asked its own rules.
        ("setcred=3", Verdict::Accepted("alice".into())),
        ("open_session=14", Verdict::Accepted("alice".into())),
    ] {
        let pam = pam(dir.path(), &stack(&module, arguments), LONG).session(true);
        let reply = pam.ask("alice", b"secret", LOCAL).await.unwrap();
        assert_eq!(reply.verdict, expected, "{arguments}: {}", reply.reason);
    }
    for (arguments, expected) in [
        ("", Verdict::Accepted("alice".into())),
        ("auth=7", Verdict::Accepted("alice".into())),
        ("account=13", Verdict::Denied),
        ("account=12", Verdict::Expired),
        ("setcred=3", Verdict::Broken),
        // PAM_SESSION_ERR, PAM_PERM_DENIED
        ("open_session=14", Verdict::Broken),
        ("open_session=6", Verdict::Denied),
        // The session was there; nobody misses its end.
        ("close_session=14", Verdict::Accepted("alice".into())),
    ] {
        let pam = pam(dir.path(), &stack(&module, arguments), LONG);
        let reply = pam.open_session("alice", LOCAL).await.unwrap();
        assert_eq!(reply.verdict, expected, "{arguments}: {}", reply.reason);
    }
}

/// All phases by one module.
fn stack(module: &str, arguments: &str) -> String {
    format!(
        "auth required {module} {arguments}\naccount required {module} {arguments}\n\
         session required {module} {arguments}\n"
    )
}

#[tokio::test]
async fn crashes_and_hangs_of_any_phase_end_the_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let Some(module) = told(dir.path()) else {
        return;
    };
    for phase in ["auth", "account", "open_session"] {
        let ask = async |how: &str, limit| {
            let pam = pam(
                dir.path(),
                &stack(&module, &format!("{phase}={how}")),
                limit,
            );
            let reply = match phase {
                "open_session" => pam.open_session("alice", LOCAL).await,
                _ => pam.ask("alice", b"x", LOCAL).await,
            };
            reply.unwrap_err()
        };
        let error = ask("segv", LONG).await;
        assert!(matches!(error, PamError::Died(_)), "{phase}: {error}");
        let error = ask("hang", Duration::from_millis(500)).await;
        assert!(matches!(error, PamError::Timeout(_)), "{phase}: {error}");
    }
}

/// A stack whose session phase is a script.
fn session(dir: &Path, body: &str) -> String {
    let check = script(dir, body);
    format!(
        "auth required pam_permit.so\naccount required pam_permit.so\n\
         session required pam_exec.so quiet {check}\n"
    )
}

/// Waits until it holds, for as long as no machine takes.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < limit, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_login_waits_for_its_session_and_not_for_the_end_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let body = format!(
        "echo $PAM_TYPE >>{at}/seen\n\
         [ $PAM_TYPE != close_session ] || {{ echo $PPID >{at}/pid; exec sleep 60; }}"
    );
    let pam = pam(
        dir.path(),
        &session(dir.path(), &body),
        Duration::from_secs(3),
    );
    let reply = pam.open_session("alice", LOCAL).await.unwrap();
    assert_eq!(reply.verdict, Verdict::Accepted("alice".into()));
    let seen = || fs::read_to_string(dir.path().join("seen")).unwrap();
    assert!(seen().starts_with("open_session\n"));
    // What hangs then ends with its time.
    let pid = || fs::read_to_string(dir.path().join("pid")).unwrap_or_default();
    until("closing", || pid().ends_with('\n')).await;
    let stat = format!("/proc/{}/stat", pid().trim());
    let alive = || fs::read_to_string(&stat).is_ok_and(|s| !s.contains(") Z "));
    until("the end of a closing that hangs", || !alive()).await;
    assert_eq!(seen(), "open_session\nclose_session\n");
}

#[tokio::test]
async fn a_session_outlives_a_client_that_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let body = format!(
        "[ $PAM_TYPE = open_session ] || {{ echo >{at}/closed; exit; }}\n\
         echo half >{at}/home\n\
         while [ ! -e {at}/go ]; do sleep 0.05; done\n\
         echo whole >{at}/home"
    );
    let pam = pam(dir.path(), &session(dir.path(), &body), LONG);
    let home = || fs::read_to_string(dir.path().join("home")).unwrap_or_default();
    let client = tokio::spawn(async move { pam.open_session("alice", LOCAL).await });
    until("opening", || home() == "half\n").await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    fs::write(dir.path().join("go"), "").unwrap();
    until("closing", || dir.path().join("closed").exists()).await;
    assert_eq!(home(), "whole\n");
}
