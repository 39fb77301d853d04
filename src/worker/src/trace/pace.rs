//! How many lines of a session get into the log. A client can send commands
//! faster than any log takes them, and other lines are not to be lost for it.

use std::time::{Duration, Instant};

/// Lines in each [`SPAN`].
const MOST: u32 = 50;
const SPAN: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Pace {
    /// When the span began, and its lines.
    span: Option<(Instant, u32)>,
    missed: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// It is logged, behind so many that were not.
    Line {
        missed: u64,
    },
    Nothing,
}

impl Pace {
    pub fn say(&mut self, now: Instant) -> Said {
        let before = self
            .span
            .filter(|(began, _)| now.saturating_duration_since(*began) < SPAN);
        let (began, lines) = before.unwrap_or((now, 0));
        if lines >= MOST {
            self.missed = self.missed.saturating_add(1);
            return Said::Nothing;
        }
        self.span = Some((began, lines + 1));
        Said::Line {
            missed: std::mem::take(&mut self.missed),
        }
    }

    /// Lines that were not logged and not spoken of since.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_in_a_second_and_how_many_are_missing() {
        let mut pace = Pace::default();
        let start = Instant::now();
        let logged = |missed| Said::Line { missed };
        for _ in 0..MOST {
            assert_eq!(pace.say(start), logged(0));
        }
        for _ in 0..1000 {
            assert_eq!(pace.say(start + SPAN / 2), Said::Nothing);
        }
        assert_eq!(pace.missed(), 1000);
        assert_eq!(pace.say(start + SPAN), logged(1000));
        assert_eq!(pace.missed(), 0);
        for _ in 1..MOST {
            assert_eq!(pace.say(start + SPAN * 3 / 2), logged(0));
        }
        assert_eq!(pace.say(start + SPAN * 3 / 2), Said::Nothing);
    }
}
