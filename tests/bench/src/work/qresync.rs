//! A client comes back to a large mailbox of which it knows all but the last
//! hundred changes (RFC 7162 §3.2.5).

use super::count;
use crate::bench::Bench;
use crate::client::Client;
use crate::error::{Result, fail};
use crate::row::{Unit, row};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const FLAGGED: usize = 90;
const EXPUNGED: usize = 10;

pub fn run(b: &mut Bench) -> Result<()> {
    let large = b.messages() * 10;
    b.account("hundred", large)?;
    let n = count(large);
    let rows = vec![
        row(
            "qresync",
            Unit::Seconds,
            format!("SELECT (QRESYNC) of {n} with 100 changes, new process"),
        ),
        row(
            "qresync.open",
            Unit::Seconds,
            "the same, open in another session",
        ),
    ];
    let mut rounds = BTreeMap::new();
    b.rounds(rows, 3, |server, take| {
        let round = rounds.entry(server.kind).or_insert(0);
        *round += 1;
        let mut c = server.login("hundred")?;
        c.run("ENABLE QRESYNC")?;
        let known = c.ask("SELECT INBOX")?;
        let validity = Client::select_number(&known, "[UIDVALIDITY ")?;
        let modseq = Client::select_number(&known, "[HIGHESTMODSEQ ")?;
        change(&mut c, large, *round)?;
        c.logout()?;
        server.restart()?;
        let resync = format!("SELECT INBOX (QRESYNC ({validity} {modseq} 1:{large}))");
        let mut first = server.login("hundred")?;
        let mut second = server.login("hundred")?;
        for (id, c) in [("qresync", &mut first), ("qresync.open", &mut second)] {
            c.run("ENABLE QRESYNC")?;
            let told = take.time(id, || c.run(&resync))?;
            take.noop(id, c)?;
            if told.fetches < FLAGGED as u64 {
                return fail(format!("{} changes of {FLAGGED} are told", told.fetches));
            }
        }
        first.logout()?;
        second.logout()
    })
}

/// Flags some messages all over the mailbox and expunges others.
fn change(c: &mut Client, large: usize, round: usize) -> Result<()> {
    let every = large / FLAGGED;
    let uids = |count: usize, shift: usize| {
        (0..count).fold(String::new(), |mut out, n| {
            let comma = if n == 0 { "" } else { "," };
            let _ = write!(out, "{comma}{}", 1 + n * every + shift);
            out
        })
    };
    let sign = if round % 2 == 1 { '+' } else { '-' };
    let set = uids(FLAGGED, 0);
    c.run(&format!("UID STORE {set} {sign}FLAGS.SILENT ($Label1)"))?;
    let set = uids(EXPUNGED, round);
    c.run(&format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)"))?;
    c.run(&format!("UID EXPUNGE {set}")).map(drop)
}
