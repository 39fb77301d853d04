//! What an idle connection takes: all processes of the server, with and
//! without hundreds or thousands of sessions in IDLE.
//!
//! Five connections for each account, as a mail program or two hold them. All
//! accounts are virtual users of one uid, as on most Dovecot sites.

use super::count;
use crate::bench::Bench;
use crate::client::Client;
use crate::deadline;
use crate::error::{Result, fail};
use crate::machine::{Raised, memory_available};
use crate::memory;
use crate::row::{Row, Target, Unit, row};
use crate::server::{Kind, Server};
use crate::threads::parallel;
use std::time::Duration;

const PER_USER: usize = 5;
/// Clients that connect at the same time.
const AT_ONCE: usize = 8;
const INSTANCES: &str = "/proc/sys/fs/inotify/max_user_instances";
const PROGRAMS: &str = "programs and libraries alone";
/// Memory that the load generator and the kernel take for each connection.
const BESIDE: u64 = 100 << 10;

struct Case {
    connections: usize,
    tls: bool,
    id: &'static str,
    beside: &'static str,
    target: Option<Target>,
}

const CASES: [Case; 4] = [
    Case {
        connections: 500,
        tls: false,
        id: "idle.500",
        beside: "idle.500.hibernate",
        target: Some(Target::Ratio(25.0)),
    },
    Case {
        connections: 500,
        tls: true,
        id: "idle.500.tls",
        beside: "idle.500.tls.hibernate",
        target: Some(Target::AtMost(40.0 * 1024.0)),
    },
    Case {
        connections: 5000,
        tls: false,
        id: "idle.5000",
        beside: "idle.5000.hibernate",
        target: None,
    },
    Case {
        connections: 5000,
        tls: true,
        id: "idle.5000.tls",
        beside: "idle.5000.tls.hibernate",
        target: None,
    },
];

pub fn run(b: &mut Bench) -> Result<()> {
    let cases = if b.options.quick { &CASES[..2] } else { &CASES };
    let most = cases.iter().map(|c| c.connections).max().unwrap_or(0);
    for n in 0..most / PER_USER {
        b.account(&format!("u{n}"), 10)?;
    }
    // Dovecot needs an inotify instance for each session.
    let _raised = match Raised::to(INSTANCES, "20000") {
        Ok(raised) => Some(raised),
        Err(e) => {
            b.notes
                .push(format!("{INSTANCES} could not be raised: {e}"));
            None
        }
    };
    for case in cases {
        // Thousands of processes take their time.
        deadline::begin(deadline::WORKLOAD);
        measure(b, case)?;
    }
    Ok(())
}

/// What a connection may take at most, with its processes' share of the
/// kernel's memory.
fn dear(kind: Kind, tls: bool) -> u64 {
    match (kind, tls) {
        (Kind::Roost, _) => 256 << 10,
        // A process for each session, and one more that relays TLS.
        (Kind::Default, true) => 3 << 20,
        _ => 1 << 20,
    }
}

fn measure(b: &mut Bench, case: &Case) -> Result<()> {
    let over = if case.tls { "TLS" } else { "plain text" };
    let n = count(case.connections);
    let title = format!("memory of an idle connection (PSS), {n} over {over}");
    let mut first = row(case.id, Unit::Octets, title.clone());
    first.target = case.target;
    b.rounds(vec![first], 1, |server, take| {
        // Of Dovecot's two settings the default one is told to be beaten; over
        // TLS that has two processes for each connection, which take minutes.
        let many = case.connections > 500;
        if many && (server.kind == Kind::Tuned || server.kind == Kind::Default && case.tls) {
            server.stop();
            return Ok(());
        }
        let need = (dear(server.kind, case.tls) + BESIDE) * case.connections as u64;
        if memory_available() < need {
            return fail(format!(
                "needs {} GiB of free memory",
                need.div_ceil(1 << 30)
            ));
        }
        let value = each(server, case);
        server.stop();
        let (all, files) = value?;
        take.put(case.id, all);
        take.floor(case.id, PROGRAMS, files);
        Ok(())
    })?;
    let mut second = row(
        case.beside,
        Unit::Octets,
        format!("{title}; Dovecot with imap-hibernate"),
    );
    if !case.tls && case.connections == 500 {
        second.target = Some(Target::Ratio(1.0));
    }
    let roost = b
        .row(case.id)
        .and_then(|r| r.samples.get(&Kind::Roost).cloned());
    second.samples.extend(roost.map(|r| (Kind::Roost, r)));
    second.floor = b.row(case.id).and_then(|r| r.floor.clone());
    hibernated(b, case, &mut second)?;
    b.rows.push(second);
    Ok(())
}

/// Dovecot with imap-hibernate in the column of the tuned one.
fn hibernated(b: &mut Bench, case: &Case, row: &mut Row) -> Result<()> {
    if !b.servers.iter().any(|s| s.kind == Kind::Tuned) {
        return Ok(());
    }
    let mut server = Server::prepare(&b.dir, Kind::Hibernate)?;
    for n in 0..case.connections / PER_USER {
        let user = format!("u{n}");
        if !server.home(&user).exists() {
            b.place(&server, &user, "", 10, 1_700_000_000)?;
        }
    }
    match each(&mut server, case) {
        Ok((value, _)) => {
            row.samples.insert(Kind::Tuned, vec![value]);
        }
        Err(e) => {
            row.failures.insert(Kind::Tuned, e.to_string());
        }
    }
    Ok(())
}

/// What the server takes once it takes no less any more: buffers are given
/// back, and sessions leave their processes, after a while.
fn settled(pid: i32) -> Result<u64> {
    std::thread::sleep(Duration::from_secs(4));
    let mut last = memory::of_tree(pid)?;
    for _ in 0..10 {
        deadline::check()?;
        std::thread::sleep(Duration::from_secs(2));
        let now = memory::of_tree(pid)?;
        if now > last - last / 50 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

/// Octets for each connection, and how many of them are programs' code and
/// constants, which are there once however many connections there are.
fn each(server: &mut Server, case: &Case) -> Result<(f64, f64)> {
    server.restart()?;
    std::thread::sleep(Duration::from_millis(500));
    let Some(pid) = server.pid() else {
        return fail("the server does not run");
    };
    let empty = [memory::of_tree(pid)?, memory::of_files(pid)?];
    let addr = server.addr(case.tls);
    let share = case.connections / AT_ONCE + 1;
    let clients = parallel(AT_ONCE, |thread| {
        (thread * share..((thread + 1) * share).min(case.connections))
            .map(|n| {
                let mut c = Client::login(addr, case.tls, &format!("u{}", n / PER_USER))?;
                c.run("SELECT INBOX")?;
                c.idle()?;
                c.forget_buffer();
                Ok(c)
            })
            .collect::<Result<Vec<_>>>()
    })?;
    let full = [settled(pid)?, memory::of_files(pid)?];
    // All of them are still there.
    for mut client in clients.into_iter().flatten().step_by(97) {
        client.done()?;
    }
    server.stop();
    let [all, files] =
        [0, 1].map(|n| full[n].saturating_sub(empty[n]) as f64 / case.connections as f64);
    Ok((all, files))
}
