//! The first record of a message: its sizes and dates, the base subject, and
//! the header fields that are kept, as they go to clients (CRLF line ends, NUL
//! as 0x80), in the order of the message.

use super::names::FieldId;
use roost_message::collate::casemap;
use roost_message::crlf::{self, Nul};
use roost_message::date::{self, SentDate};
use roost_message::decode::decode_header;
use roost_message::header::{self, Field};
use roost_message::subject::base_subject;
use roost_types::UnixTime;

/// Octets of header fields that are kept of one message, and how many fields.
const MAX_FIELDS: usize = 16 * 1024;
const MAX_COUNT: usize = 512;

/// A header of no more octets is kept with all its fields.
const SMALL_HEADER: usize = 1024;

/// Octets of the base subject that are kept: enough to tell subjects apart.
const MAX_SUBJECT: usize = 1024;

/// Pieces of a header that are copied without being put together first.
const MOST_RUNS: usize = 16;

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

/// What a head is made of besides the header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    /// RFC822.SIZE, measured or from the file's name.
    pub size: Option<u64>,
    pub internal: UnixTime,
}

/// Appends the record of a message. `all` are the fields of `header`; `whole`
/// says that it is all of the header, with the empty line if there is one;
/// otherwise nothing is said of its fields.
pub(super) fn make(
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

    /// Calls `each` with the pieces of the block that make up the fields in
    /// `wanted`, neighbours together; goes on while it says so.
    fn each_run(&self, wanted: u64, mut each: impl FnMut(usize, usize) -> bool) -> bool {
        let (mut from, mut start) = (0, 0);
        for entry in self.table.chunks_exact(ENTRY) {
            let &[id, low, high] = entry else {
                continue;
            };
            let end = usize::from(u16::from_le_bytes([low, high]));
            if id >= FieldId::COUNT || wanted & (1 << (id & 63)) == 0 {
                if from < start && !each(from, start) {
                    return false;
                }
                from = end;
            }
            start = end;
        }
        from >= start || each(from, start)
    }

    /// Appends the fields in `wanted` and the empty line, as HEADER.FIELDS
    /// has them; all of them must be known.
    pub fn append_fields(&self, wanted: u64, out: &mut Vec<u8>) {
        self.each_run(wanted, |from, end| {
            out.extend_from_slice(self.block.get(from..end).unwrap_or_default());
            true
        });
        out.extend_from_slice(b"\r\n");
    }

    /// The same as pieces to be copied; `None` if there are too many.
    pub fn runs(&self, wanted: u64) -> Option<Runs<'a>> {
        let mut runs = Runs {
            block: self.block,
            ends: [(0, 0); MOST_RUNS],
            count: 0,
            len: 0,
        };
        let all = self.each_run(wanted, |from, end| {
            let Some(run) = runs.ends.get_mut(runs.count) else {
                return false;
            };
            *run = (from, end);
            runs.count += 1;
            runs.len += end - from;
            end <= self.block.len()
        });
        all.then_some(runs)
    }

    /// Whether all of these fields are known.
    pub fn knows_all(&self, wanted: u64) -> bool {
        self.complete() || self.dropped & wanted == 0
    }
}

/// Pieces of a header, and how long they are together.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    block: &'a [u8],
    ends: [(usize, usize); MOST_RUNS],
    count: usize,
    len: usize,
}

impl Runs<'_> {
    /// Octets, those of the empty line included.
    pub fn octets(&self) -> usize {
        self.len + 2
    }

    /// Appends the pieces and the empty line.
    pub fn append(&self, out: &mut Vec<u8>) {
        for &(from, end) in self.ends.iter().take(self.count) {
            out.extend_from_slice(self.block.get(from..end).unwrap_or_default());
        }
        out.extend_from_slice(b"\r\n");
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use roost_message::filter::{self, Keep};

    fn record(header: &[u8]) -> Vec<u8> {
        let numbers = Numbers {
            size: Some(7),
            internal: UnixTime(5),
        };
        let mut out = Vec::new();
        let fields: Vec<_> = header::fields(header).collect();
        make(header, &fields, true, numbers, &mut out);
        out
    }

    fn values(head: &Head<'_>, name: &[u8]) -> Option<Vec<Vec<u8>>> {
        let values = head.values(FieldId::of(name), name)?;
        Some(values.map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn what_is_kept() {
        let header = b"Subject: Re: =?utf-8?q?=C3=A9t=C3=A9?=\nTo: a\n b\nX-Odd: 1\n\
            Date: Mon, 1 Jan 2024 10:00:00 +0200\nTO: c\r\n\n";
        let record = record(header);
        let head = Head::parse(&record).unwrap();
        assert_eq!((head.size, head.internal), (Some(7), UnixTime(5)));
        assert_eq!(head.sent.unwrap().time, UnixTime(1_704_096_000));
        assert_eq!(head.subject, "E\u{301}TE\u{301}".as_bytes());
        assert!(head.is_reply());
        assert_eq!(values(&head, b"to").unwrap(), [&b" a\r\n b"[..], b" c"]);
        assert_eq!(values(&head, b"x-odd").unwrap(), [b" 1"]);
        assert_eq!(values(&head, b"cc").unwrap(), [b""; 0]);
        let mut out = Vec::new();
        head.append_fields(FieldId::of(b"to").unwrap().bit(), &mut out);
        assert_eq!(out, b"To: a\r\n b\r\nTO: c\r\n\r\n");
        assert!(head.header().unwrap().ends_with(b"\r\nTO: c\r\n"));
    }

    #[test]
    fn what_is_not_kept_is_said_to_be_so() {
        let long = format!("To: {}\nSubject: s\nX-Odd: 1\n\n", "x".repeat(MAX_FIELDS));
        let record = record(long.as_bytes());
        let head = Head::parse(&record).unwrap();
        assert_eq!(values(&head, b"To"), None);
        assert_eq!(values(&head, b"X-Odd"), None);
        assert_eq!(values(&head, b"Subject").unwrap(), [b" s"]);
        assert_eq!(head.header(), None);
        let mut out = Vec::new();
        make(
            b"Subject: s\n",
            &header::fields(b"Subject: s\n").collect::<Vec<_>>(),
            false,
            Numbers {
                size: None,
                internal: UnixTime(0),
            },
            &mut out,
        );
        let head = Head::parse(&out).unwrap();
        assert_eq!(values(&head, b"Subject"), None);
        assert_eq!((head.size, head.subject), (None, &b"S"[..]));
    }

    proptest! {
        #[test]
        fn a_header_that_was_kept_is_the_header(header in "(([A-C]|To|Cc)?:?[x\r\0 \t]{0,3}\r?\n?){0,10}") {
            let header = header.as_bytes();
            let header = &header[..header::len(header)];
            let record = record(header);
            let head = Head::parse(&record).unwrap();
            let mut whole = Vec::new();
            crlf::append(header, Nul::Replace, &mut whole);
            if let Some(kept) = head.header() {
                prop_assert_eq!([kept, b"\r\n"].concat(), whole);
            }
            let names = [b"To".to_vec(), b"CC".to_vec()];
            let (mut filtered, mut fields) = (Vec::new(), Vec::new());
            filter::append(header, &Keep::only(&names), &mut filtered);
            let wanted = names.iter().filter_map(|n| FieldId::of(n)).fold(0, |set, id| set | id.bit());
            prop_assert!(head.knows_all(wanted));
            head.append_fields(wanted, &mut fields);
            prop_assert_eq!(&filtered, &fields);
            if let Some(runs) = head.runs(wanted) {
                fields.clear();
                runs.append(&mut fields);
                prop_assert_eq!(runs.octets(), fields.len());
                prop_assert_eq!(filtered, fields);
            }
        }

        #[test]
        fn any_octets_may_be_parsed(record in prop::collection::vec(any::<u8>(), 0..120)) {
            let mut record = record;
            if let Some(version) = record.first_mut() { *version = VERSION; }
            if let Some(head) = Head::parse(&record) {
                head.append_fields(u64::MAX, &mut Vec::new());
                if let Some(runs) = head.runs(u64::MAX - 1) {
                    let mut out = Vec::new();
                    runs.append(&mut out);
                    prop_assert_eq!(runs.octets(), out.len());
                }
                values(&head, b"To");
            }
        }
    }
}
