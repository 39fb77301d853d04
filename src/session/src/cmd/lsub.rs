//! LSUB (RFC 3501 §6.3.9): LIST's machinery with its own rules for `%`.

use crate::error::Error;
use crate::job::Job;
use crate::session::Session;

pub(super) fn start(
    session: &Session,
    reference: &[u8],
    pattern: Vec<u8>,
) -> Result<Box<dyn Job>, Error> {
    super::list::start_lsub(session, reference, pattern)
}
