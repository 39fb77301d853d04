//! Makes the records of a message, out of one read of its file: header and
//! structure of a small message together, of a large one only what is wanted.
//! What is small depends on what is wanted: for the header alone, a page or two.

use super::head::{self, Numbers};
use super::{ENVELOPE, HEAD, Wants, answers};
use crate::cmd::fetch::plan::Need;
use crate::cmd::fetch::source::Source;
use crate::error::Error;
use roost_message::preview::preview;
use roost_message::{Envelope, Limits, Structure, header, scan_bytes, search};
use roost_store::{Beginning, Mailbox};
use roost_types::Uid;
use std::cell::RefCell;
use std::sync::Arc;

/// Octets read at once; a message up to this size has all of its records made.
const AT_ONCE: usize = 64 * 1024;
/// The same where nobody wants more than the header.
const HEADER_AT_ONCE: usize = 8 * 1024;

/// The records of one message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Records {
    pub head: Vec<u8>,
    pub envelope: Vec<u8>,
    /// Not made of a large message until somebody wants it.
    pub structure: Option<Vec<u8>>,
}

impl Records {
    pub fn column(&self, column: u8) -> Option<&[u8]> {
        match column {
            HEAD => Some(&self.head),
            ENVELOPE => Some(&self.envelope),
            _ => self.structure.as_deref(),
        }
    }
}

thread_local! {
    /// For reading: threads that make records make many.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes the records of a message.
pub(super) fn make(mailbox: &Arc<Mailbox>, uid: Uid, wants: Wants) -> Result<Records, Error> {
    let measured = !wants.size || mailbox.snapshot().known_size(uid).is_some();
    let at_once = match wants.structure || !measured {
        true => AT_ONCE,
        false => HEADER_AT_ONCE,
    };
    let mut buf = BUFFER.take();
    buf.resize(AT_ONCE, 0);
    let made = mailbox
        .read_beginning(uid, buf.get_mut(..at_once).unwrap_or_default())
        .map_err(Error::from)
        .and_then(|beginning| {
            let text = buf.get(..beginning.len).unwrap_or_default();
            match beginning.whole {
                true => small(text, beginning),
                false => large(mailbox, uid, text, wants, beginning),
            }
        });
    BUFFER.set(buf);
    made
}

fn small(mut text: &[u8], beginning: Beginning) -> Result<Records, Error> {
    let structure = scan_bytes(text, &Limits::DEFAULT);
    let header = text.get(..header::len(text)).unwrap_or_default();
    records(header, &mut text, Some(&structure), beginning)
}

fn large(
    mailbox: &Arc<Mailbox>,
    uid: Uid,
    text: &[u8],
    wants: Wants,
    beginning: Beginning,
) -> Result<Records, Error> {
    // The header ends with an empty line in front of what was read last.
    let len = header::len(text);
    let header = text.get(..len).filter(|_| len < text.len());
    let measure = wants.size && mailbox.snapshot().known_size(uid).is_none();
    if let Some(header) = header
        && !wants.structure
        && !measure
    {
        return records(header, &mut &b""[..], None, beginning);
    }
    let mut source = Source::load(mailbox, uid, Need::Structure)?;
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
    answers::make_envelope(&Envelope::new(header), numbers.size, &mut records.envelope);
    if let Some(structure) = structure {
        let mut record = Vec::new();
        let preview = preview(structure, source)?;
        answers::make_structure(structure, &preview, &mut record);
        records.structure = Some(record);
    }
    Ok(records)
}
