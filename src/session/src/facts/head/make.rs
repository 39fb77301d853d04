//! Making the first record of a message out of its header.

use super::{COMPLETE, ENTRY, HAS_SENT, IS_REPLY, OTHER, UNKNOWN, VERSION};
use crate::facts::names::FieldId;
use roost_message::collate::casemap;
use roost_message::crlf::{self, Nul};
use roost_message::date;
use roost_message::decode::decode_header;
use roost_message::header::Field;
use roost_message::subject::base_subject;
use roost_types::UnixTime;

/// Octets of header fields that are kept of one message, and how many fields.
pub(super) const MAX_FIELDS: usize = 16 * 1024;
const MAX_COUNT: usize = 512;

/// A header of no more octets is kept with all its fields.
const SMALL_HEADER: usize = 1024;

/// Octets of the base subject that are kept: enough to tell subjects apart.
const MAX_SUBJECT: usize = 1024;

/// What a head is made of besides the header.
#[derive(Clone, Copy, Debug)]
pub(in crate::facts) struct Numbers {
    /// RFC822.SIZE, measured or from the file's name.
    pub size: Option<u64>,
    pub internal: UnixTime,
}

/// Appends the record of a message. `all` are the fields of `header`; `whole`
/// says that it is all of the header, with the empty line if there is one;
/// otherwise nothing is said of its fields.
pub(in crate::facts) fn make(
    header: &[u8],
    all: &[Field<'_>],
    whole: bool,
    numbers: Numbers,
    out: &mut Vec<u8>,
) {
    let mut fields = Fields::default();
    match whole {
        true => fields.collect(header, all),
        false => fields.dropped = u64::MAX,
    }
    let mut flags = if fields.complete { COMPLETE } else { 0 };
    let find = |name: &[u8]| all.iter().find(|f| f.is(name)).map(|f| f.value);
    let sent = find(b"Date").and_then(date::parse);
    let (day, time) = sent.map_or((0, 0), |sent| (sent.day, sent.time.0));
    if sent.is_some() {
        flags |= HAS_SENT;
    }
    let (subject, is_reply) = subject(find(b"Subject"));
    if is_reply {
        flags |= IS_REPLY;
    }
    out.extend_from_slice(&[VERSION, flags]);
    out.extend_from_slice(&((fields.table.len() / ENTRY) as u16).to_le_bytes());
    out.extend_from_slice(&(subject.len() as u16).to_le_bytes());
    out.extend_from_slice(&numbers.size.unwrap_or(UNKNOWN).to_le_bytes());
    out.extend_from_slice(&numbers.internal.0.to_le_bytes());
    out.extend_from_slice(&time.to_le_bytes());
    out.extend_from_slice(&i32::try_from(day).unwrap_or(i32::MAX).to_le_bytes());
    out.extend_from_slice(&fields.present.to_le_bytes());
    out.extend_from_slice(&fields.dropped.to_le_bytes());
    out.extend_from_slice(&fields.table);
    out.extend_from_slice(&subject);
    out.extend_from_slice(&fields.block);
}

/// The base subject as SORT compares it.
fn subject(value: Option<&[u8]>) -> (Vec<u8>, bool) {
    let mut mapped = Vec::new();
    let Some(value) = value else {
        return (mapped, false);
    };
    let base = base_subject(&decode_header(value));
    casemap(&base.text, &mut mapped);
    mapped.truncate(MAX_SUBJECT);
    (mapped, base.is_reply)
}

#[derive(Default)]
struct Fields {
    table: Vec<u8>,
    block: Vec<u8>,
    present: u64,
    /// There, but not kept.
    dropped: u64,
    complete: bool,
}

impl Fields {
    fn collect(&mut self, header: &[u8], fields: &[Field<'_>]) {
        let all = header.len() <= SMALL_HEADER;
        self.complete = all;
        self.block.reserve(header.len().min(2 * SMALL_HEADER));
        self.table.reserve(ENTRY * fields.len().min(MAX_COUNT));
        let mut read = 0;
        for field in fields {
            read += field.raw.len();
            match FieldId::of(field.name) {
                Some(id) => {
                    self.present |= id.bit();
                    if !self.keep(id.octet(), field.raw) {
                        self.dropped |= id.bit();
                        self.complete = false;
                    }
                }
                None if all => self.complete &= self.keep(OTHER, field.raw),
                None => {}
            }
            self.complete &= field.raw.ends_with(b"\n");
        }
        let end = header.get(read..).unwrap_or_default();
        self.complete &= matches!(end, b"\n" | b"\r\n");
    }

    fn keep(&mut self, id: u8, raw: &[u8]) -> bool {
        let before = self.block.len();
        if before + raw.len() > MAX_FIELDS || self.table.len() >= MAX_COUNT * ENTRY {
            return false;
        }
        crlf::append(raw, Nul::Replace, &mut self.block);
        if !raw.ends_with(b"\n") {
            self.block.extend_from_slice(b"\r\n");
        }
        // Line ends may have doubled a field that is nothing else.
        if self.block.len() > MAX_FIELDS {
            self.block.truncate(before);
            return false;
        }
        self.table.push(id);
        self.table
            .extend_from_slice(&(self.block.len() as u16).to_le_bytes());
        true
    }
}
