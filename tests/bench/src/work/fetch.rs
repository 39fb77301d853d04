//! FETCH of everything but bodies, over a whole mailbox.

use super::count;
use crate::bench::{Bench, unseen};
use crate::error::Result;
use crate::limits;
use crate::row::{Limit, Unit, row};

const ENVELOPE: &str = "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)";
const STRUCTURE: &str = "FETCH 1:* (UID BODYSTRUCTURE)";
const FLAGS: &str = "FETCH 1:* (FLAGS)";
/// As Thunderbird asks.
const THUNDERBIRD: &str = "UID FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To \
    Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To \
    Content-Type Reply-To)])";
/// As mutt asks.
const MUTT: &str = "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE \
    FROM SENDER SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION IN-REPLY-TO \
    REPLY-TO LINES LIST-POST X-LABEL)])";

pub fn run(b: &mut Bench) -> Result<()> {
    b.account("ten", b.messages())?;
    let n = count(b.messages());
    let rows = vec![
        row(
            "fetch.envelope.first",
            Unit::Seconds,
            format!("FETCH UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE of {n}, never seen"),
        )
        .ratio(2.5),
        row("fetch.envelope", Unit::Seconds, "the same, third time").ratio(5.0),
        row("fetch.flags", Unit::Seconds, format!("FETCH FLAGS of {n}")).ratio(2.0),
        row(
            "fetch.structure",
            Unit::Seconds,
            format!("FETCH BODYSTRUCTURE of {n}, seen"),
        )
        .ratio(3.0),
        row(
            "fetch.fields",
            Unit::Seconds,
            format!("FETCH HEADER.FIELDS of {n} as Thunderbird asks, seen"),
        )
        .ratio(10.0),
        row(
            "fetch.fields.mutt",
            Unit::Seconds,
            format!("FETCH HEADER.FIELDS of {n} as mutt asks, seen"),
        )
        .ratio(10.0),
        row(
            "fetch.structure.first",
            Unit::Seconds,
            format!("FETCH BODYSTRUCTURE of {n}, never seen"),
        ),
        row(
            "fetch.fields.first",
            Unit::Seconds,
            format!("FETCH HEADER.FIELDS of {n} as Thunderbird asks, never seen"),
        ),
    ];
    b.rounds(rows, 3, |server, take| {
        for (first, command, third) in [
            ("fetch.structure.first", STRUCTURE, "fetch.structure"),
            ("fetch.fields.first", THUNDERBIRD, "fetch.fields"),
            ("fetch.fields.mutt.first", MUTT, "fetch.fields.mutt"),
            ("fetch.envelope.first", ENVELOPE, "fetch.envelope"),
        ] {
            unseen(server, "ten")?;
            for id in [first, "", third] {
                let mut c = server.selected("ten", "INBOX")?;
                take.time(id, || c.run(command))?;
                c.logout()?;
            }
        }
        for _ in 0..3 {
            let mut c = server.selected("ten", "INBOX")?;
            take.time("fetch.flags", || c.run(FLAGS))?;
            c.logout()?;
        }
        Ok(())
    })?;
    let kept = b.messages();
    for (id, octets) in [
        ("fetch.envelope.first", 8 << 10),
        ("fetch.fields.first", 8 << 10),
        ("fetch.structure.first", 64 << 10),
    ] {
        let value = limits::beginnings(b.master.files().take(kept), octets)?;
        if let Some(row) = b.row(id) {
            row.limit = Some(Limit {
                what: format!("open and read {} KiB of each, all cores", octets >> 10),
                value,
            });
        }
    }
    for (id, command) in [
        ("fetch.envelope", ENVELOPE),
        ("fetch.flags", FLAGS),
        ("fetch.structure", STRUCTURE),
        ("fetch.fields", THUNDERBIRD),
        ("fetch.fields.mutt", MUTT),
    ] {
        b.compare(id, "ten", "INBOX", command)?;
    }
    Ok(())
}
