//! Names for new messages. No two are ever the same on one host: time, then a
//! step past the last name of this process, then the process, then the host.

use std::fmt::Write;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A host name longer than this is cut, so that sizes and flags fit behind it.
const MAX_HOST: usize = 128;

static LAST: Mutex<Duration> = Mutex::new(Duration::ZERO);

static HOST: LazyLock<String> = LazyLock::new(|| {
    let name = roost_os::identity::hostname().unwrap_or_default();
    cleaned(&name)
});

/// This host's name as it may stand in a file name.
pub fn host() -> &'static str {
    &HOST
}

/// A base name that no one else has: `<secs>.M<usecs>P<pid>.<host>`. Within
/// the process (secs, usecs) strictly rises.
pub fn unique() -> String {
    let now = step_past_last();
    let pid = std::process::id();
    let (secs, usecs) = (now.as_secs(), now.subsec_micros());
    format!("{secs}.M{usecs}P{pid}.{}", host())
}

/// Now in whole microseconds, or one more than the last time if the clock has
/// not moved on since.
fn step_past_last() -> Duration {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = Duration::new(now.as_secs(), now.subsec_micros() * 1000);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    *last = now.max(*last + Duration::from_micros(1));
    *last
}

/// The base name of a finished message, `<unique>,S=<size>,W=<virtual size>`.
pub fn with_sizes(unique: &str, size: u64, virtual_size: u64) -> String {
    format!("{unique},S={size},W={virtual_size}")
}

/// Octal escapes, as Maildir has them, for what means something in a name.
fn cleaned(host: &str) -> String {
    let mut out = String::with_capacity(host.len());
    for c in host.chars() {
        if c.is_ascii_graphic() && !matches!(c, '/' | ':' | ',' | '\\') {
            out.push(c);
        } else {
            let mut utf8 = [0; 4];
            for b in c.encode_utf8(&mut utf8).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\{b:03o}");
            }
        }
        if out.len() >= MAX_HOST {
            out.truncate(MAX_HOST);
            break;
        }
    }
    if out.is_empty() {
        out.push_str("localhost");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{FileName, delivery_order, is_message_name};
    use super::*;

    #[test]
    fn names_rise_strictly_over_threads() {
        let names: Vec<String> = std::thread::scope(|scope| {
            let make = || (0..2000).map(|_| unique()).collect::<Vec<_>>();
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            let lists = workers.into_iter().map(|w| w.join().unwrap());
            lists
                .inspect(|list| {
                    assert!(
                        list.windows(2)
                            .all(|w| { delivery_order(w[0].as_bytes(), w[1].as_bytes()).is_lt() })
                    );
                })
                .flatten()
                .collect()
        });
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn names_read_back() {
        let name = with_sizes(&unique(), 28, 32);
        assert!(is_message_name(name.as_bytes()));
        let parsed = FileName::parse(name.as_bytes());
        assert_eq!(parsed.base(), name.as_bytes());
        assert_eq!((parsed.size(), parsed.virtual_size()), (Some(28), Some(32)));
    }

    #[test]
    fn host_names_lose_what_has_a_meaning() {
        assert_eq!(cleaned("a/b:c,d"), "a\\057b\\072c\\054d");
        assert_eq!(cleaned("mail.example"), "mail.example");
        assert_eq!(cleaned("h\u{e9} \n"), "h\\303\\251\\040\\012");
        assert_eq!(cleaned(""), "localhost");
        assert_eq!(cleaned(&"x".repeat(300)).len(), MAX_HOST);
    }
}
