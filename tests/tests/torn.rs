//! Reading a directory while another program renames in it shows torn
//! listings: files are missing that are there. Whatever the file system, no
//! client may ever hear that a message is gone which is not.
//!
//! On the file system of the temporary directory and on tmpfs, and on images
//! with XFS and btrfs where the machine can make and mount them.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use roost_tests::client::Client;
use roost_tests::process::{Finish, eventually};
use roost_tests::roost::{Roost, Setup, folder};
use roost_tests::{mail, maildir};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const MESSAGES: u32 = 4000;
/// For each file system.
const LENGTH: Duration = Duration::from_secs(4);

/// A mounted file system, gone with the value.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run("umount", &["-l", &self.0.display().to_string()]);
    }
}

/// Why a program did not do it.
fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let done = Command::new(program)
        .args(args)
        .finish()
        .map_err(|e| format!("{program}: {e}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{program}: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        )),
    }
}

/// Mounts `kind` at `at`, an image beside it where one is needed.
fn mount(kind: &str, at: &Path) -> Result<Mounted, String> {
    fs::create_dir(at).unwrap();
    let place = at.display().to_string();
    if kind == "tmpfs" {
        run("mount", &["-t", "tmpfs", "tmpfs", &place])?;
        return Ok(Mounted(at.to_path_buf()));
    }
    let image = at.with_extension("image");
    fs::File::create(&image)
        .unwrap()
        .set_len(512 << 20)
        .unwrap();
    let file = image.display().to_string();
    run(&format!("mkfs.{kind}"), &["-q", &file])?;
    run("mount", &["-o", "loop", "-t", kind, &file, &place])?;
    Ok(Mounted(at.to_path_buf()))
}

fn base(n: u32) -> String {
    format!("17000{n:05}.M{n}P1.host")
}

/// A mailbox that another program has made: distinct names for one content.
fn fill(maildir: &Path) {
    maildir::make(maildir);
    for n in 0..MESSAGES {
        let path = maildir.join("cur").join(format!("{}:2,", base(n)));
        // Links to one file are limited, and some file systems are slow at it.
        fs::write(
            &path,
            if n == 0 {
                mail::small(1)
            } else {
                b"A: b\n\nc\n".to_vec()
            },
        )
        .unwrap();
        maildir::give(&path);
    }
}

/// Changes flags by renaming, as fast as it goes.
fn rename_on(maildir: &Path, stop: &AtomicBool, count: &AtomicU32) {
    let mut suffix = vec![""; MESSAGES as usize];
    let mut dice = 1u64;
    while !stop.load(Ordering::Relaxed) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let n = ((dice >> 33) % u64::from(MESSAGES)) as u32;
        let old = suffix[n as usize];
        let new = ["", "S", "F", "FS", "RS"][(dice >> 20) as usize % 5];
        let path = |flags| maildir.join("cur").join(format!("{}:2,{flags}", base(n)));
        if old != new && fs::rename(path(old), path(new)).is_ok() {
            suffix[n as usize] = new;
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Ends the renames, also when a session has found a fault.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// No response may say that a message is gone or new.
fn check(lines: impl Iterator<Item = String>, kind: &str) {
    for line in lines {
        let mut words = line.split(' ').skip(1);
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let gone = second == "EXPUNGE" || first == "VANISHED";
        assert!(!gone, "{kind}: {line}");
        if second == "EXISTS" {
            assert_eq!(first, MESSAGES.to_string(), "{kind}: {line}");
        }
        if first == "BYE" {
            panic!("{kind}: {line}");
        }
    }
}

fn uids(client: &mut Client) -> Vec<String> {
    let answer = client.ok("FETCH 1:* UID").unwrap();
    let mut uids: Vec<String> = answer
        .lines()
        .filter(|l| l.contains(" FETCH (UID "))
        .map(|l| {
            // FLAGS that changed meanwhile may come along.
            let mut words = l.split(['(', ')', ' ']);
            let number = l.split(' ').nth(1).unwrap().to_owned();
            words.find(|w| *w == "UID").unwrap();
            format!("{number}={}", words.next().unwrap())
        })
        .collect();
    uids.sort();
    uids.dedup();
    uids
}

fn session(roost: &Roost, enable: &str) -> Client {
    let mut client = roost.login("u");
    client.set_patience(Duration::from_secs(60)).unwrap();
    client.ok(enable).unwrap();
    client
}

fn torn(kind: &str, homes: &Path, dir: &Path) {
    let maildir = homes.join("u/Maildir");
    fs::create_dir_all(&maildir).unwrap();
    maildir::give(&homes.join("u"));
    fill(&maildir);
    let setup = Setup {
        homes: Some(homes.to_path_buf()),
        ..Setup::of(&["u"])
    };
    let roost = Roost::start(dir, &setup).unwrap();
    let (stop, count) = (AtomicBool::new(false), AtomicU32::new(0));
    let before = {
        let mut client = session(&roost, "NOOP");
        check(client.ok("SELECT INBOX").unwrap().lines(), kind);
        uids(&mut client)
    };
    assert_eq!(before.len(), MESSAGES as usize, "{kind}");
    let looks = thread::scope(|scope| {
        let _ended = Ended(&stop);
        scope.spawn(|| rename_on(&maildir, &stop, &count));
        let sessions = ["NOOP", "ENABLE QRESYNC"].map(|enable| {
            let roost = &roost;
            scope.spawn(move || {
                let mut client = session(roost, enable);
                check(client.ok("SELECT INBOX").unwrap().lines(), kind);
                let (start, mut looks) = (Instant::now(), 0);
                while start.elapsed() < LENGTH {
                    check(client.ok("NOOP").unwrap().lines(), kind);
                    looks += 1;
                    if looks % 20 == 0 {
                        // From the beginning, as after a login.
                        check(client.ok("UNSELECT").unwrap().lines(), kind);
                        check(client.ok("SELECT INBOX").unwrap().lines(), kind);
                        let status = client.ok("STATUS INBOX (MESSAGES)").unwrap();
                        let told = status.lines().any(|l| l.contains(&MESSAGES.to_string()));
                        assert!(told, "{kind}: {:?}", status.lines().collect::<Vec<_>>());
                    }
                }
                looks
            })
        });
        sessions.into_iter().map(|s| s.join().unwrap()).sum::<u32>()
    });
    println!(
        "{kind}: {} renames, {looks} looks",
        count.load(Ordering::Relaxed)
    );
    let mut client = session(&roost, "NOOP");
    check(client.ok("SELECT INBOX").unwrap().lines(), kind);
    assert_eq!(uids(&mut client), before, "{kind}");
    // What is told in the end is what the names say.
    let seen = fs::read_dir(maildir.join("cur"))
        .unwrap()
        .filter(|e| {
            let name = e.as_ref().unwrap().file_name().into_string().unwrap();
            name.rsplit_once(',')
                .is_some_and(|(_, flags)| flags.contains('S'))
        })
        .count();
    let unseen = format!("UNSEEN {})", MESSAGES as usize - seen);
    let told = eventually(Duration::from_secs(30), || {
        let answer = client.ok("STATUS INBOX (UNSEEN)").unwrap();
        answer.lines().any(|l| l.ends_with(&unseen)).then_some(())
    });
    assert!(told.is_some(), "{kind}: {unseen}");
    roost.stop();
}

#[test]
fn nothing_is_announced_gone_that_exists() {
    let dir = folder();
    let open = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    for kind in ["local", "tmpfs", "xfs", "btrfs"] {
        let homes = dir.path().join(kind);
        let mounted = match kind {
            "local" => {
                fs::create_dir(&homes).unwrap();
                None
            }
            _ => match mount(kind, &homes) {
                Ok(mounted) => Some(mounted),
                Err(why) => {
                    println!("{kind}: left out ({why})");
                    continue;
                }
            },
        };
        open(&homes);
        let site = dir.path().join(format!("{kind}.site"));
        fs::create_dir(&site).unwrap();
        open(&site);
        torn(kind, &homes, &site);
        drop(mounted);
    }
}
