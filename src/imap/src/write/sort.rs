//! Responses of SORT and THREAD (RFC 5256 §4, RFC 5267 §3, RFC 9394).

use super::number::runs;
use super::search::{open_esearch, open_partial};
use super::{crlf, data::named_number};
use crate::command::{PartialRange, Tag};
use roost_types::ModSeq;

/// The data of an ESEARCH response to SORT; `None` for what was not asked for.
#[derive(Clone, Debug, Default)]
pub struct Esort<'a> {
    /// The numbers are UIDs.
    pub uid: bool,
    pub min: Option<u32>,
    pub max: Option<u32>,
    pub count: Option<u32>,
    /// Results in their order.
    pub all: Option<&'a [u32]>,
    /// A window and what is in it.
    pub partial: Option<(PartialRange, &'a [u32])>,
    /// The highest of what is told (RFC 7162 §3.1.10).
    pub modseq: Option<ModSeq>,
}

/// Appends `* ESEARCH (TAG "tag") …` with results in the order of SORT.
/// Neighbours that rise by one are written as ranges.
pub fn esort(out: &mut Vec<u8>, tag: &Tag, data: &Esort<'_>) {
    open_esearch(out, tag, data.uid, [data.min, data.max]);
    if let Some(count) = data.count {
        named_number(out, "COUNT", u64::from(count));
    }
    if let Some((range, results)) = data.partial {
        open_partial(out, range);
        match results.is_empty() {
            true => out.extend_from_slice(b"NIL"),
            false => runs(out, results.iter().copied()),
        }
        out.push(b')');
    }
    if let Some(all) = data.all.filter(|all| !all.is_empty()) {
        out.extend_from_slice(b" ALL ");
        runs(out, all.iter().copied());
    }
    if let Some(modseq) = data.modseq {
        named_number(out, "MODSEQ", modseq.0);
    }
    crlf(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order() {
        let mut out = Vec::new();
        let tag = Tag::new(b"E01").unwrap();
        let all = [23765, 23764, 23763, 23761, 5, 6, 7];
        let range = PartialRange {
            first: std::num::NonZeroU32::MIN,
            last: std::num::NonZeroU32::MIN,
            from_end: false,
        };
        let mut data = Esort {
            uid: true,
            all: Some(&all),
            ..Esort::default()
        };
        esort(&mut out, &tag, &data);
        data = Esort {
            min: Some(9),
            max: Some(2),
            count: Some(2),
            partial: Some((range, &[])),
            ..Esort::default()
        };
        esort(&mut out, &tag, &data);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "* ESEARCH (TAG \"E01\") UID ALL 23765,23764,23763,23761,5:7\r\n\
             * ESEARCH (TAG \"E01\") MIN 9 MAX 2 COUNT 2 PARTIAL (1:1 NIL)\r\n"
        );
    }
}
