//! The date in a `Date` field (RFC 5322 §3.3, obsolete forms of §4.3, and what
//! broken mailers write: missing times, ISO and asctime order).

use roost_types::time::{MONTHS, UnixTime, days_from_civil};

/// When a message says that it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SentDate {
    /// Days since 1970-01-01 of the date as written, whatever its zone: what
    /// SENTBEFORE, SENTON and SENTSINCE compare (RFC 9051 §6.4.4).
    pub day: i64,
    pub time: UnixTime,
}

#[derive(Default)]
struct Parts {
    day: Option<u32>,
    month: Option<u32>,
    year: Option<i32>,
    time: Option<(u32, u32, u32)>,
    /// Minutes east of Greenwich.
    zone: i32,
}

/// Longer values are no dates.
const MAX_LEN: usize = 1000;

/// The value of a `Date` field; `None` if no day can be made out.
pub fn parse(value: &[u8]) -> Option<SentDate> {
    let value = value.get(..value.len().min(MAX_LEN))?;
    let text = without_comments(value);
    let mut parts = Parts::default();
    for word in text.split(|b| b.is_ascii_whitespace() || matches!(b, b',' | b';')) {
        if let Ok(word) = std::str::from_utf8(word)
            && !word.is_empty()
        {
            parts.take(word);
        }
    }
    let (year, month, day) = (parts.year?, parts.month?, parts.day?);
    let time = parts.time.unwrap_or_default();
    Some(SentDate {
        day: days_from_civil(year, month, day)?,
        time: UnixTime::from_civil((year, month, day), time, parts.zone)
            .or_else(|| UnixTime::from_civil((year, month, day), (0, 0, 0), 0))?,
    })
}

fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut depth = 0_u32;
    let mut out = Vec::with_capacity(value.len());
    for &b in value {
        match b {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            // Blanks around colons are obsolete, but no ends of words.
            b':' => {
                let end = out.trim_ascii_end().len();
                out.truncate(end);
                out.push(b);
            }
            b if b.is_ascii_whitespace() && out.ends_with(b":") => {}
            b => out.push(b),
        }
    }
    out
}

impl Parts {
    fn take(&mut self, word: &str) {
        let first = word.as_bytes().first().copied().unwrap_or_default();
        if word.contains(':') && first.is_ascii_digit() {
            self.time_of_day(word);
        } else if self.time.is_some() && matches!(first, b'+' | b'-') {
            self.zone = numeric_zone(word).unwrap_or(self.zone);
        } else if word.contains(['-', '/']) {
            let mut pieces = word.split(['-', '/']);
            // ISO 8601 has the date and time in one word.
            if let (Some(y), Some(m), Some(d), None) =
                (pieces.next(), pieces.next(), pieces.next(), pieces.next())
            {
                self.joined(y, m, d);
            }
        } else if first.is_ascii_digit() {
            self.number(word);
        } else {
            self.name(word);
        }
    }

    /// `2020-01-31`, `2020-01-31T10:00:00Z` or `31-Jan-2020`.
    fn joined(&mut self, first: &str, second: &str, third: &str) {
        let (third, time) = third.split_once(['T', 't']).unwrap_or((third, ""));
        match second.parse() {
            Ok(month) if first.len() == 4 => {
                self.year = self.year.or(first.parse().ok());
                self.month = self.month.or(Some(month));
                self.number(third);
            }
            Ok(_) => {}
            Err(_) => {
                self.number(first);
                self.name(second);
                self.number(third);
            }
        }
        if time.contains(':') {
            self.time_of_day(time);
        }
    }

    fn time_of_day(&mut self, word: &str) {
        // ISO 8601 times with a date in front of them.
        if word.contains(['T', 't']) && word.contains('-') {
            let mut pieces = word.splitn(3, '-');
            if let (Some(y), Some(m), Some(rest)) = (pieces.next(), pieces.next(), pieces.next()) {
                self.joined(y, m, rest);
            }
            return;
        }
        let digits = word.split(|c: char| !c.is_ascii_digit() && c != ':').next();
        let mut numbers = digits.unwrap_or_default().split(':').map(str::parse::<u32>);
        if let (Some(Ok(h)), Some(Ok(m))) = (numbers.next(), numbers.next())
            && self.time.is_none()
        {
            let s = numbers.next().and_then(Result::ok).unwrap_or(0);
            self.time = Some((h, m, s));
        }
    }

    fn number(&mut self, word: &str) {
        let Ok(n) = word.parse::<u32>() else {
            return;
        };
        if word.len() <= 2 && self.day.is_none() {
            self.day = Some(n);
        } else if self.year.is_none() {
            self.year = year(n, word.len());
        }
    }

    fn name(&mut self, word: &str) {
        let month = word.get(..3).and_then(|start| {
            let mut months = MONTHS.iter();
            months.position(|m| m.eq_ignore_ascii_case(start))
        });
        match month {
            Some(index) if self.month.is_none() => self.month = Some(index as u32 + 1),
            _ if self.time.is_some() => self.zone = named_zone(word).unwrap_or(self.zone),
            _ => {}
        }
    }
}

/// RFC 5322 §4.3 for years of two and three digits.
fn year(n: u32, digits: usize) -> Option<i32> {
    let n = i32::try_from(n).ok()?;
    match digits {
        ..=2 if n < 50 => Some(2000 + n),
        ..=3 => Some(1900 + n),
        4 => Some(n),
        _ => None,
    }
}

fn numeric_zone(word: &str) -> Option<i32> {
    let (sign, digits) = word.split_at_checked(1)?;
    let n: i32 = digits.replace(':', "").parse().ok()?;
    if !(0..=2400).contains(&n) {
        return None;
    }
    let minutes = n / 100 * 60 + n % 100;
    Some(if sign == "-" { -minutes } else { minutes })
}

/// Military zones were used with either sign, so they count as UTC.
fn named_zone(word: &str) -> Option<i32> {
    const ZONES: [(&str, i32); 14] = [
        ("UT", 0),
        ("UTC", 0),
        ("GMT", 0),
        ("Z", 0),
        ("EST", -5),
        ("EDT", -4),
        ("CST", -6),
        ("CDT", -5),
        ("MST", -7),
        ("MDT", -6),
        ("PST", -8),
        ("PDT", -7),
        ("CET", 1),
        ("CEST", 2),
    ];
    let is = |z: &&(&str, i32)| z.0.eq_ignore_ascii_case(word);
    ZONES.iter().find(is).map(|(_, hours)| hours * 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(y: i32, m: u32, d: u32) -> i64 {
        days_from_civil(y, m, d).unwrap()
    }

    #[test]
    fn forms_of_dates() {
        let table: [(&str, i64, i64); 15] = [
            (
                "Fri, 21 Nov 1997 09:55:06 -0600",
                day(1997, 11, 21),
                880_127_706,
            ),
            (
                "Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
                day(1969, 2, 13),
                -27_723_480,
            ),
            ("21 Nov 97 09:55:06 GMT", day(1997, 11, 21), 880_106_106),
            (
                "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
                day(1997, 11, 21),
                880_127_706,
            ),
            ("1 Jan 2020", day(2020, 1, 1), 1_577_836_800),
            ("Mon, 1 Jan 2020 10:00 EST", day(2020, 1, 1), 1_577_890_800),
            (
                "Mon, 1 Jan 2020 10:00:00 PDT",
                day(2020, 1, 1),
                1_577_898_000,
            ),
            ("Mon, 1 Jan 2020 10:00:00 A", day(2020, 1, 1), 1_577_872_800),
            ("1 Jan 20 23:59:60 +0000", day(2020, 1, 1), 1_577_923_200),
            ("1 Jan 120 00:00:00 +0000", day(2020, 1, 1), 1_577_836_800),
            ("Wed Jan  1 10:00:00 2020", day(2020, 1, 1), 1_577_872_800),
            ("2020-01-01 10:00:00 +01:00", day(2020, 1, 1), 1_577_869_200),
            ("2020-01-01T10:00:00Z", day(2020, 1, 1), 1_577_872_800),
            ("1-Jan-2020 10:00:00", day(2020, 1, 1), 1_577_872_800),
            (
                "31 Dec 2019 23:00:00 -1000",
                day(2019, 12, 31),
                1_577_869_200,
            ),
        ];
        for (text, day, time) in table {
            let found = parse(text.as_bytes());
            let expected = SentDate {
                day,
                time: UnixTime(time),
            };
            assert_eq!(found, Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "yesterday",
            "32 Jan 2020",
            "30 Feb 2020",
            "Jan 2020",
            "\u{e9}\u{e9}",
            "-",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(
            parse(b"1 Jan 2020 99:99:99").map(|d| d.day),
            Some(day(2020, 1, 1)),
            "a wrong time does not spoil the day"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_survive(raw in prop::collection::vec(any::<u8>(), 0..60)) {
            parse(&raw);
        }

        #[test]
        fn near_dates_survive(text in "([0-9]{1,5}|Jan|[-+:T,()/ ]){0,14}") {
            parse(text.as_bytes());
        }
    }
}
