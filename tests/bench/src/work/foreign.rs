//! A mailbox of another account beside an own one: what the way through two
//! sessions, in processes of two uids, costs. Only Roost is measured, against itself.

use super::count;
use crate::bench::Bench;
use crate::error::Result;
use crate::row::{Target, Unit, row};
use crate::server::{GUEST, Kind};
use std::time::Instant;

const ENVELOPE: &str = "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)";
const BODIES: &str = "UID FETCH 1:* (BODY.PEEK[])";
const OWN: &str = "the same by the owner";
/// Of the owner's speed.
const SHARE: f64 = 0.7;

pub fn run(b: &mut Bench) -> Result<()> {
    b.account("ten", b.messages())?;
    let n = count(b.messages());
    let of = |id, what| {
        let title = format!("{what} of {n} in a mailbox of another account");
        row(id, Unit::Seconds, title).target(Target::OfLimit(SHARE))
    };
    let rows = vec![
        of("foreign.envelope", "FETCH ENVELOPE"),
        of("foreign.body", "BODY.PEEK[]"),
    ];
    b.rounds(rows, 7, |server, take| {
        if server.kind != Kind::Roost {
            return Ok(());
        }
        server.invite()?;
        let mut own = server.selected("ten", "INBOX")?;
        own.run(&format!("SETACL INBOX {GUEST} lr"))?;
        let mut foreign = server.selected(GUEST, "~ten/INBOX")?;
        for (id, command) in [("foreign.envelope", ENVELOPE), ("foreign.body", BODIES)] {
            own.run(command)?;
            let start = Instant::now();
            own.run(command)?;
            take.floor(id, OWN, start.elapsed().as_secs_f64());
            take.time(id, || foreign.run(command))?;
        }
        foreign.logout()?;
        own.logout()
    })
}
