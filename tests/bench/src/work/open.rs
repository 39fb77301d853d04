//! SELECT, STATUS and LIST-STATUS: never seen, with an index and a new
//! process, and while the mailbox is open already.

use super::count;
use crate::bench::{Bench, unseen};
use crate::error::Result;
use crate::row::{Row, Unit, row};
use crate::server::Server;

const STATUS: &str = "STATUS INBOX (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)";
const LIST_STATUS: &str = "LIST \"\" \"*\" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))";
const FOLDERS: usize = 100;

struct Ids {
    select: [&'static str; 3],
    status: [&'static str; 2],
}

pub fn run(b: &mut Bench) -> Result<()> {
    let (ten, hundred) = (b.messages(), b.messages() * 10);
    b.account("ten", ten)?;
    mailbox(
        b,
        "ten",
        ten,
        &Ids {
            select: ["select.ten.first", "select.ten", "select.ten.open"],
            status: ["status.ten.first", "status.ten"],
        },
        [None, Some(5.0)],
    )?;
    b.account("hundred", hundred)?;
    mailbox(
        b,
        "hundred",
        hundred,
        &Ids {
            select: [
                "select.hundred.first",
                "select.hundred",
                "select.hundred.open",
            ],
            status: ["status.hundred.first", "status.hundred"],
        },
        [Some(1.5), Some(10.0)],
    )?;
    folders(b, "list10", ten, ["list.ten.first", "list.ten"])?;
    folders(
        b,
        "list100",
        hundred,
        ["list.hundred.first", "list.hundred"],
    )
}

fn mailbox(
    b: &mut Bench,
    user: &'static str,
    messages: usize,
    ids: &Ids,
    targets: [Option<f64>; 2],
) -> Result<()> {
    let n = count(messages);
    let title = |r: &'static str, text: String| row(r, Unit::Seconds, text);
    let mut rows: Vec<Row> = vec![
        title(ids.select[0], format!("SELECT of {n}, never seen")),
        title(
            ids.select[1],
            format!("SELECT of {n}, index present, new process"),
        ),
        title(
            ids.select[2],
            format!("SELECT of {n}, open in another session"),
        ),
        title(ids.status[0], format!("STATUS of {n}, never seen")),
        title(
            ids.status[1],
            format!("STATUS of {n}, index present, new process"),
        ),
    ];
    for (row, target) in rows.iter_mut().zip(targets) {
        row.target = target.map(crate::row::Target::Ratio);
    }
    b.rounds(rows, 5, |server, take| {
        unseen(server, user)?;
        let mut c = server.login(user)?;
        take.time(ids.status[0], || c.run(STATUS))?;
        c.logout()?;
        unseen(server, user)?;
        let mut c = server.login(user)?;
        take.time(ids.select[0], || c.run("SELECT INBOX"))?;
        // A server may write its index when the mailbox is closed.
        c.logout()?;
        server.restart()?;
        let mut c = server.login(user)?;
        take.time(ids.status[1], || c.run(STATUS))?;
        take.noop(ids.status[1], &mut c)?;
        c.logout()?;
        server.restart()?;
        let mut first = server.login(user)?;
        take.time(ids.select[1], || first.run("SELECT INBOX"))?;
        take.noop(ids.select[1], &mut first)?;
        let mut second = server.login(user)?;
        take.time(ids.select[2], || second.run("SELECT INBOX"))?;
        Ok(())
    })?;
    b.compare(ids.select[1], user, "INBOX", "FETCH 1:* (UID FLAGS)")?;
    b.compare(
        ids.status[1],
        user,
        "INBOX",
        &STATUS.replace("INBOX", "inbox"),
    )
}

fn folders(
    b: &mut Bench,
    user: &'static str,
    messages: usize,
    ids: [&'static str; 2],
) -> Result<()> {
    b.account(user, 10)?;
    for n in 0..FOLDERS {
        b.folder(user, &format!("folder{n:03}"), messages / FOLDERS)?;
    }
    let n = count(messages);
    let rows = vec![
        row(
            ids[0],
            Unit::Seconds,
            format!("LIST-STATUS of {FOLDERS} mailboxes with {n}, never seen"),
        ),
        row(
            ids[1],
            Unit::Seconds,
            format!("LIST-STATUS of {FOLDERS} mailboxes with {n}, index present"),
        ),
    ];
    let once = |server: &Server, id: &str, take: &mut crate::bench::Takes<'_>| {
        let mut c = server.login(user)?;
        take.time(id, || c.run(LIST_STATUS))?;
        c.logout()
    };
    b.rounds(rows, 3, |server, take| {
        unseen(server, user)?;
        once(server, ids[0], take)?;
        server.restart()?;
        once(server, ids[1], take)
    })?;
    b.compare(ids[1], user, "INBOX", LIST_STATUS)
}
