//! Fifty clients of ten users, each doing what mail programs do, one command
//! after the other for some seconds.

use crate::bench::Bench;
use crate::client::{Client, append_command};
use crate::error::Result;
use crate::mail::small;
use crate::rng::Rng;
use crate::row::{Unit, row};
use crate::threads::parallel_over;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A kind of command and the seconds that one took.
type Taken = (&'static str, f64);

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
            |seconds, all: &Vec<Vec<Taken>>| {
                all.iter().map(Vec::len).sum::<usize>() as f64 / seconds
            },
            || {
                parallel_over(&mut clients, |n, client| {
                    let mut rng = Rng::new(n as u64);
                    let mut times = Vec::new();
                    let start = Instant::now();
                    while start.elapsed() < lasting {
                        let before = Instant::now();
                        let word = command(client, &mut rng)?;
                        times.push((word, before.elapsed().as_secs_f64()));
                    }
                    Ok(times)
                })
            },
        )?;
        let mut all: Vec<Taken> = taken.concat();
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        for (id, part) in [("mixed.p99", 99), ("mixed.p50", 50)] {
            if let Some((_, v)) = all.get(all.len() * part / 100) {
                take.put(id, *v);
            }
        }
        eprint!("{}", slowest(server.kind.name(), &all));
        clients.into_iter().try_for_each(Client::logout)
    })
}

/// What the slowest hundredth consists of, for whoever looks for the reason;
/// `all` is in order.
fn slowest(server: &str, all: &[Taken]) -> String {
    let mut words: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (word, seconds) in all {
        words.entry(word).or_default().push(*seconds);
    }
    let Some((_, limit)) = all.get(all.len() * 99 / 100) else {
        return String::new();
    };
    let mut out = String::new();
    for (word, times) in words {
        let at = |part: usize| times.get(times.len() * part / 100).map_or(0.0, |s| s * 1e3);
        let slow = times.iter().filter(|t| *t >= limit).count();
        let _ = writeln!(
            out,
            "{server}: {word:12} {:6} times, median {:6.2} ms, 99 % {:6.2} ms, {slow} of the slowest 1 %",
            times.len(),
            at(50),
            at(99),
        );
    }
    out
}

/// Its kind.
fn command(c: &mut Client, rng: &mut Rng) -> Result<&'static str> {
    let message = 1 + rng.below(MESSAGES);
    let (word, what) = match rng.below(100) {
        0..=27 => (
            "FETCH fields",
            format!(
                "FETCH {}:{MESSAGES} (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (From To Cc \
             Subject Date Message-ID References)])",
                MESSAGES - 50
            ),
        ),
        28..=41 => ("FETCH flags", "FETCH 1:* (UID FLAGS)".into()),
        42..=56 => ("FETCH body", format!("FETCH {message} (UID BODY.PEEK[])")),
        57..=61 => (
            "FETCH facts",
            format!("FETCH {message} (BODYSTRUCTURE ENVELOPE)"),
        ),
        62..=71 => {
            let sign = if rng.chance(50) { '+' } else { '-' };
            ("STORE", format!("STORE {message} {sign}FLAGS (\\Flagged)"))
        }
        72..=78 => ("SEARCH flag", "SEARCH UNSEEN".into()),
        79..=81 => ("SEARCH field", "SEARCH SUBJECT \"invoice\"".into()),
        82..=87 => ("STATUS", "STATUS Archive (MESSAGES UNSEEN UIDNEXT)".into()),
        88..=91 => ("SELECT", "SELECT INBOX".into()),
        92..=94 => {
            let text = small(rng.below(1000));
            c.run_octets(&append_command("Archive", &[&text]))?;
            return Ok("APPEND");
        }
        _ => ("NOOP", "NOOP".into()),
    };
    c.run(&what)?;
    Ok(word)
}
