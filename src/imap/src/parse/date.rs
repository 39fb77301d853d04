//! Dates and times.

use super::cursor::{Cursor, Result, Syntax};
use roost_types::UnixTime;
use roost_types::time::{MONTHS, days_from_civil};

const BAD_DATE: Syntax = Syntax("Invalid date");
const BAD_TIME: Syntax = Syntax("Invalid date-time");

/// `date`: days since 1970-01-01.
pub(super) fn date(c: &mut Cursor<'_>) -> Result<i64> {
    let quoted = c.eat(b'"');
    if quoted {
        // Some write the fixed form of date-time.
        c.blanks();
    }
    let day = digits(c, 1, 2).ok_or(BAD_DATE)?;
    let (month, year) = month_year(c).ok_or(BAD_DATE)?;
    if quoted {
        c.expect(b'"', BAD_DATE.0)?;
    }
    days_from_civil(year, month, day).ok_or(BAD_DATE)
}

/// `date-time`
pub(super) fn date_time(c: &mut Cursor<'_>) -> Result<UnixTime> {
    c.expect(b'"', BAD_TIME.0)?;
    let time = date_time_text(c).ok_or(BAD_TIME)?;
    c.expect(b'"', BAD_TIME.0)?;
    Ok(time)
}

fn date_time_text(c: &mut Cursor<'_>) -> Option<UnixTime> {
    c.blanks();
    let day = digits(c, 1, 2)?;
    let (month, year) = month_year(c)?;
    c.sp().ok()?;
    let hour = digits(c, 2, 2)?;
    c.eat(b':').then_some(())?;
    let minute = digits(c, 2, 2)?;
    c.eat(b':').then_some(())?;
    let second = digits(c, 2, 2)?;
    c.sp().ok()?;
    let zone = zone(c)?;
    UnixTime::from_civil((year, month, day), (hour, minute, second), zone)
}

/// `"-" date-month "-" date-year`
fn month_year(c: &mut Cursor<'_>) -> Option<(u32, i32)> {
    c.eat(b'-').then_some(())?;
    let name = c.take_while(|b| b.is_ascii_alphabetic());
    let month = MONTHS
        .iter()
        .position(|m| m.as_bytes().eq_ignore_ascii_case(name))?;
    c.eat(b'-').then_some(())?;
    let year = digits(c, 4, 4)?;
    Some((u32::try_from(month).ok()? + 1, i32::try_from(year).ok()?))
}

/// `zone`: minutes east of Greenwich.
fn zone(c: &mut Cursor<'_>) -> Option<i32> {
    let sign = if c.eat(b'+') {
        1
    } else if c.eat(b'-') {
        -1
    } else {
        return None;
    };
    let hhmm = i32::try_from(digits(c, 4, 4)?).ok()?;
    (hhmm % 100 < 60).then_some(sign * (hhmm / 100 * 60 + hhmm % 100))
}

/// A number of `min` to `max` digits.
fn digits(c: &mut Cursor<'_>, min: usize, max: usize) -> Option<u32> {
    let digits = c.take_while(|b| b.is_ascii_digit());
    if !(min..=max).contains(&digits.len()) {
        return None;
    }
    Some(digits.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole<T>(text: &str, rule: fn(&mut Cursor<'_>) -> Result<T>) -> Option<T> {
        let mut c = Cursor::new(text.as_bytes());
        let value = rule(&mut c).ok()?;
        c.at_end().then_some(value)
    }

    #[test]
    fn dates() {
        assert_eq!(whole("1-Feb-1994", date), Some(8797));
        assert_eq!(whole("\"01-feb-1994\"", date), Some(8797));
        assert_eq!(whole("2-Jan-1970", date), Some(1));
        for bad in [
            "",
            "1-Feb-94",
            "30-Feb-2000",
            "0-Jan-2000",
            "1-Foo-2000",
            "\"1-Jan-2000",
            "001-Jan-2000",
            "1 Jan 2000",
        ] {
            assert_eq!(whole(bad, date), None, "{bad}");
        }
    }

    #[test]
    fn date_times() {
        let time = |t: &str| whole(t, date_time).map(|t| t.0);
        assert_eq!(time("\"23-Feb-2002 08:59:42 +0100\""), Some(1_014_451_182));
        assert_eq!(time("\" 1-Jan-1970 00:00:00 +0000\""), Some(0));
        assert_eq!(time("\"01-JAN-1970 00:00:00 -0130\""), Some(5400));
        assert_eq!(time("\"31-Dec-2016 23:59:60 +0000\""), Some(1_483_228_800));
        for bad in [
            "23-Feb-2002 08:59:42 +0100",
            "\"23-Feb-2002 08:59:42\"",
            "\"23-Feb-2002 24:00:00 +0000\"",
            "\"23-Feb-2002 08:59:42 0100\"",
            "\"23-Feb-2002 08:59:42 +0170\"",
            "\"23-Feb-2002 08:59:42 +01000\"",
            "\"31-Apr-2002 08:59:42 +0100\"",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn written_dates_read_back(secs in -60_000_000_000i64..253_402_300_799) {
            let mut out = Vec::new();
            crate::write::internal_date(&mut out, UnixTime(secs));
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(whole(&text, date_time), Some(UnixTime(secs)));
        }
    }
}
