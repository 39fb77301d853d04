//! STORE over a whole mailbox; what was set is taken away again.

use super::count;
use crate::bench::Bench;
use crate::error::Result;
use crate::limits;
use crate::row::{Limit, Unit, row};

pub fn run(b: &mut Bench) -> Result<()> {
    b.account("change", b.messages())?;
    let n = count(b.messages());
    let rows = vec![
        row(
            "store.flag",
            Unit::Seconds,
            format!("STORE +FLAGS.SILENT and -FLAGS.SILENT \\Flagged, {n}"),
        )
        .ratio(1.5),
        row(
            "store.loud",
            Unit::Seconds,
            format!("STORE +FLAGS and -FLAGS $Label1 with FETCH responses, {n}"),
        ),
    ];
    b.rounds(rows, 3, |server, take| {
        let mut c = server.selected("change", "INBOX")?;
        c.run("STORE 1:* -FLAGS.SILENT (\\Flagged $Label1)")?;
        for command in [
            "STORE 1:* +FLAGS.SILENT (\\Flagged)",
            "STORE 1:* -FLAGS.SILENT (\\Flagged)",
        ] {
            take.time("store.flag", || c.run(command))?;
        }
        for command in ["STORE 1:* +FLAGS ($Label1)", "STORE 1:* -FLAGS ($Label1)"] {
            take.time("store.loud", || c.run(command))?;
        }
        c.logout()
    })?;
    let names = limits::names(&b.dir, b.messages())?;
    if let Some(row) = b.row("store.flag") {
        row.limit = Some(Limit {
            what: format!(
                "bare renames ({:.1} ms by two threads)",
                names.rename_by_two * 1e3
            ),
            value: names.rename,
        });
    }
    b.compare("store.flag", "change", "INBOX", "FETCH 1:* (UID FLAGS)")
}
