//! Signs of life of a command that runs long (RFC 9585), so that clients and
//! NAT boxes keep the connection.

use roost_imap::write::{self, Status};
use roost_imap::{ResponseCode, Tag};
use std::time::{Duration, Instant};

/// How much is done and how much there is to do, as far as it is known.
pub(crate) type Progress = Option<(u64, Option<u64>)>;

/// Since when a command has appended nothing.
pub(crate) struct Silence {
    since: Instant,
    /// How long it may last.
    interval: Option<Duration>,
}

impl Silence {
    pub fn begins(interval: Option<Duration>) -> Self {
        Self {
            since: Instant::now(),
            interval,
        }
    }

    /// To be called behind each step outside of a response: says how far the
    /// command is when it has said nothing for too long.
    pub fn lasts(&mut self, tag: &Tag, progress: impl FnOnce() -> Progress, out: &mut Vec<u8>) {
        if self
            .interval
            .is_some_and(|most| self.since.elapsed() >= most)
        {
            self.ends();
            let code = ResponseCode::InProgress {
                tag: tag.clone(),
                progress: progress(),
            };
            write::untagged(out, Status::Ok, Some(&code), "Running");
        }
    }

    /// The command has said something.
    pub fn ends(&mut self) {
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_silent_are_heard() {
        let tag = Tag::new(b"a1").unwrap();
        let said = |interval| {
            let mut out = Vec::new();
            let progress = || Some((50, Some(100)));
            Silence::begins(interval).lasts(&tag, progress, &mut out);
            String::from_utf8(out).unwrap()
        };
        let line = "* OK [INPROGRESS (\"a1\" 50 100)] Running\r\n";
        assert_eq!(said(Some(Duration::ZERO)), line);
        assert_eq!(said(None), "");
        assert_eq!(said(Some(Duration::from_secs(600))), "");
    }
}
