//! Makes the records of a message, those that are wanted and no others: what
//! stands in the header together, out of a page or two; structure and preview,
//! which take the whole message, each when somebody asks.

use super::head::{self, Numbers};
use super::{ENVELOPE, HEAD, PREVIEW, STRUCTURE, TEXTS, Wants, answers, texts};
use crate::cmd::fetch::plan::Need;
use crate::cmd::fetch::source::Source;
use crate::error::Error;
use roost_message::header::{self, Field};
use roost_message::preview::preview;
use roost_message::{Envelope, Limits, Structure, crlf, scan_bytes, search};
use roost_store::Mailbox;
use roost_store::cache::COLUMNS;
use roost_types::{Uid, UnixTime};
use std::cell::RefCell;
use std::sync::Arc;

/// Octets read at once.
const AT_ONCE: usize = 64 * 1024;
/// The same where nobody wants more than the header.
const HEADER_AT_ONCE: usize = 8 * 1024;

/// What is to be made of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Lacks {
    /// What is made of the header.
    pub header: bool,
    pub structure: bool,
    pub preview: bool,
}

impl Lacks {
    /// Makes up for all that is wanted.
    pub fn all(wants: Wants) -> Self {
        Self::of(wants, |_| false)
    }

    /// Makes up for what is wanted and not there.
    pub fn of(wants: Wants, mut has: impl FnMut(u8) -> bool) -> Self {
        let mut lacks = Self::default();
        for column in wants.columns().filter(|&column| !has(column)) {
            match column {
                STRUCTURE => lacks.structure = true,
                PREVIEW => lacks.preview = true,
                _ => lacks.header = true,
            }
        }
        lacks
    }

    pub fn any(self) -> bool {
        self != Self::default()
    }

    fn more_than_header(self) -> bool {
        self.structure || self.preview
    }
}

/// Records that were made of one message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Records {
    octets: Vec<u8>,
    /// Where each ends, those that were not made where the one before does.
    ends: [usize; COLUMNS],
    made: [bool; COLUMNS],
    /// RFC822.SIZE, if it was measured.
    pub size: Option<u64>,
}

impl Records {
    pub fn column(&self, column: u8) -> Option<&[u8]> {
        let column = usize::from(column);
        let start = match column.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let is_made = *self.made.get(column)?;
        is_made.then(|| self.octets.get(start..*self.ends.get(column)?))?
    }

    /// Appends the next record, of a column behind those before.
    fn add(&mut self, column: u8, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.octets);
        let column = usize::from(column);
        for end in self.ends.iter_mut().skip(column) {
            *end = self.octets.len();
        }
        if let Some(made) = self.made.get_mut(column) {
            *made = true;
        }
    }
}

thread_local! {
    /// For reading: threads that make records make many.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes the records of a message.
pub(super) fn make(
    mailbox: &Arc<Mailbox>,
    uid: Uid,
    lacks: Lacks,
    wants: Wants,
) -> Result<Records, Error> {
    let named = mailbox.snapshot().known_size(uid);
    let measure = wants.size && named.is_none();
    let at_once = match lacks.more_than_header() || measure {
        true => AT_ONCE,
        false => HEADER_AT_ONCE,
    };
    let mut buf = BUFFER.take();
    if buf.len() < at_once {
        buf.resize(at_once, 0);
    }
    let made = mailbox
        .read_beginning(uid, buf.get_mut(..at_once).unwrap_or_default())
        .map_err(Error::from)
        .and_then(|beginning| {
            let text = buf.get(..beginning.len).unwrap_or_default();
            let column = mailbox.snapshot().known_internal_date(uid);
            let asked = Asked {
                lacks,
                measure,
                named,
                internal: column.unwrap_or(beginning.internal_date),
            };
            match beginning.whole {
                true => small(text, asked),
                false => large(mailbox, uid, text, asked),
            }
        });
    BUFFER.set(buf);
    made
}

/// What is to be made, and what the columns say.
#[derive(Clone, Copy)]
struct Asked {
    lacks: Lacks,
    /// RFC822.SIZE has to be found out.
    measure: bool,
    /// RFC822.SIZE as the file's name says, or as it was measured before.
    named: Option<u64>,
    internal: UnixTime,
}

impl Asked {
    /// Where a size turns out to be another than was believed, it is put
    /// right in all records that tell it.
    fn measured(mut self, size: Option<u64>) -> Self {
        self.lacks.header |= size.is_some() && self.named.is_some() && size != self.named;
        self
    }
}

fn small(mut text: &[u8], asked: Asked) -> Result<Records, Error> {
    let scanned = asked.lacks.more_than_header();
    let structure = scanned.then(|| scan_bytes(text, &Limits::DEFAULT));
    let size = match &structure {
        Some(structure) => Some(structure.size.crlf_len),
        None => asked.measure.then(|| crlf::len(text)),
    };
    let asked = asked.measured(size);
    let header = match asked.lacks.header {
        true => text.get(..header::len(text)).unwrap_or_default(),
        false => &[],
    };
    let made = Made {
        header,
        structure: structure.as_ref(),
        size,
    };
    made.records(&mut text, asked)
}

fn large(mailbox: &Arc<Mailbox>, uid: Uid, text: &[u8], asked: Asked) -> Result<Records, Error> {
    // The header ends with an empty line in front of what was read last.
    let len = header::len(text);
    let header = text.get(..len).filter(|_| len < text.len());
    if let Some(header) = header
        && !asked.lacks.more_than_header()
        && !asked.measure
    {
        let made = Made {
            header,
            structure: None,
            size: None,
        };
        return made.records(&mut &b""[..], asked);
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
    let made = Made {
        header,
        structure: structure.as_deref(),
        size: structure.as_ref().map(|s| s.size.crlf_len),
    };
    made.records(&mut source, asked.measured(made.size))
}

/// What records are made of.
struct Made<'a> {
    header: &'a [u8],
    structure: Option<&'a Structure>,
    size: Option<u64>,
}

impl Made<'_> {
    /// The records by rising column.
    fn records(&self, source: &mut dyn search::Source, asked: Asked) -> Result<Records, Error> {
        let lacks = asked.lacks;
        let size = self.size.or(asked.named);
        let mut records = Records {
            size: self.size,
            ..Records::default()
        };
        if lacks.header {
            let numbers = Numbers {
                size,
                internal: asked.internal,
            };
            let whole = self.header.len() < Limits::DEFAULT.header;
            let fields: Vec<Field<'_>> = header::fields(self.header).collect();
            records.octets.reserve(2 * self.header.len().min(4096));
            records.add(HEAD, |out| {
                head::make(self.header, &fields, whole, numbers, out);
            });
            records.add(ENVELOPE, |out| {
                let envelope = Envelope::of(fields.iter().copied());
                answers::make_envelope(&envelope, size, out);
            });
            records.add(TEXTS, |out| texts::make(&fields, whole, out));
        }
        if let Some(structure) = self.structure {
            if lacks.structure {
                records.add(STRUCTURE, |out| answers::make_structure(structure, out));
            }
            if lacks.preview {
                let preview = preview(structure, source)?;
                records.add(PREVIEW, |out| answers::make_preview(&preview, out));
            }
        }
        Ok(records)
    }
}
