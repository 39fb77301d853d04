//! Signs of life of a command that runs long (RFC 9585), so that clients and
//! NAT boxes keep the connection.

use crate::job::Job;
use roost_imap::write::{self, Status};
use roost_imap::{ResponseCode, Tag};
use std::time::{Duration, Instant};

/// Since when a command has appended nothing.
pub(crate) struct Silence(Instant);

impl Silence {
    pub fn begins() -> Self {
        Self(Instant::now())
    }

    /// To be called behind each step, with whether it appended anything: says
    /// how far the job is when nothing has been said for `interval`.
    pub fn after_step(
        &mut self,
        spoke: bool,
        tag: &Tag,
        job: &dyn Job,
        interval: Option<Duration>,
        out: &mut Vec<u8>,
    ) {
        if spoke {
            *self = Self::begins();
        } else if interval.is_some_and(|i| self.0.elapsed() >= i) && !job.mid_response() {
            *self = Self::begins();
            let code = ResponseCode::InProgress {
                tag: tag.clone(),
                progress: job.progress(),
            };
            write::untagged(out, Status::Ok, Some(&code), "Still working");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::job::Step;
    use crate::session::Session;

    struct Half {
        within: bool,
    }

    impl Job for Half {
        fn step(&mut self, _: &mut Session, _: &mut Vec<u8>) -> Result<Step, Error> {
            Ok(Step::More)
        }
        fn mid_response(&self) -> bool {
            self.within
        }
        fn progress(&self) -> Option<(u64, Option<u64>)> {
            Some((50, Some(100)))
        }
    }

    #[test]
    fn only_the_silent_are_heard() {
        let tag = Tag::new(b"a1").unwrap();
        let said = |spoke, within, interval| {
            let mut out = Vec::new();
            Silence::begins().after_step(spoke, &tag, &Half { within }, interval, &mut out);
            String::from_utf8(out).unwrap()
        };
        let at_once = Some(Duration::ZERO);
        let line = "* OK [INPROGRESS (\"a1\" 50 100)] Still working\r\n";
        assert_eq!(said(false, false, at_once), line);
        assert_eq!(said(true, false, at_once), "");
        assert_eq!(said(false, true, at_once), "");
        assert_eq!(said(false, false, None), "");
        assert_eq!(said(false, false, Some(Duration::from_secs(600))), "");
    }
}
