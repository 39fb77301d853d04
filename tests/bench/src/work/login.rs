//! Logins: connect, LOGIN, LOGOUT, again and again.

use crate::bench::Bench;
use crate::client::Client;
use crate::error::Result;
use crate::row::{Unit, row};
use crate::threads::parallel;

const CLIENTS: usize = 10;

pub fn run(b: &mut Bench) -> Result<()> {
    for n in 0..CLIENTS {
        b.account(&format!("u{n}"), 10)?;
    }
    let each = if b.options.quick { 20 } else { 60 };
    let rows = vec![
        row(
            "login",
            Unit::PerSecond,
            format!("logins, plain text, {CLIENTS} clients"),
        )
        .ratio(1.5),
        row(
            "login.tls",
            Unit::PerSecond,
            format!("logins, TLS, {CLIENTS} clients"),
        ),
    ];
    b.rounds(rows, 5, |server, take| {
        for (id, tls) in [("login", false), ("login.tls", true)] {
            let addr = server.addr(tls);
            // Every account's first login is not measured.
            let once = |n: usize| Client::login(addr, tls, &format!("u{n}"))?.logout();
            parallel(CLIENTS, once)?;
            take.rate(id, (CLIENTS * each) as f64, || {
                parallel(CLIENTS, |n| (0..each).try_for_each(|_| once(n)))
            })?;
        }
        Ok(())
    })
}
