//! The demo's sample mail: what lies where, in which state, how old. The
//! messages themselves stand as plain files in `mail/`; `@DATE@` in them
//! becomes the date that fits their age.

use roost_types::time::{Civil, MONTHS, UnixTime};

/// One message of the demo.
pub struct Sample {
    /// Levels of the mailbox's name; empty for INBOX.
    pub mailbox: &'static [&'static str],
    /// Maildir flag letters (`DFPRST`, sorted); `None` leaves the message in
    /// `new/`, as a delivery does.
    pub flags: Option<&'static str>,
    pub minutes_ago: i64,
    source: Source,
}

enum Source {
    /// As it stands.
    Text(&'static [u8]),
    /// As it stands, with CRLF line ends on disk.
    Crlf(&'static [u8]),
    /// The text followed by a generated table of about a megabyte.
    Large(&'static [u8]),
}

pub const INBOX: &[&str] = &[];
const SENT: &[&str] = &["Sent"];
const DRAFTS: &[&str] = &["Drafts"];
const TRASH: &[&str] = &["Trash"];
const JUNK: &[&str] = &["Junk"];
const OLD: &[&str] = &["Archive", "2024"];
const RECENT: &[&str] = &["Archive", "2025"];
const LIST: &[&str] = &["Lists", "henhouse"];
const PHOTOS: &[&str] = &["Fotos & Grüße"];
const WORLD: &[&str] = &["世界", "日本語"];

/// Mailboxes besides INBOX, with whether the account is subscribed to them.
pub const MAILBOXES: [(&[&str], bool); 10] = [
    (SENT, true),
    (DRAFTS, true),
    (TRASH, true),
    (JUNK, true),
    (&["Archive"], true),
    (OLD, false),
    (RECENT, true),
    (LIST, true),
    (PHOTOS, true),
    (WORLD, true),
];

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

macro_rules! sample {
    ($mailbox:expr, $flags:expr, $ago:expr, $kind:ident $file:literal) => {
        Sample {
            mailbox: $mailbox,
            flags: $flags,
            minutes_ago: $ago,
            source: Source::$kind(include_bytes!(concat!("mail/", $file, ".eml"))),
        }
    };
}

pub const SAMPLES: [Sample; 25] = [
    sample!(INBOX, Some("S"), 30 * DAY, Text "plan"),
    sample!(INBOX, Some("RS"), 9 * DAY, Text "attachments"),
    sample!(INBOX, Some("FS"), 8 * DAY, Text "nested"),
    sample!(INBOX, Some("S"), 7 * DAY, Text "koi8"),
    sample!(INBOX, Some("PS"), 6 * DAY, Text "windows"),
    sample!(INBOX, Some(""), 5 * DAY, Text "utf8header"),
    sample!(INBOX, Some("FRS"), 4 * DAY, Crlf "related"),
    sample!(INBOX, Some("ST"), 3 * DAY, Text "greek"),
    sample!(INBOX, Some("S"), 2 * DAY, Text "report"),
    sample!(INBOX, Some(""), DAY, Text "broken"),
    sample!(INBOX, None, 5 * HOUR, Large "large-head"),
    sample!(INBOX, None, 2 * HOUR, Text "alternative"),
    sample!(INBOX, None, 1, Text "welcome"),
    sample!(SENT, Some("S"), 28 * DAY, Text "plan3"),
    sample!(DRAFTS, Some("DS"), 3 * HOUR, Text "draft"),
    sample!(TRASH, Some("S"), 40 * DAY, Text "greek"),
    sample!(JUNK, None, 4 * HOUR, Text "spam"),
    sample!(OLD, Some("S"), 400 * DAY, Text "windows"),
    sample!(RECENT, Some("RS"), 200 * DAY, Crlf "attachments"),
    sample!(LIST, Some("RS"), 30 * DAY, Text "plan"),
    sample!(LIST, Some("S"), 29 * DAY, Text "plan2"),
    sample!(LIST, None, 28 * DAY, Text "plan3"),
    sample!(PHOTOS, Some("FS"), 12 * DAY, Text "alternative"),
    sample!(WORLD, Some("S"), 11 * DAY, Text "iso2022jp"),
    sample!(WORLD, None, 10 * DAY, Text "gb18030"),
];

impl Sample {
    /// The message as it goes to disk, dated `date`.
    pub fn bytes(&self, date: UnixTime) -> Vec<u8> {
        match self.source {
            Source::Text(text) => dated(text, date),
            Source::Crlf(text) => crlf(&dated(text, date)),
            Source::Large(text) => {
                let mut bytes = dated(text, date);
                tide_table(&mut bytes);
                bytes
            }
        }
    }
}

const MARK: &[u8] = b"@DATE@";

/// `text` with its first mark replaced; some samples have none.
fn dated(text: &[u8], date: UnixTime) -> Vec<u8> {
    let at = text.windows(MARK.len()).position(|w| w == MARK);
    let Some((head, [_, _, _, _, _, _, tail @ ..])) = at.and_then(|at| text.split_at_checked(at))
    else {
        return text.to_vec();
    };
    [head, rfc5322_date(date).as_bytes(), tail].concat()
}

fn rfc5322_date(date: UnixTime) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        weekday,
    } = date.civil();
    let weekday = DAYS.get(weekday as usize).copied().unwrap_or("Sun");
    let month = MONTHS
        .get((month as usize).saturating_sub(1))
        .copied()
        .unwrap_or("Jan");
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
}

fn crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 30);
    for line in text.split_inclusive(|&b| b == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                out.extend_from_slice(line);
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// A year of tides, every ten minutes.
fn tide_table(out: &mut Vec<u8>) {
    out.extend_from_slice(b"day,time,gauge,level_cm\n");
    for step in 0..365 * 24 * 6u32 {
        let (day, minute) = (step / 144 + 1, step % 144 * 10);
        // Two overlaid triangle waves; nobody sails by this.
        let moon = (step * 10 % 745).abs_diff(372);
        let sun = (minute % 720).abs_diff(360) / 3;
        let line = format!(
            "{day},{:02}:{:02},harbour,{}\n",
            minute / 60,
            minute % 60,
            moon + sun
        );
        out.extend_from_slice(line.as_bytes());
    }
    out.extend_from_slice(b"\n--tides--\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_lies_in_a_mailbox_that_is_made() {
        for sample in &SAMPLES {
            let known = sample.mailbox.is_empty()
                || MAILBOXES.iter().any(|(name, _)| *name == sample.mailbox);
            assert!(known, "{:?}", sample.mailbox);
        }
    }

    #[test]
    fn flags_are_sorted_maildir_letters() {
        for flags in SAMPLES.iter().filter_map(|s| s.flags) {
            assert!(flags.bytes().is_sorted(), "{flags}");
            assert!(flags.bytes().all(|b| b"DFPRST".contains(&b)), "{flags}");
        }
    }

    #[test]
    fn dates_are_filled_in() {
        let date = UnixTime(1_763_789_057);
        for sample in &SAMPLES {
            let bytes = sample.bytes(date);
            assert!(!bytes.windows(MARK.len()).any(|w| w == MARK));
        }
        assert_eq!(rfc5322_date(date), "Sat, 22 Nov 2025 05:24:17 +0000");
    }

    #[test]
    fn there_is_one_of_each_kind() {
        let all: Vec<_> = SAMPLES.iter().map(|s| s.bytes(UnixTime(0))).collect();
        assert!(all.iter().any(|m| (900_000..1_500_000).contains(&m.len())));
        assert!(all.iter().any(|m| m.windows(2).any(|w| w == b"\r\n")));
        let nested = b"Content-Type: message/rfc822";
        assert!(
            all.iter()
                .any(|m| m.windows(nested.len()).any(|w| w == nested))
        );
    }
}
