//! Who runs as whom, what each process can reach, and what happens when one
//! of them is killed.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roost_tests::client::Client;
use roost_tests::mail;
use roost_tests::process::{Finish, eventually, in_namespace};
use roost_tests::roost::{PASSWORD, Roost, Setup, folder};
use roost_tests::state::Mailbox;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn with_pam() -> Roost {
    Roost::alone(&Setup::pam())
}

fn virtual_user() -> Roost {
    Roost::alone(&Setup::of(&["u"]))
}

/// The four numbers of a line of `/proc/PID/status` (real, effective, saved, fs).
fn ids(pid: Pid, what: &str) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with(what)).unwrap();
    line.split_whitespace()
        .skip(1)
        .map(|n| n.parse().unwrap())
        .collect()
}

fn field(pid: Pid, what: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap_or("").to_owned()
}

/// Runs a shell command with exactly the identity of process `pid`.
fn as_process(pid: Pid, script: &str) -> std::process::Output {
    let groups: Vec<_> = ids(pid, "Groups:").iter().map(u32::to_string).collect();
    let groups = if groups.is_empty() {
        "--clear-groups".to_owned()
    } else {
        format!("--groups={}", groups.join(","))
    };
    Command::new("setpriv")
        .arg(format!("--reuid={}", ids(pid, "Uid:")[1]))
        .arg(format!("--regid={}", ids(pid, "Gid:")[1]))
        .arg(groups)
        .args(["sh", "-c", script])
        .finish()
        .unwrap()
}

#[test]
fn every_process_has_its_own_identity_and_reaches_no_further() {
    if !in_namespace("identities of processes") {
        return;
    }
    let roost = with_pam();
    let mut alice = roost.login("alice");
    let mut bob = roost.login("bob");
    for client in [&mut alice, &mut bob] {
        assert!(client.append("INBOX", "", &mail::small(1)).unwrap().ok());
        client.ok("SELECT INBOX").unwrap();
    }

    let workers = roost.role_pids("worker");
    let mut worker_uids: Vec<_> = workers.iter().map(|&p| ids(p, "Uid:")).collect();
    worker_uids.sort();
    assert_eq!(worker_uids, [[4001; 4].to_vec(), [4002; 4].to_vec()]);
    let of = |uid: u32| *workers.iter().find(|&&p| ids(p, "Uid:")[0] == uid).unwrap();
    let (alices, bobs) = (of(4001), of(4002));
    assert_eq!(ids(alices, "Gid:"), [4001; 4]);
    let mut groups = ids(alices, "Groups:");
    groups.sort_unstable();
    groups.retain(|&g| g != 4001);
    assert_eq!(groups, [4200]);

    let gate = roost.role("gate");
    assert_eq!(ids(gate, "Uid:"), [4100; 4]);
    assert_eq!(ids(gate, "Gid:"), [4100; 4]);
    assert_eq!(field(gate, "NoNewPrivs:"), "1");
    assert_eq!(field(gate, "CapEff:"), "0000000000000000");
    assert_eq!(field(gate, "CapPrm:"), "0000000000000000");
    let auth = roost.role("auth");
    assert_eq!(ids(auth, "Uid:"), [0; 4]);

    // alice's worker and bob's mail.
    let maildir = "/home/bob/Maildir";
    assert_eq!(
        fs::metadata("/home/bob").unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert!(
        !as_process(alices, &format!("ls {maildir}"))
            .status
            .success()
    );
    assert!(as_process(bobs, &format!("ls {maildir}")).status.success());

    // The gate's root is an empty folder in which it can write nothing, and
    // what it holds open is sockets and the like.
    let root = PathBuf::from(format!("/proc/{gate}/root"));
    assert_eq!(
        fs::read_dir(&root).unwrap().count(),
        0,
        "the gate's root is not empty"
    );
    let meta = fs::metadata(&root).unwrap();
    assert_eq!(meta.permissions().mode() & 0o022, 0);
    assert_ne!(std::os::unix::fs::MetadataExt::uid(&meta), 4100);
    for fd in fs::read_dir(format!("/proc/{gate}/fd")).unwrap() {
        let fd = fd.unwrap();
        // Standard error is whatever roostd was started with.
        if fd.file_name() == "2" {
            continue;
        }
        let target = fs::read_link(fd.path()).unwrap();
        let target = target.to_string_lossy().into_owned();
        let harmless = ["socket:", "anon_inode:", "pipe:", "/dev/null"];
        assert!(
            harmless.iter().any(|h| target.starts_with(h)),
            "the gate holds {target} open"
        );
    }
}

#[test]
fn the_gate_opens_no_file_while_it_serves() {
    if !in_namespace("strace of the gate") {
        return;
    }
    let roost = with_pam();
    // What the gate opens while it starts is not the matter here.
    roost.login("alice");
    let trace = roost.dir().join("gate.strace");
    let gate = roost.role("gate");
    let mut strace = Command::new("strace")
        .args([
            "-f",
            "-e",
            "trace=open,openat,openat2,creat,stat,newfstatat,readlink,execve",
            "-o",
        ])
        .arg(&trace)
        .args(["-p", &gate.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let attached = eventually(Duration::from_secs(60), || {
        (field(gate, "TracerPid:") != "0").then_some(())
    });
    assert!(attached.is_some(), "strace does not attach");
    let round = || {
        let mut c = roost.login("alice");
        c.ok("SELECT INBOX").unwrap();
        let s_client = Command::new("openssl")
            .args(["s_client", "-quiet", "-connect"])
            .arg(format!("127.0.0.1:{}", roost.tls_port()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut child, r, w) = pipes(s_client);
        let mut tls = Client::over(r, w, None).unwrap();
        tls.ok("LOGIN bob bob-secret").unwrap();
        tls.ok("SELECT INBOX").unwrap();
        let _ = tls.command("LOGOUT");
        let _ = child.wait();
    };
    round();
    roost.signal(Signal::SIGHUP);
    assert!(roost.logged("configuration reloaded"), "{}", roost.log());
    round();
    let _ = kill(Pid::from_raw(strace.id().cast_signed()), Signal::SIGINT);
    let _ = strace.wait();
    let calls = fs::read_to_string(&trace).unwrap();
    let opened: Vec<_> = calls
        .lines()
        .filter(|l| l.contains('(') && !l.contains("AT_EMPTY_PATH"))
        .collect();
    assert!(
        opened.is_empty(),
        "the gate touched files:\n{}",
        opened.join("\n")
    );
}

type Pipes = (
    std::process::Child,
    Box<dyn std::io::Read + Send>,
    Box<dyn std::io::Write + Send>,
);

fn pipes(mut child: std::process::Child) -> Pipes {
    let r = child.stdout.take().unwrap();
    let w = child.stdin.take().unwrap();
    (child, Box::new(r), Box::new(w))
}

/// Logs in, trying again while a role is being replaced.
fn login_again(roost: &Roost, user: &str, password: &str) -> Client {
    eventually(Duration::from_secs(60), || {
        Client::login(roost.addr(), user, password).ok()
    })
    .unwrap_or_else(|| panic!("no login any more:\n{}", roost.log()))
}

#[test]
fn each_role_is_replaced_and_the_others_live_on() {
    let roost = virtual_user();
    let mut old = roost.login("u");
    old.ok("SELECT INBOX").unwrap();
    for role in ["gate", "auth"] {
        let pid = roost.role(role);
        kill(pid, Signal::SIGKILL).unwrap();
        let replaced = eventually(Duration::from_secs(60), || {
            roost
                .role_pids(role)
                .first()
                .filter(|&&p| p != pid)
                .copied()
        });
        assert!(replaced.is_some(), "{role} is not replaced");
        // A clear-text session has its socket in the worker already.
        old.ok("NOOP").unwrap();
        let mut new = login_again(&roost, "u", PASSWORD);
        new.ok("SELECT INBOX").unwrap();
    }
    let worker = roost.role("worker");
    kill(worker, Signal::SIGKILL).unwrap();
    assert!(old.is_closed_by_server());
    let mut new = login_again(&roost, "u", PASSWORD);
    new.ok("SELECT INBOX").unwrap();
    assert!(new.append("INBOX", "", &mail::small(1)).unwrap().ok());
}

#[test]
fn kill_nine_at_any_time_loses_no_acknowledged_message() {
    let mut roost = virtual_user();
    let (mut acknowledged, mut sent) = (0u32, 0usize);
    for life in 0..8u64 {
        let mut client = login_again(&roost, "u", PASSWORD);
        let before = Mailbox::read(&mut client, "INBOX").unwrap();
        assert!(
            before.messages.len() >= acknowledged as usize,
            "life {life}: {before:?}"
        );
        let known = before.messages.len() as u32;
        acknowledged = known;
        client.ok("SELECT INBOX").unwrap();
        let pid = roost.role("worker");
        let (progress, watched) = std::sync::mpsc::channel();
        let killer = std::thread::spawn(move || {
            // After some messages, at no particular point of the next one.
            for _ in 0..3 + life {
                if watched.recv().is_err() {
                    break;
                }
            }
            std::thread::sleep(Duration::from_micros(life * 900));
            let _ = kill(pid, Signal::SIGKILL);
        });
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(10) {
            sent += 1;
            match client.append("INBOX", "(\\Seen $Kept)", &mail::small(acknowledged + 1)) {
                Ok(answer) if answer.ok() => {
                    acknowledged += 1;
                    let _ = progress.send(());
                }
                _ => break,
            }
        }
        drop(progress);
        killer.join().unwrap();
        if life % 3 == 2 {
            roost.crash_and_restart().unwrap();
        }
        let mut client = login_again(&roost, "u", PASSWORD);
        let after = Mailbox::read(&mut client, "INBOX").unwrap();
        assert!(
            after.messages.len() >= acknowledged as usize,
            "life {life}: {} of {acknowledged} messages",
            after.messages.len()
        );
        // What was under way may have come through; nothing came twice.
        assert!(after.messages.len() <= sent);
        assert!(
            before
                .messages
                .keys()
                .all(|u| after.messages.contains_key(u))
        );
        assert_eq!(before.uid_validity, after.uid_validity);
    }
    assert!(acknowledged > 8, "hardly anything was appended");
}

#[test]
fn sigterm_says_bye_and_sighup_keeps_connections() {
    let mut roost = virtual_user();
    let mut idle = roost.login("u");
    let mut waiting = Client::connect(roost.addr()).unwrap();
    idle.ok("SELECT INBOX").unwrap();

    let conf = roost.dir().join("roost.conf");
    let good = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, format!("{good}\n[mail]\nno_such_key = 1\n")).unwrap();
    roost.signal(Signal::SIGHUP);
    assert!(roost.logged("no_such_key"), "{}", roost.log());
    idle.ok("NOOP").unwrap();
    fs::write(&conf, &good).unwrap();
    roost.signal(Signal::SIGHUP);
    assert!(roost.logged("configuration reloaded"), "{}", roost.log());
    idle.ok("NOOP").unwrap();
    waiting.ok("CAPABILITY").unwrap();

    idle.send(b"IDLE").unwrap();
    assert!(idle.response().unwrap().starts_with(b"+"));
    roost.signal(Signal::SIGTERM);
    assert!(idle.response().unwrap().starts_with(b"* BYE"));
    assert!(waiting.response().unwrap().starts_with(b"* BYE"));
    let status = roost
        .wait(Duration::from_secs(30))
        .expect("roostd does not end");
    assert!(status.success(), "{status}");
    let killed = "some processes do not end and are killed";
    assert!(!roost.log().contains(killed), "{}", roost.log());
    assert!(roost.role_pids("").is_empty());
}

#[test]
fn pam_decides_and_unknown_users_look_like_wrong_passwords() {
    if !in_namespace("PAM") {
        return;
    }
    let roost = with_pam();
    let mut answers = Vec::new();
    for (user, password) in [("alice", "wrong"), ("nobody-here", "wrong"), ("root", "x")] {
        let mut client = Client::connect(roost.addr()).unwrap();
        answers.push(
            client
                .command(&format!("LOGIN {user} {password}"))
                .unwrap()
                .tagged,
        );
    }
    assert!(
        answers[0].starts_with("NO [AUTHENTICATIONFAILED]"),
        "{answers:?}"
    );
    assert!(answers.iter().all(|a| a == &answers[0]), "{answers:?}");
    let mut alice = roost.login("alice");
    assert!(alice.ok("SELECT INBOX").is_ok());
    assert!(roost.logged("user=<alice>"), "{}", roost.log());
}

#[test]
fn pam_says_why_an_account_does_not_get_in() {
    if !in_namespace("PAM") {
        return;
    }
    // Accounts of this namespace alone: the password has expired, or must be
    // changed; the account is past its day; the password will expire soon; a
    // module hangs; Roost's own rules refuse; the session cannot be opened; the
    // client leaves while its home is made.
    let hash = Command::new("openssl")
        .args(["passwd", "-6", "right"])
        .output()
        .unwrap();
    let hash = String::from_utf8(hash.stdout).unwrap().trim().to_owned();
    let days = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        / 86_400;
    let add = |file: &str, line: String| {
        let mut open = fs::OpenOptions::new().append(true).open(file).unwrap();
        std::io::Write::write_all(&mut open, line.as_bytes()).unwrap();
    };
    let accounts = [
        ("pam-old", format!("{}:0:1:7:::", days - 400)),
        ("pam-new", "0:0:99999:7:::".to_owned()),
        ("pam-gone", format!("{days}:0:99999:7::1:")),
        ("pam-soon", format!("{}:0:10:7:::", days - 8)),
        ("pam-hang", format!("{days}:0:99999:7:::")),
        ("pam-deny", format!("{days}:0:99999:7:::")),
        ("pam-fail", format!("{days}:0:99999:7:::")),
        ("pam-left", format!("{days}:0:99999:7:::")),
    ];
    for (at, (name, shadow)) in accounts.iter().enumerate() {
        let uid = 4501 + at;
        add(
            "/etc/passwd",
            format!("{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n"),
        );
        add("/etc/group", format!("{name}:x:{uid}:\n"));
        add("/etc/shadow", format!("{name}:{hash}:{shadow}\n"));
    }
    let dir = folder();
    let homes = dir.path().join("session");
    let script = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    };
    let hang = script("hang", "[ \"$PAM_USER\" != pam-hang ] || exec sleep 60");
    let home = script(
        "home",
        &format!(
            "[ $PAM_TYPE = open_session ] || exit 0\n\
             echo $PAM_USER >>{homes}\n\
             [ $PAM_USER != pam-fail ] || exit 1\n\
             mkdir -p /home/$PAM_USER\n\
             if [ $PAM_USER = pam-left ]; then\n\
             while [ ! -e {homes}-go ]; do sleep 0.05; done; fi\n\
             chown $PAM_USER /home/$PAM_USER\n\
             echo $PAM_USER >>{homes}-whole",
            homes = homes.display()
        ),
    );
    fs::write(
        "/etc/pam.d/roost-why",
        format!(
            "auth required pam_exec.so quiet {hang}\n@include common-auth\n\
             @include common-account\nsession required pam_exec.so quiet {home}\n"
        ),
    )
    .unwrap();
    let setup = Setup::pam().with(&[
        ("auth", "pam_service = roost-why"),
        ("auth", "pam_timeout = 6s"),
        ("auth", "pam_session = yes"),
        ("auth", "deny_users = pam-deny"),
    ]);
    let roost = Roost::start(dir.path(), &setup).unwrap();
    // It hangs while all others are answered.
    let mut hanging = Client::connect(roost.addr()).unwrap();
    let hung = hanging.send(b"LOGIN pam-hang right").unwrap();
    for (user, password, answer, logged) in [
        (
            "pam-old",
            "right",
            "NO [EXPIRED]",
            "<pam-old> from 127.0.0.1 failed: PAM: password expired",
        ),
        (
            "pam-new",
            "right",
            "NO [EXPIRED]",
            "<pam-new> from 127.0.0.1 failed: PAM: password expired",
        ),
        (
            "pam-gone",
            "right",
            "NO [CONTACTADMIN]",
            "failed: account denied: PAM: not allowed; Your account has expired",
        ),
        (
            "pam-old",
            "wrong",
            "NO [AUTHENTICATIONFAILED]",
            "<pam-old> from 127.0.0.1 failed: PAM: ",
        ),
        ("pam-soon", "right", "OK", "Login: user=<pam-soon>"),
        (
            "pam-deny",
            "right",
            "NO [CONTACTADMIN]",
            "<pam-deny> from 127.0.0.1 failed: account denied: in deny_users",
        ),
        (
            "pam-fail",
            "right",
            "NO [UNAVAILABLE]",
            "<pam-fail> from 127.0.0.1 failed: session: PAM: ",
        ),
    ] {
        let mut client = Client::connect(roost.addr()).unwrap();
        let told = client.command(&format!("LOGIN {user} {password}")).unwrap();
        assert!(told.tagged.starts_with(answer), "{user}: {}", told.tagged);
        assert!(roost.logged(logged), "{user}: {}", roost.log());
    }
    let mut leaving = Client::connect(roost.addr()).unwrap();
    // Closed with an answer that nobody has read, the connection is reset.
    leaving.send(b"NOOP").unwrap();
    leaving.send(b"LOGIN pam-left right").unwrap();
    let becomes = |name: &str, text: &str| {
        let path = homes.with_file_name(name);
        let is = || (fs::read_to_string(&path).ok()? == text).then_some(());
        assert!(
            eventually(Duration::from_secs(30), is).is_some(),
            "{name} is not {text}"
        );
    };
    becomes("session", "pam-soon\npam-fail\npam-left\n");
    drop(leaving);
    assert!(roost.logged("): user=<pam-left>"), "{}", roost.log());
    fs::write(homes.with_file_name("session-go"), "").unwrap();
    becomes("session-whole", "pam-soon\npam-left\n");
    let told = hanging.wait(&hung).unwrap().tagged;
    assert!(told.starts_with("NO [UNAVAILABLE]"), "{told}");
    assert!(roost.logged("<pam-hang> from 127.0.0.1 failed: no answer from PAM within 6s"));
    // None of the denied passes for a failure of the host.
    assert!(
        roost.log().contains("(auth failed, 1 attempts"),
        "{}",
        roost.log()
    );
}
