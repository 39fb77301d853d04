//! CLOSE (RFC 9051 §6.4.1): expunges without saying so, and deselects.

use super::Started;
use super::expunge::Expunging;
use crate::error::Error;
use crate::job::{Job, Reply, Step};
use crate::session::Session;
use roost_types::Rights;

pub(super) fn start(session: &mut Session) -> Result<Started, Error> {
    let selected = session.selected()?;
    // RFC 4314 §4: without the right it just closes the mailbox.
    if selected.read_only() || !selected.rights().contains(Rights::EXPUNGE) {
        session.leave();
        return Ok(Started::Done(done()));
    }
    Ok(Started::Job(Box::new(Close(Expunging::all(session)?))))
}

struct Close(Expunging);

impl Job for Close {
    fn step(&mut self, session: &mut Session, _: &mut Vec<u8>) -> Result<Step, Error> {
        if !self.0.step(session)? {
            return Ok(Step::More);
        }
        session.leave();
        Ok(Step::Done(done()))
    }
}

fn done() -> Reply {
    Reply::ok("Close completed")
}
