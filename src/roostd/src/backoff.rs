//! How long a child that died waits before it is started again: not at all at
//! first, then longer and longer, so that one that cannot start burns no CPU.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// A child that lived this long has proved that it can.
const GOOD_LIFE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Backoff {
    deaths: u32,
}

impl Backoff {
    /// The wait before the next start of a child that was started at
    /// `started` and died at `died`: 0, 0.1 s, doubling to 10 s.
    pub fn after_death(&mut self, started: Instant, died: Instant) -> Duration {
        if died.saturating_duration_since(started) >= GOOD_LIFE {
            self.deaths = 0;
        }
        let wait = match self.deaths.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST
                .saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX))
                .min(LONGEST),
        };
        self.deaths = self.deaths.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_anew_after_a_good_life() {
        let mut backoff = Backoff::default();
        let start = Instant::now();
        let mut wait = || backoff.after_death(start, start + Duration::from_secs(1));
        assert_eq!(wait(), Duration::ZERO);
        assert_eq!(wait(), FIRST);
        assert_eq!(wait(), FIRST * 2);
        for _ in 0..100 {
            wait();
        }
        assert_eq!(wait(), LONGEST);
        let later = start + GOOD_LIFE;
        assert_eq!(backoff.after_death(start, later), Duration::ZERO);
    }
}
