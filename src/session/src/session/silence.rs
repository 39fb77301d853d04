//! Signs of life of a command that runs long (RFC 9585), so that clients and
//! NAT boxes keep the connection.

use crate::job::Job;
use roost_imap::write::{self, Status};
use roost_imap::{ResponseCode, Tag};
use std::time::{Duration, Instant};

/// Since when a command has appended nothing.
pub(super) struct Silence(Instant);

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
