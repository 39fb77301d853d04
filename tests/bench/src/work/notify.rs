//! How soon a session in IDLE hears of what others do.

use crate::bench::Bench;
use crate::error::Result;
use crate::mail::small;
use crate::rng::Rng;
use crate::row::{Target, Unit, row};
use crate::server::{MAIL_UID, Server};
use std::fs;
use std::os::unix::fs::chown;
use std::time::{Duration, Instant};

const TIMES: usize = 8;

pub fn run(b: &mut Bench) -> Result<()> {
    b.account("u10", 100)?;
    let rows = vec![
        row(
            "notify.delivery",
            Unit::Seconds,
            "delivery (rename into new/) to EXISTS in IDLE",
        )
        .target(Target::RatioOr(20.0, 0.010)),
        row(
            "notify.store",
            Unit::Seconds,
            "STORE in another session to FETCH in IDLE",
        )
        .target(Target::RatioOr(50.0, 0.010)),
    ];
    let mut rng = Rng::new(11);
    let mut delivered = 0;
    b.rounds(rows, 2, |server, take| {
        let mut idler = server.selected("u10", "INBOX")?;
        idler.idle()?;
        let mut pause = || {
            // Not in step with anybody's timer.
            let millis = 150 + rng.below(500) as u64;
            std::thread::sleep(Duration::from_millis(millis));
        };
        for _ in 0..TIMES {
            pause();
            delivered += 1;
            let start = deliver(server, "u10", delivered)?;
            idler.line(&mut |l| l.ends_with(b" EXISTS\r") || l.ends_with(b" EXISTS"))?;
            take.put("notify.delivery", start.elapsed().as_secs_f64());
        }
        let mut other = server.selected("u10", "INBOX")?;
        for n in 0..TIMES {
            pause();
            let sign = if n % 2 == 0 { '+' } else { '-' };
            let command = format!("STORE 7 {sign}FLAGS.SILENT (\\Flagged)");
            let start = Instant::now();
            other.run(&command)?;
            idler.line(&mut |l| l.starts_with(b"* 7 FETCH "))?;
            take.put("notify.store", start.elapsed().as_secs_f64());
        }
        other.logout()?;
        idler.done()?;
        idler.logout()
    })
}

/// Delivers as an MTA does; gives the time of the rename.
fn deliver(server: &Server, user: &str, n: usize) -> Result<Instant> {
    let maildir = server.home(user).join("Maildir");
    let name = format!("1800000000.M{n:06}P1.bench");
    let tmp = maildir.join("tmp").join(&name);
    fs::write(&tmp, small(n))?;
    chown(&tmp, Some(MAIL_UID), Some(MAIL_UID))?;
    let start = Instant::now();
    fs::rename(&tmp, maildir.join("new").join(&name))?;
    Ok(start)
}
