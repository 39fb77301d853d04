//! Responses of SEARCH, SORT and THREAD (RFC 3501 §7.2.5, RFC 9051 §7.3.4,
//! RFC 5256 §4, RFC 5267 §3, RFC 9394), in pieces: a large mailbox makes
//! megabytes of numbers.

use super::number::{number, number64, range, space_number};
use super::string::{Dialect, string};
use super::{crlf, data::named_number};
use crate::command::{PartialRange, Tag};
use roost_types::ModSeq;

/// Numbers in the order in which they are told, neighbours that rise by one as
/// ranges.
pub type Runs = Vec<(u32, u32)>;

/// Appends ` (MODSEQ n)`, which ends the numbers of a SEARCH or SORT response
/// (RFC 7162 §3.1.6).
fn search_modseq(out: &mut Vec<u8>, modseq: ModSeq) {
    out.extend_from_slice(b" (MODSEQ ");
    number64(out, modseq.0);
    out.push(b')');
}

/// A response of IMAP4rev1 on its way to the client: `* SEARCH n n …` or
/// `* SORT n n …`.
pub struct Numbers {
    head: &'static [u8],
    runs: std::vec::IntoIter<(u32, u32)>,
    rest: Option<(u32, u32)>,
    modseq: Option<ModSeq>,
    open: bool,
}

impl Numbers {
    /// `head` is the response's name with its asterisk; `modseq` the highest
    /// of the messages, if that is to be told.
    pub fn new(head: &'static [u8], runs: Runs, modseq: Option<ModSeq>) -> Self {
        Self {
            head,
            runs: runs.into_iter(),
            rest: None,
            modseq,
            open: false,
        }
    }

    /// The response has been begun and not ended.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Appends until about `most` octets are added; true when all is written.
    pub fn write(&mut self, out: &mut Vec<u8>, most: usize) -> bool {
        let start = out.len();
        if !std::mem::replace(&mut self.open, true) {
            out.extend_from_slice(self.head);
        }
        while let Some((first, last)) = self.rest.take().or_else(|| self.runs.next()) {
            space_number(out, first);
            if first < last {
                self.rest = Some((first + 1, last));
            }
            if out.len() - start >= most {
                return false;
            }
        }
        if let Some(modseq) = self.modseq {
            search_modseq(out, modseq);
        }
        crlf(out);
        self.open = false;
        true
    }
}

/// The data of an ESEARCH response; `None` for what was not asked for.
#[derive(Clone, Debug, Default)]
pub struct EsearchData {
    /// The numbers are UIDs.
    pub uid: bool,
    /// Left out, as RFC 4731 §3.1 wants, when nothing matched.
    pub min: Option<u32>,
    pub max: Option<u32>,
    pub all: Option<Runs>,
    /// A window and what is in it.
    pub partial: Option<(PartialRange, Runs)>,
    pub count: Option<u64>,
    /// The highest of what is told (RFC 7162 §3.1.10).
    pub modseq: Option<ModSeq>,
}

/// An ESEARCH response on its way to the client, of SEARCH or of SORT.
pub struct Esearch {
    tag: Tag,
    data: EsearchData,
    /// ALL and PARTIAL, the present one first.
    lists: Vec<List>,
    open: bool,
}

struct List {
    /// `None`: ALL.
    window: Option<PartialRange>,
    runs: std::vec::IntoIter<(u32, u32)>,
    begun: bool,
}

impl Esearch {
    pub fn new(tag: Tag, mut data: EsearchData) -> Self {
        let all = data.all.take().filter(|all| !all.is_empty());
        let all = all.map(|runs| (None, runs));
        let partial = data.partial.take();
        let partial = partial.map(|(window, runs)| (Some(window), runs));
        let lists = [all, partial].into_iter().flatten();
        let lists = lists.map(|(window, runs)| List {
            window,
            runs: runs.into_iter(),
            begun: false,
        });
        Self {
            tag,
            data,
            lists: lists.collect(),
            open: false,
        }
    }

    /// The response has been begun and not ended.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Appends until about `most` octets are added; true when all is written.
    pub fn write(&mut self, out: &mut Vec<u8>, most: usize) -> bool {
        let end = out.len().saturating_add(most);
        if !std::mem::replace(&mut self.open, true) {
            self.write_head(out);
        }
        while let Some(list) = self.lists.first_mut() {
            if !list.write(out, end) {
                return false;
            }
            self.lists.remove(0);
        }
        let Self { data, .. } = self;
        if let Some(count) = data.count {
            named_number(out, "COUNT", count);
        }
        if let Some(modseq) = data.modseq {
            named_number(out, "MODSEQ", modseq.0);
        }
        crlf(out);
        self.open = false;
        true
    }

    /// Appends `* ESEARCH (TAG "tag")`, whether UIDs follow, MIN and MAX.
    fn write_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"* ESEARCH (TAG ");
        string(out, self.tag.as_str().as_bytes(), Dialect::Ascii);
        out.push(b')');
        if self.data.uid {
            out.extend_from_slice(b" UID");
        }
        for (name, value) in [("MIN", self.data.min), ("MAX", self.data.max)] {
            if let Some(value) = value {
                named_number(out, name, u64::from(value));
            }
        }
    }
}

impl List {
    fn write(&mut self, out: &mut Vec<u8>, end: usize) -> bool {
        if !self.begun {
            match self.window {
                None => out.extend_from_slice(b" ALL "),
                Some(window) => open_partial(out, window),
            }
        }
        for (first, last) in self.runs.by_ref() {
            if std::mem::replace(&mut self.begun, true) {
                out.push(b',');
            }
            range(out, first, last);
            if out.len() >= end {
                return false;
            }
        }
        if self.window.is_some() {
            out.extend_from_slice(match self.begun {
                true => b")",
                false => b"NIL)",
            });
        }
        true
    }
}

/// Appends ` PARTIAL (range `; the results and a parenthesis follow.
fn open_partial(out: &mut Vec<u8>, range: PartialRange) {
    let minus: &[u8] = if range.from_end { b"-" } else { b"" };
    out.extend_from_slice(b" PARTIAL (");
    out.extend_from_slice(minus);
    number(out, range.first.get());
    out.push(b':');
    out.extend_from_slice(minus);
    number(out, range.last.get());
    out.push(b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written in pieces of about `most` octets.
    fn esearch(data: EsearchData, most: usize) -> String {
        let mut response = Esearch::new(Tag::new(b"A282").unwrap(), data);
        let mut out = Vec::new();
        let (mut done, mut before) = (false, 0);
        while !done {
            done = response.write(&mut out, most);
            assert!(response.is_open() != done);
            assert!(most > 100 || done || out.len() - before < most + 80);
            before = out.len();
        }
        String::from_utf8(out).unwrap()
    }

    fn places(first: u32, last: u32, from_end: bool) -> PartialRange {
        PartialRange {
            first: std::num::NonZeroU32::new(first).unwrap(),
            last: std::num::NonZeroU32::new(last).unwrap(),
            from_end,
        }
    }

    #[test]
    fn plain_responses() {
        let text = |head, runs: &[(u32, u32)], modseq, most| {
            let mut out = Vec::new();
            let mut numbers = Numbers::new(head, runs.to_vec(), modseq);
            while !numbers.write(&mut out, most) {}
            String::from_utf8(out).unwrap()
        };
        for most in [1, 5, 1000] {
            let got = text(b"* SEARCH", &[(2, 4), (882, 882)], None, most);
            assert_eq!(got, "* SEARCH 2 3 4 882\r\n");
            let got = text(b"* SORT", &[(9, 9), (2, 3)], Some(ModSeq(7)), most);
            assert_eq!(got, "* SORT 9 2 3 (MODSEQ 7)\r\n");
        }
        assert_eq!(text(b"* SEARCH", &[], None, 9), "* SEARCH\r\n");
    }

    #[test]
    fn responses_of_the_rfc() {
        let runs = vec![(2, 2), (10, 11)];
        for most in [1, 7, 1000] {
            let data = EsearchData {
                min: Some(2),
                max: Some(11),
                all: Some(runs.clone()),
                count: Some(3),
                modseq: Some(ModSeq(1236)),
                ..EsearchData::default()
            };
            assert_eq!(
                esearch(data, most),
                "* ESEARCH (TAG \"A282\") MIN 2 MAX 11 ALL 2,10:11 COUNT 3 MODSEQ 1236\r\n"
            );
            let data = EsearchData {
                uid: true,
                all: Some(Runs::new()),
                count: Some(0),
                ..EsearchData::default()
            };
            assert_eq!(
                esearch(data, most),
                "* ESEARCH (TAG \"A282\") UID COUNT 0\r\n"
            );
            let data = EsearchData {
                all: Some(vec![(9, 9), (5, 7)]),
                partial: Some((places(1, 100, true), runs.clone())),
                ..EsearchData::default()
            };
            assert_eq!(
                esearch(data, most),
                "* ESEARCH (TAG \"A282\") ALL 9,5:7 PARTIAL (-1:-100 2,10:11)\r\n"
            );
            let data = EsearchData {
                partial: Some((places(24000, 24500, false), Runs::new())),
                ..EsearchData::default()
            };
            assert_eq!(
                esearch(data, most),
                "* ESEARCH (TAG \"A282\") PARTIAL (24000:24500 NIL)\r\n"
            );
        }
    }
}
