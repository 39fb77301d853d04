//! COPY, MOVE and EXPUNGE of a whole mailbox, one after the other.

use super::count;
use crate::bench::Bench;
use crate::error::Result;
use crate::limits;
use crate::row::{Limit, Unit, row};

pub fn run(b: &mut Bench) -> Result<()> {
    b.account("change", b.messages())?;
    let n = count(b.messages());
    let rows = vec![
        row("copy", Unit::Seconds, format!("COPY of {n}")).ratio(1.5),
        row("move", Unit::Seconds, format!("MOVE of {n}")).ratio(3.0),
        row("expunge", Unit::Seconds, format!("EXPUNGE of {n}")),
    ];
    let mut sample = Vec::new();
    b.rounds(rows, 3, |server, take| {
        let mut c = server.selected("change", "INBOX")?;
        let _ = c.run("DELETE copied");
        let _ = c.run("DELETE moved");
        c.run("CREATE copied")?;
        c.run("CREATE moved")?;
        take.time("copy", || c.run("COPY 1:* copied"))?;
        c.run("SELECT copied")?;
        take.time("move", || c.run("MOVE 1:* moved"))?;
        c.run("SELECT moved")?;
        let kept = c.ask("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")?;
        sample.retain(|(kind, _)| *kind != server.kind);
        sample.push((server.kind, crate::answer::Answers::new(&kept.responses)));
        c.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
        take.time("expunge", || c.run("EXPUNGE"))?;
        c.run("SELECT INBOX")?;
        c.run("DELETE copied")?;
        c.run("DELETE moved")?;
        c.logout()
    })?;
    let names = limits::names(&b.dir, b.messages())?;
    for (id, what, value) in [
        ("copy", "bare links, one fsync", names.link),
        ("move", "bare renames, two fsyncs", names.move_),
        ("expunge", "bare unlinks", names.unlink),
    ] {
        if let Some(row) = b.row(id) {
            row.limit = Some(Limit {
                what: what.into(),
                value,
            });
        }
    }
    let mut answers = sample.iter().map(|(_, a)| a);
    if let Some(first) = answers.next() {
        let different: usize = answers.map(|a| first.compare(a).different).sum();
        if let Some(row) = b.row("move") {
            row.answers = Some(match different {
                0 => "same".into(),
                n => format!("{n} differ"),
            });
        }
    }
    Ok(())
}
