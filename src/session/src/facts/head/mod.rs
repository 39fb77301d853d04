//! The first record of a message: its sizes and dates, the base subject, and
//! the header fields that are kept, as they go to clients (CRLF line ends, NUL
//! as 0x80), in the order of the message.

mod fields;
mod make;
#[cfg(test)]
mod tests;

pub use fields::KeptFields;
pub(super) use make::{Numbers, make};

use super::names::FieldId;
use roost_message::date::SentDate;
use roost_message::header;
use roost_types::UnixTime;

/// All fields are there, and with an empty line they are the header.
const COMPLETE: u8 = 1;
const HAS_SENT: u8 = 2;
const IS_REPLY: u8 = 4;

const VERSION: u8 = 2;
/// Octets in front of the table.
const FIXED: usize = 50;
/// Octets of an entry of the table: the field and where it ends.
const ENTRY: usize = 3;
/// A field without an id.
const OTHER: u8 = u8::MAX;
const UNKNOWN: u64 = u64::MAX;

/// A record, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    flags: u8,
    pub size: Option<u64>,
    pub internal: UnixTime,
    pub sent: Option<SentDate>,
    present: u64,
    dropped: u64,
    table: &'a [u8],
    pub subject: &'a [u8],
    block: &'a [u8],
}

impl<'a> Head<'a> {
    /// `None` if the record is of another version, or damaged.
    pub fn parse(record: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = record.split_first_chunk::<FIXED>()?;
        let mut input = Input(fixed);
        let [version, flags] = input.take()?;
        if version != VERSION {
            return None;
        }
        let count = usize::from(u16::from_le_bytes(input.take()?));
        let subject = usize::from(u16::from_le_bytes(input.take()?));
        let size = u64::from_le_bytes(input.take()?);
        let internal = i64::from_le_bytes(input.take()?);
        let time = i64::from_le_bytes(input.take()?);
        let day = i32::from_le_bytes(input.take()?);
        let present = u64::from_le_bytes(input.take()?);
        let dropped = u64::from_le_bytes(input.take()?);
        let (table, rest) = rest.split_at_checked(count * ENTRY)?;
        let (subject, block) = rest.split_at_checked(subject)?;
        Some(Self {
            flags,
            size: (size != UNKNOWN).then_some(size),
            internal: UnixTime(internal),
            sent: (flags & HAS_SENT != 0).then_some(SentDate {
                day: i64::from(day),
                time: UnixTime(time),
            }),
            present,
            dropped,
            table,
            subject,
            block,
        })
    }

    pub fn is_reply(&self) -> bool {
        self.flags & IS_REPLY != 0
    }

    fn complete(&self) -> bool {
        self.flags & COMPLETE != 0
    }

    /// The whole header without its empty line, if it was kept.
    pub fn header(&self) -> Option<&'a [u8]> {
        self.complete().then_some(self.block)
    }

    /// Whether all is known of the field, be it that there is none.
    pub fn knows(&self, id: Option<FieldId>) -> bool {
        self.complete() || id.is_some_and(|id| self.dropped & id.bit() == 0)
    }

    /// The raw fields, as they go to clients.
    fn entries(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let block = self.block;
        let mut start = 0;
        self.table.chunks_exact(ENTRY).filter_map(move |entry| {
            let &[id, low, high] = entry else {
                return None;
            };
            let end = usize::from(u16::from_le_bytes([low, high]));
            let raw = block.get(start..end)?;
            start = end;
            Some((id, raw))
        })
    }

    /// The values of all fields of one name, folds included; `None` if they
    /// are not known.
    pub fn values<'n>(
        &self,
        id: Option<FieldId>,
        name: &'n [u8],
    ) -> Option<impl Iterator<Item = &'a [u8]> + use<'a, 'n>> {
        if !self.knows(id) {
            return None;
        }
        let absent = id.is_some_and(|id| self.present & id.bit() == 0);
        let octet = id.map_or(OTHER, FieldId::octet);
        let entries = (!absent).then(|| self.entries()).into_iter().flatten();
        Some(entries.filter_map(move |(found, raw)| {
            let field = (found == octet).then(|| header::fields(raw).next())??;
            (found != OTHER || field.is(name)).then_some(field.value)
        }))
    }

    /// The fields in `wanted`, as HEADER.FIELDS has them, if all of them are
    /// known.
    pub fn fields(&self, wanted: u64) -> Option<KeptFields<'a>> {
        if !self.complete() && self.dropped & wanted != 0 {
            return None;
        }
        // What the message has not need not be looked for.
        KeptFields::new(self.table, self.block, wanted & self.present)
    }
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (now, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*now)
    }
}
