//! Lines that users of this host can bring about as often as they like.
//!
//! Whoever floods the log has others' lines dropped from it, those of failed
//! logins among them, which log filters act upon.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use roost_os::UserId;
use roost_types::LogLevel;

use super::log_level;

/// Of one user, in one minute.
const LINES: u32 = 5;
const MINUTE: Duration = Duration::from_secs(60);
/// Users told apart; any more (subuid(5)) count as one.
const USERS: usize = 64;

/// One kind of line.
pub struct Seldom(Mutex<Vec<Minute>>);

struct Minute {
    /// None: of all whom there is no room for.
    of: Option<UserId>,
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl Default for Seldom {
    fn default() -> Self {
        Self::new()
    }
}

impl Seldom {
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Logs a line that is `by`'s doing, or counts it.
    pub fn log(&self, by: UserId, level: LogLevel, text: fmt::Arguments<'_>) {
        let level = log_level(level);
        if level > log::max_level() {
            return;
        }
        match self.note(by, Instant::now()) {
            None => {}
            Some(0) => log::log!(level, "{text}"),
            Some(more) => log::log!(level, "{text} ({more} lines like this were left out)"),
        }
    }

    /// Whether to log it; then how many were not since the last one.
    fn note(&self, by: UserId, now: Instant) -> Option<u64> {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |minute: &Minute| now.duration_since(minute.since) >= MINUTE;
        let known = |minutes: &[Minute], of| minutes.iter().position(|minute| minute.of == of);
        if known(&minutes, Some(by)).is_none() && minutes.len() >= USERS {
            minutes.retain(|minute| !is_over(minute));
        }
        let of = match known(&minutes, Some(by)) {
            None if minutes.len() >= USERS => None,
            _ => Some(by),
        };
        let minute = match known(&minutes, of) {
            Some(at) => minutes.get_mut(at)?,
            None => minutes.push_mut(Minute::new(of, now)),
        };
        let left_out = minute.left_out;
        if is_over(minute) {
            *minute = Minute::new(of, now);
        }
        if minute.lines >= LINES {
            minute.left_out += 1;
            return None;
        }
        minute.lines += 1;
        Some(left_out)
    }
}

impl Minute {
    fn new(of: Option<UserId>, since: Instant) -> Self {
        Self {
            of,
            since,
            lines: 0,
            left_out: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_a_few_lines_a_minute_and_are_told_apart() {
        let seldom = Seldom::new();
        let begin = Instant::now();
        let logged = |by, at: Duration| {
            let one = |_| seldom.note(UserId(by), begin + at);
            (0..100).filter_map(one).collect::<Vec<_>>()
        };
        assert_eq!(logged(7, Duration::ZERO), [0; 5]);
        assert_eq!(logged(7, MINUTE / 2), []);
        assert_eq!(logged(8, MINUTE / 2), [0; 5]);
        // What was left out is told once.
        assert_eq!(logged(7, MINUTE), [195, 0, 0, 0, 0]);
    }

    #[test]
    fn many_users_have_hardly_more() {
        let seldom = Seldom::new();
        let begin = Instant::now();
        let lines = (0..100_000).filter(|by| seldom.note(UserId(by % 10_000), begin).is_some());
        assert_eq!(lines.count(), (USERS + 1) * LINES as usize);
        assert_eq!(seldom.note(UserId(1_000_000), begin + MINUTE), Some(0));
    }
}
