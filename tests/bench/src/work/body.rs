//! Whole messages, plain and over TLS.

use super::count;
use crate::bench::Bench;
use crate::canned;
use crate::error::Result;
use crate::row::{Limit, Unit, row};
use crate::scan::Tally;
use std::path::Path;

const BODIES: &str = "UID FETCH 1:* (BODY.PEEK[])";

fn megabytes(seconds: f64, read: &Tally) -> f64 {
    read.octets as f64 / seconds / 1e6
}

pub fn run(b: &mut Bench) -> Result<()> {
    b.account("ten", b.messages())?;
    let n = count(b.messages());
    let rows = vec![
        row(
            "body.plain",
            Unit::Megabytes,
            format!("BODY.PEEK[] of {n}, plain"),
        )
        .ratio(1.3),
        row(
            "body.tls",
            Unit::Megabytes,
            format!("BODY.PEEK[] of {n}, TLS"),
        )
        .ratio(1.1),
    ];
    b.rounds(rows, 4, |server, take| {
        let mut plain = server.selected("ten", "INBOX")?;
        take.measure("body.plain", megabytes, || plain.run(BODIES))?;
        plain.logout()?;
        let mut tls = server.login_tls("ten")?;
        tls.run("SELECT INBOX")?;
        take.measure("body.tls", megabytes, || tls.run(BODIES))?;
        tls.logout()
    })?;
    let files = b.master.files().map(Path::to_path_buf).collect();
    let sent = canned::files(files)?;
    if let Some(row) = b.row("body.plain") {
        row.limit = Some(Limit {
            what: "read the files and send them, nothing else".into(),
            value: sent.megabytes,
        });
    }
    let line = b"* 1 FETCH (UID 1 FLAGS (\\Seen NonJunk))\r\n";
    let short = canned::measure(line, 5_000_000)?;
    let long = [
        b"* 1 FETCH (BODY[] {30000}\r\n".as_slice(),
        &[b'x'; 30_000],
        b")\r\n",
    ]
    .concat();
    let bulk = canned::measure(&long, 60_000)?;
    b.notes.push(format!(
        "The load generator from a canned responder: {:.1} million short FETCH responses in a second, \
         {:.0} MB/s of bodies; it takes {:.0} % and {:.0} % of one core for that.",
        short.responses / 1e6,
        bulk.megabytes,
        short.share * 100.0,
        bulk.share * 100.0
    ));
    b.compare("body.plain", "ten", "INBOX", BODIES)
}
