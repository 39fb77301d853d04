//! Canonical Huffman codes (RFC 1951 §3.2.2).

use super::Corrupt;

/// The longest code, in bits.
const LONGEST: usize = 15;
/// Codes up to this long are looked up, longer ones counted out.
const FAST: u32 = 9;

/// One alphabet's codes.
pub struct Huffman {
    /// How many codes there are of each length.
    counts: [u16; LONGEST + 1],
    /// The symbols in the order of their codes.
    symbols: Vec<u16>,
    /// The length of the longest code.
    longest: usize,
    /// By the next [`FAST`] bits: symbol and length, or 0.
    fast: Vec<u16>,
}

/// What the next bits stand for.
pub enum Found {
    /// The symbol and how many bits it took.
    Symbol(u16, u32),
    /// More bits are needed.
    Short,
    /// No code begins so.
    Nothing,
}

impl Huffman {
    /// From the length of each symbol's code. An alphabet of no code may be
    /// incomplete, and of one, where it `may_be_single`: that of the lengths
    /// may not.
    pub fn new(lengths: &[u8], may_be_single: bool) -> Result<Self, Corrupt> {
        let mut counts = [0u16; LONGEST + 1];
        for &len in lengths {
            *counts.get_mut(usize::from(len)).ok_or(Corrupt)? += 1;
        }
        let unused = counts.first().copied().unwrap_or(0);
        let used = lengths.len() - usize::from(unused);
        let mut left = 1i32;
        for &count in counts.iter().skip(1) {
            left = 2 * left - i32::from(count);
            if left < 0 {
                return Err(Corrupt);
            }
        }
        let single = may_be_single && used == 1 && counts.get(1) == Some(&1);
        if left > 0 && used > 0 && !single {
            return Err(Corrupt);
        }
        let mut huffman = Self {
            symbols: sorted(lengths, &counts, used),
            longest: counts
                .iter()
                .skip(1)
                .rposition(|&n| n > 0)
                .map_or(0, |at| at + 1),
            counts,
            fast: vec![0; 1 << FAST],
        };
        huffman.fill();
        Ok(huffman)
    }

    /// Makes the table of short codes.
    fn fill(&mut self) {
        let (mut code, mut at) = (0u32, 0usize);
        for len in 1..=FAST {
            let count = usize::from(self.counts.get(len as usize).copied().unwrap_or(0));
            for &symbol in self.symbols.get(at..at + count).unwrap_or_default() {
                // Codes come with their first bit lowest.
                let first = code.reverse_bits() >> (32 - len);
                let entry = symbol << 4 | len as u16;
                for slot in self.fast.iter_mut().skip(first as usize).step_by(1 << len) {
                    *slot = entry;
                }
                code += 1;
            }
            at += count;
            code <<= 1;
        }
    }

    /// The symbol at the beginning of the `have` bits in `hold`.
    pub fn find(&self, hold: u64, have: u32) -> Found {
        let low = (hold & ((1 << FAST) - 1)) as usize;
        if let Some(&entry) = self.fast.get(low)
            && entry != 0
        {
            let len = u32::from(entry & 15);
            return match len <= have {
                true => Found::Symbol(entry >> 4, len),
                false => Found::Short,
            };
        }
        let (mut code, mut first, mut index) = (0u32, 0u32, 0u32);
        let counts = self.counts.iter().enumerate().take(self.longest + 1);
        for (len, &count) in counts.skip(1) {
            let len = len as u32;
            if len > have {
                return Found::Short;
            }
            code |= (hold >> (len - 1)) as u32 & 1;
            let count = u32::from(count);
            if code < first + count {
                let at = (index + code - first) as usize;
                return match self.symbols.get(at) {
                    Some(&symbol) => Found::Symbol(symbol, len),
                    None => Found::Nothing,
                };
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Found::Nothing
    }
}

/// Symbols by length, then by number.
fn sorted(lengths: &[u8], counts: &[u16], used: usize) -> Vec<u16> {
    let mut next = [0usize; LONGEST + 1];
    let mut at = 0;
    for (slot, &count) in next.iter_mut().zip(counts).skip(1) {
        *slot = at;
        at += usize::from(count);
    }
    let mut symbols = vec![0; used];
    for (symbol, &len) in (0u16..).zip(lengths) {
        if len > 0
            && let Some(place) = next.get_mut(usize::from(len))
        {
            if let Some(slot) = symbols.get_mut(*place) {
                *slot = symbol;
            }
            *place += 1;
        }
    }
    symbols
}
