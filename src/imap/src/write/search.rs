//! SEARCH and ESEARCH responses (RFC 3501 §7.2.5, RFC 9051 §7.3.4, RFC 9394).

use super::number::{number, number64, set, space_number};
use super::string::{Dialect, string};
use super::{crlf, data::named_number};
use crate::command::{PartialRange, Tag};
use roost_types::{IdSet, ModSeq};

/// Appends `* SEARCH n n …`.
pub fn search<T>(out: &mut Vec<u8>, ids: impl IntoIterator<Item = T>)
where
    u32: From<T>,
{
    out.extend_from_slice(b"* SEARCH");
    for id in ids {
        space_number(out, u32::from(id));
    }
    crlf(out);
}

/// Appends ` (MODSEQ n)`, which ends the numbers of a SEARCH or SORT response
/// (RFC 7162 §3.1.6).
pub fn search_modseq(out: &mut Vec<u8>, modseq: ModSeq) {
    out.extend_from_slice(b" (MODSEQ ");
    number64(out, modseq.0);
    out.push(b')');
}

/// The data of an ESEARCH response; `None` for what was not asked for.
#[derive(Clone, Debug)]
pub struct Esearch<'a, T> {
    /// The numbers are UIDs.
    pub uid: bool,
    /// Left out, as RFC 4731 §3.1 wants, when nothing matched.
    pub min: Option<u32>,
    pub max: Option<u32>,
    pub all: Option<&'a IdSet<T>>,
    /// A window and what is in it.
    pub partial: Option<(PartialRange, &'a IdSet<T>)>,
    pub count: Option<u32>,
    /// The highest of what is told (RFC 7162 §3.1.10).
    pub modseq: Option<ModSeq>,
}

/// Appends `* ESEARCH (TAG "tag") …`.
pub fn esearch<T>(out: &mut Vec<u8>, tag: &Tag, data: &Esearch<'_, T>)
where
    T: Copy + TryFrom<u32>,
    u32: From<T>,
{
    open_esearch(out, tag, data.uid, [data.min, data.max]);
    if let Some(all) = data.all.filter(|s| !s.is_empty()) {
        out.extend_from_slice(b" ALL ");
        set(out, all);
    }
    if let Some((range, results)) = data.partial {
        open_partial(out, range);
        match results.is_empty() {
            true => out.extend_from_slice(b"NIL"),
            false => set(out, results),
        }
        out.push(b')');
    }
    if let Some(count) = data.count {
        named_number(out, "COUNT", u64::from(count));
    }
    if let Some(modseq) = data.modseq {
        named_number(out, "MODSEQ", modseq.0);
    }
    crlf(out);
}

/// Appends `* ESEARCH (TAG "tag")`, whether UIDs follow, MIN and MAX.
pub(super) fn open_esearch(out: &mut Vec<u8>, tag: &Tag, uid: bool, ends: [Option<u32>; 2]) {
    out.extend_from_slice(b"* ESEARCH (TAG ");
    string(out, tag.as_str().as_bytes(), Dialect::Ascii);
    out.push(b')');
    if uid {
        out.extend_from_slice(b" UID");
    }
    for (name, value) in ["MIN", "MAX"].into_iter().zip(ends) {
        if let Some(value) = value {
            named_number(out, name, u64::from(value));
        }
    }
}

/// Appends ` PARTIAL (range `; the results and a parenthesis follow.
pub(super) fn open_partial(out: &mut Vec<u8>, range: PartialRange) {
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
    use roost_types::{SeqNum, SeqSet};

    #[test]
    fn responses_of_the_rfc() {
        let mut out = Vec::new();
        search(&mut out, [2u32, 84, 882]);
        search(&mut out, [0u32; 0]);
        let tag = Tag::new(b"A282").unwrap();
        let all: SeqSet = [2, 10, 11].into_iter().filter_map(SeqNum::new).collect();
        let mut data = Esearch {
            uid: false,
            min: Some(2),
            max: Some(11),
            all: Some(&all),
            partial: None,
            count: Some(3),
            modseq: Some(ModSeq(1236)),
        };
        esearch(&mut out, &tag, &data);
        let none = SeqSet::new();
        data = Esearch {
            uid: true,
            min: None,
            max: None,
            all: Some(&none),
            partial: None,
            count: Some(0),
            modseq: None,
        };
        esearch(&mut out, &tag, &data);
        let places = |first, last, from_end| PartialRange {
            first: std::num::NonZeroU32::new(first).unwrap(),
            last: std::num::NonZeroU32::new(last).unwrap(),
            from_end,
        };
        (data.all, data.count) = (None, None);
        data.partial = Some((places(1, 100, true), &all));
        esearch(&mut out, &tag, &data);
        data.partial = Some((places(24000, 24500, false), &none));
        esearch(&mut out, &tag, &data);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "* SEARCH 2 84 882\r\n* SEARCH\r\n\
             * ESEARCH (TAG \"A282\") MIN 2 MAX 11 ALL 2,10:11 COUNT 3 MODSEQ 1236\r\n\
             * ESEARCH (TAG \"A282\") UID COUNT 0\r\n\
             * ESEARCH (TAG \"A282\") UID PARTIAL (-1:-100 2,10:11)\r\n\
             * ESEARCH (TAG \"A282\") UID PARTIAL (24000:24500 NIL)\r\n"
        );
    }
}
