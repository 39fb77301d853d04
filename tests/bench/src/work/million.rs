//! A mailbox of a million messages.

use super::count;
use crate::bench::{Bench, unseen};
use crate::error::{Result, fail};
use crate::memory;
use crate::row::{Target, Unit, row};

const STATUS: &str = "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)";
const MIB: f64 = 1024.0 * 1024.0;

pub fn run(b: &mut Bench) -> Result<()> {
    let largest = b.messages() * 100;
    b.account("million", largest)?;
    let n = count(largest);
    let newest = format!(
        "FETCH {}:{largest} (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
        largest - 99
    );
    let seconds = |id, title: String| row(id, Unit::Seconds, title);
    let rows = vec![
        seconds("million.first", format!("SELECT of {n}, never seen")),
        seconds(
            "million.select",
            format!("SELECT of {n}, index present, new process"),
        ),
        seconds(
            "million.status",
            format!("STATUS of {n}, index present, new process"),
        ),
        seconds(
            "million.fetch",
            format!("FETCH of the newest 100 of {n}, ENVELOPE, after SELECT"),
        ),
        seconds("million.search", format!("SEARCH UNSEEN in {n}")),
        row(
            "million.memory",
            Unit::Octets,
            format!("largest process with {n} selected, fetched from and searched (peak RSS)"),
        )
        .target(Target::AtMost(300.0 * MIB)),
    ];
    b.rounds(rows, 1, |server, take| {
        unseen(server, "million")?;
        let mut c = server.login("million")?;
        take.time("million.first", || c.run("SELECT INBOX"))?;
        let Some(pid) = server.pid() else {
            return fail("the server does not run");
        };
        c.run(&newest)?;
        c.run("SEARCH UNSEEN")?;
        take.put("million.memory", memory::largest_peak(pid)? as f64);
        c.logout()?;
        for _ in 0..2 {
            server.restart()?;
            let mut c = server.login("million")?;
            take.time("million.status", || c.run(STATUS))?;
            take.noop("million.status", &mut c)?;
            c.logout()?;
            server.restart()?;
            let mut c = server.login("million")?;
            take.time("million.select", || c.run("SELECT INBOX"))?;
            take.noop("million.select", &mut c)?;
            take.time("million.fetch", || c.run(&newest))?;
            take.time("million.search", || c.run("SEARCH UNSEEN"))?;
            c.logout()?;
        }
        Ok(())
    })?;
    b.compare("million.search", "million", "INBOX", "SEARCH UNSEEN")?;
    b.compare("million.fetch", "million", "INBOX", &newest)?;
    b.drop_account("million");
    Ok(())
}
