//! Makes the records of a message, out of one read of its file: header and
//! structure of a small message together, of a large one only what is wanted.

use super::head::{self, Numbers};
use super::{Wants, answers};
use crate::cmd::fetch::plan::Need;
use crate::cmd::fetch::source::Source;
use crate::error::Error;
use roost_message::preview::preview;
use roost_message::{Envelope, Limits, Structure, header, scan_bytes, search};
use roost_store::{Beginning, Mailbox};
use roost_types::Uid;
use std::sync::Arc;

/// Octets read at once; a message up to this size has all of its records made.
const AT_ONCE: usize = 64 * 1024;

/// The records of one message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Records {
    pub head: Vec<u8>,
    pub envelope: Vec<u8>,
    /// Not made of a large message until somebody wants it.
    pub structure: Option<Vec<u8>>,
}

/// Makes records, one message after the other.
pub(super) struct Maker<'m> {
    mailbox: &'m Arc<Mailbox>,
    wants: Wants,
    buf: Vec<u8>,
}

impl<'m> Maker<'m> {
    pub fn new(mailbox: &'m Arc<Mailbox>, wants: Wants) -> Self {
        Self {
            mailbox,
            wants,
            buf: vec![0; AT_ONCE],
        }
    }

    pub fn make(&mut self, uid: Uid) -> Result<Records, Error> {
        let beginning = self.mailbox.read_beginning(uid, &mut self.buf)?;
        let mut text = self.buf.get(..beginning.len).unwrap_or_default();
        let len = header::len(text);
        if beginning.whole {
            let structure = scan_bytes(text, &Limits::DEFAULT);
            let header = text.get(..len).unwrap_or_default();
            return records(header, &mut text, Some(&structure), beginning);
        }
        // The header ends with an empty line in front of what was read last.
        let header = text.get(..len).filter(|_| len < text.len());
        self.large(uid, header, beginning)
    }

    fn large(
        &self,
        uid: Uid,
        header: Option<&[u8]>,
        beginning: Beginning,
    ) -> Result<Records, Error> {
        let scans = self.wants.structure
            || self.wants.size && self.mailbox.snapshot().known_size(uid).is_none();
        if let Some(header) = header
            && !scans
        {
            return records(header, &mut &b""[..], None, beginning);
        }
        let mut source = Source::load(self.mailbox, uid, Need::Structure)?;
        let read;
        let header = match header {
            Some(header) => header,
            None => {
                read = source.header()?.into_owned();
                &read
            }
        };
        let structure = source.structure().map(Arc::clone);
        records(header, &mut source, structure.as_deref(), beginning)
    }
}

fn records(
    header: &[u8],
    source: &mut dyn search::Source,
    structure: Option<&Structure>,
    beginning: Beginning,
) -> Result<Records, Error> {
    let numbers = Numbers {
        size: structure.map(|s| s.size.crlf_len),
        internal: beginning.internal_date,
    };
    let mut records = Records::default();
    let whole = header.len() < Limits::DEFAULT.header;
    head::make(header, whole, numbers, &mut records.head);
    answers::make_envelope(&Envelope::new(header), &mut records.envelope);
    if let Some(structure) = structure {
        let mut record = Vec::new();
        let preview = preview(structure, source)?;
        answers::make_structure(structure, &preview, &mut record);
        records.structure = Some(record);
    }
    Ok(records)
}
