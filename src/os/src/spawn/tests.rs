//! Children as they find themselves.

use super::*;
use crate::fdpass::stream_pair;
use crate::identity::{self, GroupId, UserId};
use nix::fcntl::FdFlag;
use nix::sys::signal::{SigSet, Signal};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;

/// Runs `script`; what it writes to descriptor 3.
fn shell(script: &str, change: impl FnOnce(Spawn) -> Spawn) -> (String, Child) {
    let (ours, theirs) = stream_pair().unwrap();
    let spawn = Spawn::new("/bin/sh", "roost-test")
        .argument("-c")
        .argument(script)
        .descriptor(theirs);
    let child = change(spawn).spawn().unwrap();
    let mut text = String::new();
    File::from(ours).read_to_string(&mut text).unwrap();
    (text, child)
}

fn status_line<'a>(status: &'a str, name: &str) -> Vec<&'a str> {
    let line = status.lines().find_map(|l| l.strip_prefix(name));
    line.unwrap()
        .trim_start_matches(':')
        .split_whitespace()
        .collect()
}

const STATUS: &str = "while read -r line; do echo \"$line\"; done </proc/self/status >&3";

#[test]
fn a_child_starts_clean() {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGUSR1);
    blocked.thread_block().unwrap();
    let (status, mut child) = shell(STATUS, |s| s.no_new_privs(true));
    assert!(child.wait().unwrap().success());
    assert_eq!(status_line(&status, "SigBlk"), ["0000000000000000"]);
    // The standard library ignores SIGPIPE in this process. Signals above 31
    // are glibc's own.
    let ignored = u64::from_str_radix(status_line(&status, "SigIgn")[0], 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0);
    assert_eq!(status_line(&status, "Umask"), ["0077"]);
    assert_eq!(status_line(&status, "NoNewPrivs"), ["1"]);
    // And this thread has its own signals back.
    assert_eq!(SigSet::thread_get_mask().unwrap(), blocked);
}

#[test]
fn nothing_else_is_inherited() {
    let file = File::open("/dev/null").unwrap();
    // Without close-on-exec, as a careless library would leave it.
    let leak = fcntl(&file, FcntlArg::F_DUPFD(100)).unwrap();
    let script = format!(
        "[ -e /proc/self/fd/{leak} ] && echo leaked >&3; env >&3; pwd >&3; echo in: >&3; cat >&3"
    );
    let (text, mut child) = shell(&script, |s| {
        s.variable("PATH", "/usr/bin:/bin").variable("X", "a=b")
    });
    assert!(child.wait().unwrap().success());
    assert!(
        !text.contains("leaked") && !text.contains("CARGO"),
        "{text}"
    );
    assert!(text.contains("X=a=b\n"), "{text}");
    assert!(text.ends_with("\n/\nin:\n"), "{text}");
    drop(file);
}

#[test]
fn descriptors_lie_in_order_from_three() {
    let pairs: Vec<_> = (0..4).map(|_| stream_pair().unwrap()).collect();
    let (mut ends, mut spawn) = (Vec::new(), Spawn::new("/bin/sh", "x").argument("-c"));
    spawn = spawn.argument("for n in 3 4 5 6; do echo $n >&$n; done");
    for (ours, theirs) in pairs {
        ends.push(ours);
        spawn = spawn.descriptor(theirs);
    }
    spawn.spawn().unwrap().wait().unwrap();
    for (i, end) in ends.into_iter().enumerate() {
        let mut text = String::new();
        File::from(end).read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("{}\n", i + 3));
    }
}

#[test]
fn the_identity_is_taken_or_the_start_fails() {
    let credentials = Credentials {
        uid: UserId(12_345),
        gid: GroupId(12_346),
        groups: vec![GroupId(12_346), GroupId(12_347)],
    };
    if !identity::is_root() {
        let spawn = Spawn::new("/bin/sh", "x").credentials(credentials);
        let error = spawn.spawn().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        return;
    }
    let (status, mut child) = shell(STATUS, |s| s.credentials(credentials));
    assert!(child.wait().unwrap().success());
    assert_eq!(status_line(&status, "Uid"), ["12345"; 4]);
    assert_eq!(status_line(&status, "Gid"), ["12346"; 4]);
    assert_eq!(status_line(&status, "Groups"), ["12346", "12347"]);
    assert_eq!(status_line(&status, "CapEff"), ["0000000000000000"]);
}

#[test]
fn what_cannot_be_started_is_an_error_here() {
    let error = Spawn::new("/nonexistent/program", "x").spawn().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let error = Spawn::new("/dev/null", "x").spawn().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    assert!(Spawn::new("relative", "x").spawn().is_err());
    assert!(Spawn::new("/bin/sh", "nul\0").spawn().is_err());
}

#[test]
fn children_are_reaped_once() {
    let mut child = Spawn::new("/bin/sh", "x")
        .argument("-c")
        .argument("exec sleep 60")
        .spawn()
        .unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    child.terminate().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
    assert_eq!(
        child.try_wait().unwrap().unwrap().signal(),
        Some(libc::SIGTERM)
    );
    child.kill().unwrap();
}

#[test]
fn children_end_with_the_thread_that_started_them() {
    let start = || shell("echo started >&3; exec 3>&-; exec sleep 60", |s| s);
    let (text, mut child) = std::thread::spawn(start).join().unwrap();
    assert_eq!(text, "started\n");
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
}

const CHILD: &str = "ROOST_OS_TEST_CHILD";

/// Runs itself once more as a child that has been given a descriptor.
#[test]
fn an_inherited_descriptor_is_taken_once() {
    if std::env::var_os(CHILD).is_some() {
        let fd = inherited(3).unwrap();
        assert!(inherited(3).is_err());
        assert!(inherited(2).is_err());
        assert!(inherited(200).is_err());
        let flags = FdFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC));
        File::from(fd).write_all(b"taken").unwrap();
        return;
    }
    let (ours, theirs) = stream_pair().unwrap();
    let mut child = Spawn::new(std::env::current_exe().unwrap(), "test")
        .argument("--exact")
        .argument("spawn::tests::an_inherited_descriptor_is_taken_once")
        .variable(CHILD, "1")
        .descriptor(theirs)
        .spawn()
        .unwrap();
    let mut text = String::new();
    File::from(ours).read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(text, "taken");
}
