//! APPEND of small messages: one connection, many connections to one mailbox,
//! many messages in one command. What is durable at the OK is in README.md.

use crate::bench::Bench;
use crate::client::append_command;
use crate::error::Result;
use crate::limits;
use crate::mail::small;
use crate::row::{Limit, Unit, row};
use crate::server::Server;
use crate::threads::parallel_over;

const CONNECTIONS: usize = 20;

pub fn run(b: &mut Bench) -> Result<()> {
    b.account("scratch", 10)?;
    let one = if b.options.quick { 100 } else { 200 };
    let each = if b.options.quick { 10 } else { 25 };
    let many = if b.options.quick { 200 } else { 500 };
    let rows = vec![
        row(
            "append.one",
            Unit::PerSecond,
            "APPEND of small messages, 1 connection",
        )
        .ratio(1.2),
        row(
            "append.many",
            Unit::PerSecond,
            format!("APPEND of small messages, {CONNECTIONS} connections, one mailbox"),
        )
        .ratio(2.0),
        row(
            "append.multi",
            Unit::PerSecond,
            format!("MULTIAPPEND of {many} small messages"),
        ),
    ];
    let messages: Vec<Vec<u8>> = (0..50).map(small).collect();
    b.rounds(rows, 3, |server, take| {
        let mut c = server.login("scratch")?;
        fresh(&mut c)?;
        let commands: Vec<_> = messages
            .iter()
            .map(|m| append_command("into", &[m]))
            .collect();
        c.run_octets(&commands[0])?;
        take.rate("append.one", one as f64, || {
            (0..one).try_for_each(|n| c.run_octets(&commands[n % commands.len()]).map(drop))
        })?;
        fresh(&mut c)?;
        let mut clients = (0..CONNECTIONS)
            .map(|_| server.login("scratch"))
            .collect::<Result<Vec<_>>>()?;
        take.rate("append.many", (each * CONNECTIONS) as f64, || {
            parallel_over(&mut clients, |n, client| {
                (0..each).try_for_each(|m| {
                    client
                        .run_octets(&commands[(n + m) % commands.len()])
                        .map(drop)
                })
            })
        })?;
        check(&mut c, server, each * CONNECTIONS)?;
        fresh(&mut c)?;
        let all: Vec<&[u8]> = (0..many)
            .map(|n| messages[n % messages.len()].as_slice())
            .collect();
        let command = append_command("into", &all);
        take.rate("append.multi", many as f64, || c.run_octets(&command))?;
        check(&mut c, server, many)?;
        c.run("DELETE into")?;
        c.logout()
    })?;
    let limit = limits::durable_files(&b.dir, one, &messages[0])?;
    if let Some(row) = b.row("append.one") {
        row.limit = Some(Limit {
            what: "files, each with 3 syncs".into(),
            value: limit,
        });
    }
    Ok(())
}

fn fresh(c: &mut crate::client::Client) -> Result<()> {
    let _ = c.run("DELETE into");
    c.run("CREATE into").map(drop)
}

/// All of them must be there.
fn check(c: &mut crate::client::Client, server: &Server, count: usize) -> Result<()> {
    let said = c.ask("STATUS into (MESSAGES)")?;
    let text = said.responses.concat();
    let wanted = format!("MESSAGES {count})");
    if String::from_utf8_lossy(&text).contains(&wanted) {
        return Ok(());
    }
    crate::error::fail(format!(
        "{}: {} is not {wanted}",
        server.kind.name(),
        String::from_utf8_lossy(&text)
    ))
}
