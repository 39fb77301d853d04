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
        &format!("echo $PPID > {}\nexec sleep 8", pid_file.display()),
    );
    let stack = format!("auth required pam_exec.so {check}\naccount required pam_permit.so\n");
    let pam = pam(dir.path(), &stack, Duration::from_millis(1500));
    let since = Instant::now();
    let error = pam.ask("alice", b"x", LOCAL).await.unwrap_err();
    assert!(matches!(error, PamError::Timeout(_)), "{error}");
    assert!(since.elapsed() < Duration::from_secs(10));
    let pid = fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    let alive =
        || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "));
    let limit = Instant::now() + Duration::from_secs(5);
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
        ("setcred=3", Verdict::Broken),
        ("open_session=14", Verdict::Broken),
        // The session was there; nobody misses its end.
        ("close_session=14", Verdict::Accepted("alice".into())),
    ] {
        let stack = format!(
            "auth required {module} {arguments}\naccount required {module} {arguments}\n\
             session required {module} {arguments}\n"
        );
        let pam = pam(dir.path(), &stack, LONG).session(true);
        let reply = pam.ask("alice", b"secret", LOCAL).await.unwrap();
        assert_eq!(reply.verdict, expected, "{arguments}: {}", reply.reason);
    }
}

#[tokio::test]
async fn crashes_and_hangs_of_any_phase_end_the_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let Some(module) = told(dir.path()) else {
        return;
    };
    for phase in ["auth", "account", "open_session", "close_session"] {
        let stack = |how: &str| {
            format!(
                "auth required {module} {phase}={how}\naccount required {module} {phase}={how}\n\
                 session required {module} {phase}={how}\n"
            )
        };
        let crashing = pam(dir.path(), &stack("segv"), LONG).session(true);
        let error = crashing.ask("alice", b"x", LOCAL).await.unwrap_err();
        assert!(matches!(error, PamError::Died(_)), "{phase}: {error}");
        let limit = Duration::from_millis(500);
        let hanging = pam(dir.path(), &stack("hang"), limit).session(true);
        let error = hanging.ask("alice", b"x", LOCAL).await.unwrap_err();
        assert!(matches!(error, PamError::Timeout(_)), "{phase}: {error}");
    }
}
