//! Names of message files: `<base>:2,<flags>[,<other fields>]`
//! (MAILDIR-FORMATS §2.1, §2.2, §3.5).
//!
//! The base name is the message's identity in every sidecar, so it is never
//! changed; letters that are not ours and whatever follows a second comma
//! survive every rewriting.

mod unique;

pub use unique::{host, unique, with_sizes};

use super::lines::number;
use roost_types::SystemFlags;
use std::cmp::Ordering;

/// The longest name a file system takes, in octets.
pub const MAX_NAME: usize = 255;

/// Letters of the system flags. `P` (passed) is none of IMAP's and kept like
/// any unknown letter.
const FLAG_LETTERS: [(u8, SystemFlags); 5] = [
    (b'D', SystemFlags::DRAFT),
    (b'F', SystemFlags::FLAGGED),
    (b'R', SystemFlags::ANSWERED),
    (b'S', SystemFlags::SEEN),
    (b'T', SystemFlags::DELETED),
];

/// Keyword letters `a` to `z` as bits 0 to 25.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Letters(u32);

impl Letters {
    pub const NONE: Self = Self(0);

    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & ((1 << 26) - 1))
    }

    pub const fn bits(self) -> u32 {
        self.0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, index: u8) -> bool {
        index < 26 && self.0 & 1 << index != 0
    }

    /// Indexes from 26 on are not letters and are left out.
    pub fn insert(&mut self, index: u8) {
        if index < 26 {
            self.0 |= 1 << index;
        }
    }

    pub fn remove(&mut self, index: u8) {
        if index < 26 {
            self.0 &= !(1 << index);
        }
    }

    /// The indexes in rising order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..26).filter(move |&i| self.contains(i))
    }
}

/// A message file's name taken apart; borrows, allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileName<'a> {
    base: &'a [u8],
    /// Behind the first `:`.
    info: &'a [u8],
}

impl<'a> FileName<'a> {
    pub fn parse(name: &'a [u8]) -> Self {
        let (base, info) = super::lines::split_once(name, b':').unwrap_or((name, &[]));
        Self { base, info }
    }

    /// Up to the first `:`, `,S=` and `,W=` included: the key of the UID.
    pub fn base(self) -> &'a [u8] {
        self.base
    }

    /// Flags and keyword letters; none unless the info part begins with `2,`.
    pub fn flags(self) -> (SystemFlags, Letters) {
        let mut flags = SystemFlags::NONE;
        let mut letters = Letters::NONE;
        for &b in self.flag_letters() {
            match b {
                b'a'..=b'z' => letters.insert(b - b'a'),
                _ => flags.insert(system_flag(b)),
            }
        }
        (flags, letters)
    }

    /// `,S=`: the size of the (uncompressed) file in octets.
    pub fn size(self) -> Option<u64> {
        field(self.base, b'S')
    }

    /// `,W=`: the size with every line end as CRLF.
    pub fn virtual_size(self) -> Option<u64> {
        field(self.base, b'W')
    }

    /// What stands between `2,` and the next comma.
    fn flag_letters(self) -> &'a [u8] {
        let all = self.info.strip_prefix(b"2,").unwrap_or_default();
        let end = memchr::memchr(b',', all).unwrap_or(all.len());
        all.get(..end).unwrap_or_default()
    }

    /// From the comma behind the flags on.
    fn other_fields(self) -> &'a [u8] {
        let all = self.info.strip_prefix(b"2,").unwrap_or_default();
        all.get(self.flag_letters().len()..).unwrap_or_default()
    }
}

fn system_flag(letter: u8) -> SystemFlags {
    let known = FLAG_LETTERS.iter().find(|(l, _)| *l == letter);
    known.map_or(SystemFlags::NONE, |&(_, flag)| flag)
}

/// The first `,<key>=` that is followed by digits and then a comma or the end.
fn field(base: &[u8], key: u8) -> Option<u64> {
    let fields = base.split(|&b| b == b',').skip(1);
    fields
        .filter_map(|f| f.strip_prefix(&[key, b'=']))
        .find_map(number)
}

/// False for entries of `cur` and `new` that are no messages whatever they
/// hold: names that begin with a dot or hold CR or LF, and the empty base.
pub fn is_message_name(name: &[u8]) -> bool {
    !matches!(name.first(), None | Some(b'.' | b':'))
        && memchr::memchr2(b'\r', b'\n', name).is_none()
}

/// Puts `name` with its flags replaced behind `out`: `<base>:2,<letters>`
/// with unknown letters and what follows a second comma kept, letters in ASCII
/// order.
pub fn write_with_flags(out: &mut Vec<u8>, name: &[u8], flags: SystemFlags, letters: Letters) {
    let name = FileName::parse(name);
    out.extend_from_slice(name.base);
    out.extend_from_slice(b":2,");
    let start = out.len();
    let known = FLAG_LETTERS.iter().filter(|(_, f)| flags.contains(*f));
    out.extend(known.map(|&(letter, _)| letter));
    out.extend(letters.iter().map(|i| b'a' + i));
    for &b in name.flag_letters() {
        let ours = b.is_ascii_lowercase() || !system_flag(b).is_empty();
        if !ours && !out.get(start..).unwrap_or_default().contains(&b) {
            out.push(b);
        }
    }
    out.get_mut(start..).unwrap_or_default().sort_unstable();
    out.extend_from_slice(name.other_fields());
}

/// The order in which new messages get their UIDs: leading seconds, then
/// `M<usecs>`, then the base name's bytes.
pub fn delivery_order(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (FileName::parse(a).base, FileName::parse(b).base);
    let (a_secs, a_rest) = leading_number(a);
    let (b_secs, b_rest) = leading_number(b);
    (a_secs.cmp(&b_secs))
        .then_with(|| microseconds(a_rest).cmp(&microseconds(b_rest)))
        .then_with(|| a.cmp(b))
}

/// The number at the start, as large as can be held, and what follows.
fn leading_number(text: &[u8]) -> (u64, &[u8]) {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits).unwrap_or((text, &[]));
    let value = digits.iter().fold(0u64, |n, b| {
        n.saturating_mul(10).saturating_add(u64::from(b - b'0'))
    });
    (value, rest)
}

/// The number in `.M<number>` right behind the seconds, 0 without one.
fn microseconds(rest: &[u8]) -> u64 {
    rest.strip_prefix(b".M")
        .map_or(0, |rest| leading_number(rest).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flags(name: &str) -> (SystemFlags, Vec<u8>) {
        let (flags, letters) = FileName::parse(name.as_bytes()).flags();
        (flags, letters.iter().collect())
    }

    fn rewritten(name: &str, flags: SystemFlags, letters: u32) -> String {
        let mut out = Vec::new();
        write_with_flags(
            &mut out,
            name.as_bytes(),
            flags,
            Letters::from_bits(letters),
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_of_dovecot_and_courier() {
        let name = FileName::parse(b"1795324060.M518386P31669.vm,S=28,W=32:2,FSab");
        assert_eq!(name.base(), b"1795324060.M518386P31669.vm,S=28,W=32");
        assert_eq!((name.size(), name.virtual_size()), (Some(28), Some(32)));
        let (f, letters) = name.flags();
        assert_eq!(f, SystemFlags::FLAGGED | SystemFlags::SEEN);
        assert_eq!(letters.bits(), 3);

        let courier = b"1795324101.M541215P15618V000000000000FE00I00000000009E84CA_0.vm,S=28";
        let name = FileName::parse(courier);
        assert_eq!((name.size(), name.virtual_size()), (Some(28), None));
        assert_eq!(name.base(), courier);
    }

    #[test]
    fn sizes_count_only_when_whole() {
        let size = |name: &str| FileName::parse(name.as_bytes()).size();
        assert_eq!(size("a,S=12x,S=7"), Some(7));
        assert_eq!(size("a,S=,W=3"), None);
        assert_eq!(size("a,ZS=3"), None);
        assert_eq!(size("S=3"), None, "no field without its comma");
        assert_eq!(size("a:2,S,S=3"), None, "the info part has no sizes");
        assert_eq!(size("a,S=99999999999999999999"), None);
    }

    #[test]
    fn only_info_two_has_flags() {
        assert_eq!(flags("a:1,S"), (SystemFlags::NONE, vec![]));
        assert_eq!(flags("a:2"), (SystemFlags::NONE, vec![]));
        assert_eq!(flags("a"), (SystemFlags::NONE, vec![]));
        assert_eq!(flags("a:2,,S"), (SystemFlags::NONE, vec![]));
        assert_eq!(flags("a:2,DFPRSTz:2,").0, SystemFlags::ALL);
        assert_eq!(flags("a:2,z").1, [25]);
    }

    #[test]
    fn unknown_letters_and_fields_survive() {
        let seen = SystemFlags::SEEN;
        assert_eq!(rewritten("a", SystemFlags::NONE, 0), "a:2,");
        assert_eq!(rewritten("a:2,FPQ~,x=1,y", seen, 5), "a:2,PQSac~,x=1,y");
        assert_eq!(rewritten("a:2,PPab", SystemFlags::ALL, 0), "a:2,DFPRST");
        assert_eq!(rewritten("a:1,S", seen, 0), "a:2,S");
        assert_eq!(rewritten("a:2,1", seen, 0), "a:2,1S");
    }

    #[test]
    fn what_is_no_message() {
        for bad in ["", ".nfs01", ":2,S", "a\rb", "a\nb"] {
            assert!(!is_message_name(bad.as_bytes()), "{bad:?}");
        }
        assert!(is_message_name(b"msg.5"));
    }

    #[test]
    fn uids_follow_seconds_then_microseconds_then_bytes() {
        let mut names = [
            "1000.M1000P1.h",
            "999.M5P1.h",
            "1000.M999P2.h",
            "1000.M999P1.h:2,S",
            "1000.x",
            "msg.5",
        ];
        names.sort_by(|a, b| delivery_order(a.as_bytes(), b.as_bytes()));
        let expected = [
            "msg.5",
            "999.M5P1.h",
            "1000.x",
            "1000.M999P1.h:2,S",
            "1000.M999P2.h",
            "1000.M1000P1.h",
        ];
        assert_eq!(names, expected);
    }

    proptest! {
        #[test]
        fn flags_written_are_flags_read(
            name in "[a-z0-9.,=]{1,12}(:[0-9a-zA-Z~,]{0,9})?",
            bits in 0u8..32,
            letters in 0u32..1 << 26,
        ) {
            let (bits, letters) = (SystemFlags::from_bits(bits), Letters::from_bits(letters));
            let mut out = Vec::new();
            write_with_flags(&mut out, name.as_bytes(), bits, letters);
            let new = FileName::parse(&out);
            prop_assert_eq!(new.flags(), (bits, letters));
            let old = FileName::parse(name.as_bytes());
            prop_assert_eq!(new.base(), old.base());
            prop_assert_eq!(new.other_fields(), old.other_fields());
            let mut sorted = new.flag_letters().to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(&sorted, new.flag_letters());
            for b in old.flag_letters() {
                if b"PQXYZ0123~".contains(b) {
                    prop_assert!(sorted.contains(b));
                }
            }
            let mut twice = Vec::new();
            write_with_flags(&mut twice, &out, bits, letters);
            prop_assert_eq!(twice, out);
        }

        #[test]
        fn delivery_order_is_an_order(
            a in "[0-9M.]{0,6}", b in "[0-9M.]{0,6}", c in "[0-9M.]{0,6}"
        ) {
            let order = |x: &str, y: &str| delivery_order(x.as_bytes(), y.as_bytes());
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le());
            }
            prop_assert_eq!(order(&a, &b).is_eq(), a == b);
        }
    }
}
