//! The zone of this host, for what people read.

/// Seconds that local time is ahead of UTC at `time`, which is in seconds
/// since 1970; 0 where that cannot be told. The zone is that of the first call.
pub fn ahead_of_utc(time: i64) -> i64 {
    // SAFETY: all fields of a `tm` may be zero; its pointer is not looked at.
    let mut fields: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the types that
    // localtime_r(3) wants, and nothing here changes the environment.
    let told = unsafe { libc::localtime_r(&time, &mut fields) };
    if told.is_null() { 0 } else { fields.tm_gmtoff }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What date(1) says.
    #[test]
    fn the_zone_is_the_hosts() {
        for time in [0, 1_762_320_257, 1_750_000_000] {
            let output = Command::new("date")
                .args(["+%z", "-d", &format!("@{time}")])
                .output()
                .unwrap();
            let zone = String::from_utf8(output.stdout).unwrap();
            let ahead = ahead_of_utc(time);
            let sign = if ahead < 0 { '-' } else { '+' };
            let (hours, minutes) = (ahead.abs() / 3600, ahead.abs() / 60 % 60);
            assert_eq!(zone.trim(), format!("{sign}{hours:02}{minutes:02}"));
        }
        // Beyond all calendars.
        assert_eq!(ahead_of_utc(i64::MAX), 0);
    }
}
