//! Internal dates.

use super::number::number64;
use roost_types::UnixTime;
use roost_types::time::MONTHS;

/// Years that four digits hold; other times are sent as the nearest of them.
const FIRST: i64 = -62_167_219_200; // 0000-01-01 00:00:00
const LAST: i64 = 253_402_300_799; // 9999-12-31 23:59:59

/// Appends a `date-time` in quotes, in UTC: `"23-Feb-2002 07:59:42 +0000"`.
pub fn internal_date(out: &mut Vec<u8>, time: UnixTime) {
    let c = UnixTime(time.0.clamp(FIRST, LAST)).civil();
    out.push(b'"');
    // date-day-fixed: a blank in front of a single digit.
    if c.day < 10 {
        out.push(b' ');
    }
    number64(out, u64::from(c.day));
    out.push(b'-');
    let month = MONTHS.get(c.month.wrapping_sub(1) as usize);
    out.extend_from_slice(month.unwrap_or(&"Jan").as_bytes());
    out.push(b'-');
    let year = u32::try_from(c.year).unwrap_or(0);
    two_digits(out, year / 100);
    two_digits(out, year % 100);
    out.push(b' ');
    two_digits(out, c.hour);
    out.push(b':');
    two_digits(out, c.minute);
    out.push(b':');
    two_digits(out, c.second);
    out.extend_from_slice(b" +0000\"");
}

fn two_digits(out: &mut Vec<u8>, n: u32) {
    out.push(b'0' + (n / 10 % 10) as u8);
    out.push(b'0' + (n % 10) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(secs: i64) -> String {
        let mut out = Vec::new();
        internal_date(&mut out, UnixTime(secs));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_dates() {
        assert_eq!(text(1_014_451_182), "\"23-Feb-2002 07:59:42 +0000\"");
        assert_eq!(text(0), "\" 1-Jan-1970 00:00:00 +0000\"");
        assert_eq!(text(i64::MIN), "\" 1-Jan-0000 00:00:00 +0000\"");
        assert_eq!(text(i64::MAX), "\"31-Dec-9999 23:59:59 +0000\"");
        assert_eq!(text(LAST - 86_400), "\"30-Dec-9999 23:59:59 +0000\"");
    }
}
