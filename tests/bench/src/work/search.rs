//! SEARCH, SORT and THREAD over a whole mailbox.

use super::count;
use crate::bench::Bench;
use crate::error::Result;
use crate::row::{Unit, row};

pub fn run(b: &mut Bench) -> Result<()> {
    b.account("ten", b.messages())?;
    let n = count(b.messages());
    let commands = [
        ("search.flag", "SEARCH UNSEEN", "SEARCH UNSEEN", None, 5),
        (
            "search.subject",
            "SEARCH SUBJECT, seen",
            "SEARCH SUBJECT \"invoice\"",
            Some(8.0),
            3,
        ),
        (
            "search.from",
            "SEARCH FROM, seen",
            "SEARCH FROM \"smith\"",
            Some(8.0),
            3,
        ),
        (
            "search.date",
            "SEARCH SINCE UNSEEN LARGER",
            "SEARCH SINCE 1-Jan-2024 UNSEEN LARGER 20000",
            None,
            3,
        ),
        (
            "search.body",
            "SEARCH BODY",
            "SEARCH BODY \"marmalade\"",
            Some(4.0),
            1,
        ),
        (
            "search.text",
            "SEARCH TEXT",
            "SEARCH TEXT \"marmalade\"",
            Some(4.0),
            1,
        ),
        (
            "sort.subject",
            "SORT (SUBJECT), second time",
            "SORT (SUBJECT) UTF-8 ALL",
            Some(3.0),
            3,
        ),
        (
            "sort.date",
            "SORT (REVERSE DATE), second time",
            "SORT (REVERSE DATE) UTF-8 ALL",
            Some(3.0),
            3,
        ),
        (
            "thread",
            "THREAD REFERENCES, second time",
            "THREAD REFERENCES UTF-8 ALL",
            Some(3.0),
            3,
        ),
    ];
    let rows = commands
        .iter()
        .map(|(id, title, _, target, _)| {
            let row = row(id, Unit::Seconds, format!("{title}, {n}"));
            match target {
                Some(t) => row.ratio(*t),
                None => row,
            }
        })
        .collect();
    let mut warm = Vec::new();
    b.rounds(rows, 3, |server, take| {
        let mut c = server.selected("ten", "INBOX")?;
        if !warm.contains(&server.kind) {
            // Dovecot's cache fills over two passes.
            warm.push(server.kind);
            for (.., command, _, passes) in &commands {
                for _ in 0..if *passes > 1 { 2 } else { 0 } {
                    let _ = c.run(command);
                }
            }
            c.logout()?;
            c = server.selected("ten", "INBOX")?;
        }
        let mut failure = Ok(());
        for (id, _, command, _, times) in &commands {
            for _ in 0..*times {
                if let Err(e) = take.time(id, || c.run(command)) {
                    failure = Err(e);
                    break;
                }
            }
        }
        failure
    })?;
    for (id, _, command, ..) in &commands {
        b.compare(id, "ten", "INBOX", command)?;
    }
    Ok(())
}
