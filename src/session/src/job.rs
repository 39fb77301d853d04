//! Commands that run in steps, and what comes out of a command.

use crate::error::Error;
use crate::session::Session;
use roost_imap::ResponseCode;
use roost_imap::write::Status;
use roost_types::{Uid, UidSet};
use std::borrow::Cow;
use std::time::Duration;

/// A step ends soon after it has appended so many octets.
pub const STEP_OCTETS: usize = 64 << 10;

/// A step that changes or reads messages takes at most so many of them.
pub const STEP_MESSAGES: u64 = 1000;

/// A step that reads messages begins no further work after so long.
#[cfg(not(test))]
pub fn step_time() -> Duration {
    STEP_TIME
}

/// Tests that need several steps cannot rely on a slow machine.
#[cfg(test)]
pub fn step_time() -> Duration {
    tests::SHORT_STEPS.with(|short| match short.get() {
        true => Duration::ZERO,
        false => STEP_TIME,
    })
}

const STEP_TIME: Duration = Duration::from_millis(20);

/// A command under way. Dropping it gives the command up: nothing half-done
/// may be left behind.
pub trait Job: Send {
    /// Does a bounded piece of work and appends untagged responses. Neither
    /// the tagged response nor changes of the mailbox are written here: see
    /// [`Session`].
    fn step(&mut self, session: &mut Session, out: &mut Vec<u8>) -> Result<Step, Error>;

    /// Whether a response has been begun that the next step goes on with (a
    /// literal of a large message): nothing else may be written then.
    fn mid_response(&self) -> bool {
        false
    }

    /// How much is done and how much there is to do, where that is known.
    /// The first rises with every step, the second stays.
    fn progress(&self) -> Option<(u64, Option<u64>)> {
        None
    }
}

/// What a step of a job led to.
#[derive(Debug)]
pub enum Step {
    /// There is more to do; what was appended goes out first.
    More,
    Done(Reply),
}

/// The tagged response of a command, without its tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    pub status: Status,
    pub code: Option<ResponseCode>,
    pub text: Cow<'static, str>,
}

impl Reply {
    pub fn ok(text: &'static str) -> Self {
        Self::new(Status::Ok, None, text)
    }

    pub fn ok_code(code: ResponseCode, text: &'static str) -> Self {
        Self::new(Status::Ok, Some(code), text)
    }

    pub fn no(code: ResponseCode, text: &'static str) -> Self {
        Self::new(Status::No, Some(code), text)
    }

    pub fn bad(text: &'static str) -> Self {
        Self::new(Status::Bad, None, text)
    }

    fn new(status: Status, code: Option<ResponseCode>, text: &'static str) -> Self {
        Self {
            status,
            code,
            text: Cow::Borrowed(text),
        }
    }
}

/// How many messages a step takes that works faster the more there are: so many
/// that, where the disk is slow, the client still hears in time that the
/// command runs.
#[derive(Debug)]
pub struct Pace {
    most: u64,
    /// How long a step may last.
    aim: Option<Duration>,
    next: u64,
}

impl Pace {
    /// The first step, by which the next are measured.
    const FIRST: u64 = 500;
    const LEAST: u64 = 100;

    /// At most `most` messages, and a fourth of `interval`, in which a sign of
    /// life is due.
    pub fn new(most: u64, interval: Option<Duration>) -> Self {
        Self {
            most,
            aim: interval.map(|interval| interval / 4),
            next: interval.map_or(most, |_| most.min(Self::FIRST)),
        }
    }

    /// For the next step.
    pub fn messages(&self) -> u64 {
        self.next
    }

    /// A step with so many has lasted so long.
    pub fn took(&mut self, messages: u64, time: Duration) {
        let Some(aim) = self.aim else {
            return;
        };
        let (aim, time) = (aim.as_micros(), time.as_micros().max(1));
        let next = u64::try_from(u128::from(messages) * aim / time).unwrap_or(u64::MAX);
        self.next = next.clamp(Self::LEAST.min(self.most), self.most);
    }
}

/// The UIDs of a set, in pieces that one step can deal with.
pub struct UidPieces {
    ranges: std::vec::IntoIter<(Uid, Uid)>,
    rest: Option<(Uid, Uid)>,
    given: u64,
    total: u64,
}

impl UidPieces {
    pub fn new(uids: &UidSet) -> Self {
        Self {
            ranges: uids.ranges().collect::<Vec<_>>().into_iter(),
            rest: None,
            given: 0,
            total: uids.len(),
        }
    }

    /// How many UIDs have been given, and of how many.
    pub fn progress(&self) -> (u64, Option<u64>) {
        (self.given, Some(self.total))
    }

    /// The next `most` UIDs; `None` when there are no more.
    pub fn next(&mut self, most: u64) -> Option<UidSet> {
        let mut piece = UidSet::new();
        let mut left = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        while left > 0
            && let Some((first, last)) = self.rest.take().or_else(|| self.ranges.next())
        {
            let end = first.get().saturating_add(left - 1).min(last.get());
            let end = Uid::new(end).unwrap_or(last);
            piece.insert_range(first, end);
            left -= end.get() - first.get() + 1;
            self.rest = end.next().filter(|&next| next <= last).map(|n| (n, last));
        }
        self.given += piece.len();
        (!piece.is_empty()).then_some(piece)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// Steps of this thread are over as soon as they can be.
        pub(super) static SHORT_STEPS: Cell<bool> = const { Cell::new(false) };
    }

    /// Steps are short until it is dropped.
    pub struct ShortSteps;

    impl ShortSteps {
        pub fn begin() -> Self {
            SHORT_STEPS.set(true);
            Self
        }
    }

    impl Drop for ShortSteps {
        fn drop(&mut self) {
            SHORT_STEPS.set(false);
        }
    }

    #[test]
    fn steps_are_long_where_the_disk_is_fast() {
        let ten = Some(Duration::from_secs(10));
        let mut pace = Pace::new(10_000, ten);
        assert_eq!(pace.messages(), 500);
        pace.took(500, Duration::from_millis(50));
        assert_eq!(pace.messages(), 10_000);
        pace.took(10_000, Duration::from_secs(50));
        assert_eq!(pace.messages(), 500);
        pace.took(500, Duration::from_secs(50));
        assert_eq!(pace.messages(), 100);
        pace.took(3, Duration::ZERO);
        assert_eq!(pace.messages(), 10_000);
        let mut pace = Pace::new(2, Some(Duration::ZERO));
        pace.took(2, Duration::from_secs(1));
        assert_eq!(pace.messages(), 2);
        assert_eq!(Pace::new(10_000, None).messages(), 10_000);
    }

    #[test]
    fn pieces_are_full_and_in_order() {
        let range = |a, b| UidSet::range(Uid::new(a).unwrap(), Uid::new(b).unwrap());
        let mut all = range(1, 5);
        all.extend_set(&range(8, 8));
        all.extend_set(&range(10, 13));
        let mut pieces = UidPieces::new(&all);
        let texts: Vec<_> = std::iter::from_fn(|| pieces.next(3))
            .map(|p| p.to_string())
            .collect();
        assert_eq!(texts, ["1:3", "4:5,8", "10:12", "13"]);
        assert_eq!(pieces.progress(), (10, Some(10)));
        let mut last = UidPieces::new(&range(u32::MAX - 1, u32::MAX));
        assert_eq!(last.next(9).unwrap().len(), 2);
        assert_eq!(last.next(9), None);
    }
}
