//! Logins while workers come and go: whatever ends between a login and its
//! session, the client is told.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use nix::sys::signal::{Signal, kill};
use roost_tests::client::{Client, PATIENCE};
use roost_tests::process::eventually;
use roost_tests::roost::{PASSWORD, Roost, Setup};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 4;
/// The back-off doubles with each: that of all is some seconds.
const KILLS: u64 = 5;
/// Of each client.
const LOGINS: u64 = 40;

fn start(settings: &[(&'static str, &str)]) -> Roost {
    Roost::alone(&Setup::of(&["u"]).with(settings))
}

/// True for a session. One whose worker dies may be cut off, one that gets
/// none is told so; silence is neither.
fn login(roost: &Roost) -> bool {
    match Client::login(roost.addr(), "u", PASSWORD) {
        Ok(mut client) => client.ok("NOOP").is_ok(),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("no answer: {e}\n{}", roost.log())
        }
        Err(e) => {
            let cut = matches!(
                e.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
            );
            assert!(cut || e.to_string().contains("NO [UNAVAILABLE]"), "{e}");
            false
        }
    }
}

#[test]
fn every_login_is_answered_while_workers_die() {
    let roost = start(&[]);
    assert!(login(&roost));
    let stop = AtomicBool::new(false);
    let since_kill = AtomicU32::new(0);
    let mut served = true;
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    if login(&roost) {
                        since_kill.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for n in 0..KILLS {
            // Each moment of a login is as good as another.
            thread::sleep(Duration::from_micros(20_000 + n * 1_700));
            for worker in roost.role_pids("worker") {
                let _ = kill(worker, Signal::SIGKILL);
            }
            since_kill.store(0, Ordering::Relaxed);
            let some = || (since_kill.load(Ordering::Relaxed) >= 3).then_some(());
            served &= eventually(PATIENCE, some).is_some();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(served, "{}", roost.log());
}

#[test]
fn no_login_is_lost_while_idle_workers_end() {
    for idle in ["0", "1ms", "3ms"] {
        let roost = start(&[("limits", &format!("worker_idle = {idle}"))]);
        thread::scope(|scope| {
            for n in 0..CLIENTS as u64 {
                let roost = &roost;
                scope.spawn(move || {
                    for round in 0..LOGINS {
                        assert!(login(roost), "{}", roost.log());
                        // Sometimes nobody is there, and the worker ends.
                        thread::sleep(Duration::from_micros((round * 7 + n * 3) % 50 * 200));
                    }
                });
            }
        });
    }
}
