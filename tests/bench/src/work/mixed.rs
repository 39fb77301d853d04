//! Fifty clients of ten users, each doing what mail programs do, one command
//! after the other for some seconds.

use crate::bench::Bench;
use crate::client::{Client, append_command};
use crate::error::Result;
use crate::mail::small;
use crate::rng::Rng;
use crate::row::{Unit, row};
use crate::threads::parallel_over;
use std::time::{Duration, Instant};

const CLIENTS: usize = 50;
const USERS: usize = 10;
const MESSAGES: usize = 1000;

pub fn run(b: &mut Bench) -> Result<()> {
    for n in 0..USERS {
        let user = format!("u{}", 900 + n);
        b.account(&user, MESSAGES)?;
        b.folder(&user, "Archive", MESSAGES / 2)?;
    }
    let lasting = Duration::from_secs(if b.options.quick { 3 } else { 8 });
    let rows = vec![
        row(
            "mixed",
            Unit::PerSecond,
            format!("mixed load of {CLIENTS} clients, commands"),
        )
        .ratio(2.0),
        row(
            "mixed.p99",
            Unit::Seconds,
            "the same, 99th percentile of a command",
        )
        .ratio(3.0),
        row("mixed.p50", Unit::Seconds, "the same, median of a command"),
    ];
    b.rounds(rows, 3, |server, take| {
        let mut clients = (0..CLIENTS)
            .map(|n| server.selected(&format!("u{}", 900 + n % USERS), "INBOX"))
            .collect::<Result<Vec<_>>>()?;
        let taken = take.measure(
            "mixed",
            |seconds, all: &Vec<Vec<f64>>| all.iter().map(Vec::len).sum::<usize>() as f64 / seconds,
            || {
                parallel_over(&mut clients, |n, client| {
                    let mut rng = Rng::new(n as u64);
                    let mut times = Vec::new();
                    let start = Instant::now();
                    while start.elapsed() < lasting {
                        let before = Instant::now();
                        command(client, &mut rng)?;
                        times.push(before.elapsed().as_secs_f64());
                    }
                    Ok(times)
                })
            },
        )?;
        let mut all: Vec<f64> = taken.concat();
        all.sort_by(f64::total_cmp);
        for (id, part) in [("mixed.p99", 99), ("mixed.p50", 50)] {
            if let Some(v) = all.get(all.len() * part / 100) {
                take.put(id, *v);
            }
        }
        clients.into_iter().try_for_each(Client::logout)
    })
}

fn command(c: &mut Client, rng: &mut Rng) -> Result<()> {
    let message = 1 + rng.below(MESSAGES);
    let what = match rng.below(100) {
        0..=27 => format!(
            "FETCH {}:{MESSAGES} (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (From To Cc \
             Subject Date Message-ID References)])",
            MESSAGES - 50
        ),
        28..=41 => "FETCH 1:* (UID FLAGS)".into(),
        42..=56 => format!("FETCH {message} (UID BODY.PEEK[])"),
        57..=61 => format!("FETCH {message} (BODYSTRUCTURE ENVELOPE)"),
        62..=71 => {
            let sign = if rng.chance(50) { '+' } else { '-' };
            format!("STORE {message} {sign}FLAGS (\\Flagged)")
        }
        72..=78 => "SEARCH UNSEEN".into(),
        79..=81 => "SEARCH SUBJECT \"invoice\"".into(),
        82..=87 => "STATUS Archive (MESSAGES UNSEEN UIDNEXT)".into(),
        88..=91 => "SELECT INBOX".into(),
        92..=94 => {
            let text = small(rng.below(1000));
            return c.run_octets(&append_command("Archive", &[&text])).map(drop);
        }
        _ => "NOOP".into(),
    };
    c.run(&what).map(drop)
}
