//! What a session with a large mailbox takes.

use super::count;
use crate::bench::Bench;
use crate::error::{Result, fail};
use crate::memory;
use crate::row::{Unit, row};
use std::time::Duration;

pub fn run(b: &mut Bench) -> Result<()> {
    let large = b.messages() * 10;
    b.account("hundred", large)?;
    let rows = vec![
        row(
            "selected",
            Unit::Octets,
            format!(
                "memory with {} selected (PSS of all processes)",
                count(large)
            ),
        )
        .ratio(2.0),
    ];
    b.rounds(rows, 2, |server, take| {
        // The index is written by now, and the process is a new one.
        server.selected("hundred", "INBOX")?.logout()?;
        server.restart()?;
        std::thread::sleep(Duration::from_millis(500));
        let Some(pid) = server.pid() else {
            return fail("the server does not run");
        };
        let empty = [memory::of_tree(pid)?, memory::of_files(pid)?];
        let mut c = server.selected("hundred", "INBOX")?;
        c.run("FETCH 1:* (FLAGS)")?;
        std::thread::sleep(Duration::from_millis(1500));
        let full = [memory::of_tree(pid)?, memory::of_files(pid)?];
        let [all, files] = [0, 1].map(|n| full[n].saturating_sub(empty[n]) as f64);
        take.put("selected", all);
        take.floor("selected", "programs and libraries alone", files);
        c.logout()
    })
}
