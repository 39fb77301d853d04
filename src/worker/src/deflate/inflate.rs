//! A decoder of raw DEFLATE that can be put to rest.
//!
//! flate2's holds 49 KiB for each connection, and can only be dropped and
//! begun anew where the client's last octets end a block, which many flushes
//! do not do. This one holds the octets that the client may refer back to, as
//! many as there have been, and between blocks nothing else.

use super::huffman::{Found, Huffman};
use std::sync::{Arc, LazyLock};

/// How far back a client may refer.
const WINDOW: usize = 32 << 10;
/// Octets decoded at a time.
pub const STEP: usize = 32 << 10;
/// Bits that the longest match takes: two codes and what follows them.
const MATCH_BITS: u32 = 15 + 5 + 15 + 13;

/// The client's octets are not DEFLATE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid compressed data")]
pub struct Corrupt;

/// What the client sends.
#[derive(Default)]
pub struct Inflate {
    /// What came last, then what was decoded in this step.
    history: Vec<u8>,
    /// Where this step's octets begin.
    fresh: usize,
    /// Bits taken from the input and not used yet, the next one lowest.
    hold: u64,
    bits: u32,
    /// The block under way is the last one.
    last: bool,
    state: State,
}

#[derive(Default)]
enum State {
    /// Between blocks.
    #[default]
    Header,
    StoredLength,
    Stored(usize),
    TableSizes,
    Tables(Box<Tables>),
    Codes(Arc<Codes>),
    End,
}

/// The code lengths of a dynamic block, as far as they have come.
struct Tables {
    literals: usize,
    /// Code lengths of both alphabets.
    total: usize,
    /// Lengths of the codes for code lengths, still to come.
    own_left: usize,
    own: [u8; 19],
    code: Option<Huffman>,
    lengths: Vec<u8>,
}

struct Codes {
    literals: Huffman,
    distances: Huffman,
}

/// Why decoding stops for now.
enum Halt {
    /// More input is needed.
    Input,
    Corrupt,
}

impl From<Corrupt> for Halt {
    fn from(_: Corrupt) -> Self {
        Self::Corrupt
    }
}

impl Inflate {
    /// Decodes from `input` until there are [`STEP`] octets or all is used;
    /// returns how much of `input` it took. What came of it is in
    /// [`Inflate::fresh`] until the next call. When that is nothing, all input
    /// was taken.
    pub fn step(&mut self, input: &[u8]) -> Result<usize, Corrupt> {
        let excess = self.history.len().saturating_sub(WINDOW);
        if excess >= WINDOW {
            self.history.drain(..excess);
        }
        self.fresh = self.history.len();
        let mut source = Source { input, at: 0 };
        while self.fresh().len() < STEP {
            match self.advance(&mut source) {
                Ok(()) => {}
                Err(Halt::Input) => break,
                Err(Halt::Corrupt) => return Err(Corrupt),
            }
        }
        Ok(source.at)
    }

    /// What the last step decoded.
    pub fn fresh(&self) -> &[u8] {
        self.history.get(self.fresh..).unwrap_or_default()
    }

    /// The client has ended its stream: what it sends now means nothing.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::End)
    }

    /// Gives back all memory but the window.
    pub fn rest(&mut self) {
        let excess = self.history.len().saturating_sub(WINDOW);
        self.history.drain(..excess);
        self.history.shrink_to_fit();
        self.fresh = self.history.len();
    }

    /// Octets of memory held for what came before.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.history.capacity()
    }

    /// Takes the next part of the stream.
    fn advance(&mut self, source: &mut Source<'_>) -> Result<(), Halt> {
        self.state = match std::mem::take(&mut self.state) {
            State::Header => self.header(source)?,
            State::StoredLength => self.stored_length(source)?,
            State::Stored(left) => self.stored(left, source)?,
            State::TableSizes => self.table_sizes(source)?,
            State::Tables(mut tables) => match self.tables(&mut tables, source) {
                Ok(state) => state,
                Err(halt) => {
                    self.state = State::Tables(tables);
                    return Err(halt);
                }
            },
            State::Codes(codes) => match self.codes(&codes, source) {
                Ok(true) => self.block_end(),
                Ok(false) => State::Codes(codes),
                Err(halt) => {
                    self.state = State::Codes(codes);
                    return Err(halt);
                }
            },
            State::End => {
                source.at = source.input.len();
                self.state = State::End;
                return Err(Halt::Input);
            }
        };
        Ok(())
    }

    fn block_end(&self) -> State {
        match self.last {
            true => State::End,
            false => State::Header,
        }
    }

    fn header(&mut self, source: &mut Source<'_>) -> Result<State, Halt> {
        let header = self.take(3, source)?;
        self.last = header & 1 == 1;
        match header >> 1 {
            0 => Ok(State::StoredLength),
            1 => Codes::fixed().map(State::Codes).ok_or(Halt::Corrupt),
            2 => Ok(State::TableSizes),
            _ => Err(Halt::Corrupt),
        }
    }

    fn stored_length(&mut self, source: &mut Source<'_>) -> Result<State, Halt> {
        // Dropping them twice drops nothing.
        let odd = self.bits % 8;
        self.drop(odd);
        if let Err(halt) = self.need(32, source) {
            self.state = State::StoredLength;
            return Err(halt);
        }
        let len = self.take(16, source)?;
        let check = self.take(16, source)?;
        if len != !check & 0xffff {
            return Err(Halt::Corrupt);
        }
        Ok(State::Stored(len as usize))
    }

    fn stored(&mut self, mut left: usize, source: &mut Source<'_>) -> Result<State, Halt> {
        while left > 0 && self.bits >= 8 {
            let octet = self.take(8, source)?;
            self.history.push(octet as u8);
            left -= 1;
        }
        let room = STEP.saturating_sub(self.fresh().len());
        let piece = source.some(left.min(room));
        self.history.extend_from_slice(piece);
        left -= piece.len();
        if left == 0 {
            return Ok(self.block_end());
        }
        if source.is_empty() {
            self.state = State::Stored(left);
            return Err(Halt::Input);
        }
        Ok(State::Stored(left))
    }

    /// `HLIT`, `HDIST` and `HCLEN` (RFC 1951 §3.2.7).
    fn table_sizes(&mut self, source: &mut Source<'_>) -> Result<State, Halt> {
        if let Err(halt) = self.need(14, source) {
            self.state = State::TableSizes;
            return Err(halt);
        }
        let literals = self.take(5, source)? as usize + 257;
        let distances = self.take(5, source)? as usize + 1;
        let own = self.take(4, source)? as usize + 4;
        if literals > 286 || distances > 30 {
            return Err(Halt::Corrupt);
        }
        Ok(State::Tables(Box::new(Tables {
            literals,
            total: literals + distances,
            own_left: own,
            own: [0; 19],
            code: None,
            lengths: Vec::with_capacity(literals + distances),
        })))
    }

    fn tables(&mut self, tables: &mut Tables, source: &mut Source<'_>) -> Result<State, Halt> {
        const ORDER: [u8; 19] = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        if tables.code.is_none() {
            // They were counted down from where they end in the order.
            while tables.own_left > 0 {
                let length = self.take(3, source)?;
                let at = tables.lengths.len();
                if let Some(slot) = ORDER
                    .get(at)
                    .and_then(|&symbol| tables.own.get_mut(usize::from(symbol)))
                {
                    *slot = length as u8;
                }
                // Counts them; emptied below.
                tables.lengths.push(0);
                tables.own_left -= 1;
            }
            tables.lengths.clear();
            tables.code = Some(Huffman::new(&tables.own, false)?);
        }
        let Some(code) = &tables.code else {
            return Err(Halt::Corrupt);
        };
        while tables.lengths.len() < tables.total {
            // At most 7 bits of a code and 7 behind it.
            self.fill(source);
            let (symbol, taken) = match code.find(self.hold, self.bits) {
                Found::Symbol(symbol, taken) => (symbol, taken),
                Found::Short => return Err(Halt::Input),
                Found::Nothing => return Err(Halt::Corrupt),
            };
            let (extra, least) = match symbol {
                16 => (2, 3),
                17 => (3, 3),
                18 => (7, 11),
                _ => (0, 1),
            };
            if self.bits < taken + extra {
                return Err(Halt::Input);
            }
            self.drop(taken);
            let count = least + self.take(extra, source)? as usize;
            let length = match symbol {
                16 => *tables.lengths.last().ok_or(Corrupt)?,
                17 | 18 => 0,
                length => length as u8,
            };
            if tables.lengths.len() + count > tables.total {
                return Err(Halt::Corrupt);
            }
            tables.lengths.extend(std::iter::repeat_n(length, count));
        }
        let (literals, distances) = tables
            .lengths
            .split_at_checked(tables.literals)
            .ok_or(Corrupt)?;
        // A block must be able to end.
        if literals.get(256) == Some(&0) {
            return Err(Halt::Corrupt);
        }
        Ok(State::Codes(Arc::new(Codes {
            literals: Huffman::new(literals, true)?,
            distances: Huffman::new(distances, true)?,
        })))
    }

    /// Decodes until the step is full; true at the end of the block. Nothing
    /// is taken of a match that is not here as a whole.
    fn codes(&mut self, codes: &Codes, source: &mut Source<'_>) -> Result<bool, Halt> {
        let end = self.fresh + STEP;
        while self.history.len() < end {
            if self.bits < MATCH_BITS {
                self.fill(source);
            }
            let before = (self.hold, self.bits);
            match self.code(codes) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(halt) => {
                    (self.hold, self.bits) = before;
                    return Err(halt);
                }
            }
        }
        Ok(false)
    }

    /// A literal, a match, or the end of the block.
    fn code(&mut self, codes: &Codes) -> Result<bool, Halt> {
        let symbol = self.symbol(&codes.literals)?;
        let at = match symbol {
            256 => return Ok(true),
            257.. => usize::from(symbol - 257),
            literal => {
                self.history.push(literal as u8);
                return Ok(false);
            }
        };
        let (&base, &extra) = LENGTHS.get(at).zip(LENGTH_BITS.get(at)).ok_or(Corrupt)?;
        let length = usize::from(base) + self.extra(extra)?;
        let at = usize::from(self.symbol(&codes.distances)?);
        let (&base, &extra) = DISTANCES
            .get(at)
            .zip(DISTANCE_BITS.get(at))
            .ok_or(Corrupt)?;
        let distance = usize::from(base) + self.extra(extra)?;
        self.repeat(distance, length)?;
        Ok(false)
    }

    fn repeat(&mut self, distance: usize, length: usize) -> Result<(), Corrupt> {
        let from = self.history.len().checked_sub(distance).ok_or(Corrupt)?;
        if distance >= length {
            self.history.extend_from_within(from..from + length);
            return Ok(());
        }
        // It runs into what it makes itself.
        for at in from..from + length {
            let octet = *self.history.get(at).ok_or(Corrupt)?;
            self.history.push(octet);
        }
        Ok(())
    }

    fn symbol(&mut self, code: &Huffman) -> Result<u16, Halt> {
        match code.find(self.hold, self.bits) {
            Found::Symbol(symbol, bits) => {
                self.drop(bits);
                Ok(symbol)
            }
            Found::Short => Err(Halt::Input),
            Found::Nothing => Err(Halt::Corrupt),
        }
    }

    fn extra(&mut self, bits: u8) -> Result<usize, Halt> {
        let bits = u32::from(bits);
        if self.bits < bits {
            return Err(Halt::Input);
        }
        let value = self.hold & ((1 << bits) - 1);
        self.drop(bits);
        Ok(value as usize)
    }

    /// The next `n` bits, at most 32.
    fn take(&mut self, n: u32, source: &mut Source<'_>) -> Result<u32, Halt> {
        self.need(n, source)?;
        let value = self.hold & ((1 << n) - 1);
        self.drop(n);
        Ok(value as u32)
    }

    fn need(&mut self, n: u32, source: &mut Source<'_>) -> Result<(), Halt> {
        while self.bits < n {
            let octet = source.octet().ok_or(Halt::Input)?;
            self.hold |= u64::from(octet) << self.bits;
            self.bits += 8;
        }
        Ok(())
    }

    /// Takes as many octets as there is room for.
    fn fill(&mut self, source: &mut Source<'_>) {
        while self.bits <= 56
            && let Some(octet) = source.octet()
        {
            self.hold |= u64::from(octet) << self.bits;
            self.bits += 8;
        }
    }

    fn drop(&mut self, n: u32) {
        self.hold >>= n;
        self.bits -= n;
    }
}

impl Codes {
    /// RFC 1951 §3.2.6; made once, for a block may be of ten bits. Always
    /// there.
    fn fixed() -> Option<Arc<Self>> {
        static FIXED: LazyLock<Option<Arc<Codes>>> = LazyLock::new(|| {
            let mut literals = [8; 288];
            literals.iter_mut().skip(144).take(112).for_each(|l| *l = 9);
            literals.iter_mut().skip(256).take(24).for_each(|l| *l = 7);
            Some(Arc::new(Codes {
                literals: Huffman::new(&literals, true).ok()?,
                distances: Huffman::new(&[5; 32], true).ok()?,
            }))
        });
        FIXED.clone()
    }
}

struct Source<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Source<'a> {
    fn is_empty(&self) -> bool {
        self.at >= self.input.len()
    }

    fn octet(&mut self) -> Option<u8> {
        let octet = *self.input.get(self.at)?;
        self.at += 1;
        Some(octet)
    }

    /// At most `most` octets.
    fn some(&mut self, most: usize) -> &'a [u8] {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let piece = rest.get(..most).unwrap_or(rest);
        self.at += piece.len();
        piece
    }
}

/// RFC 1951 §3.2.5.
const LENGTHS: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const LENGTH_BITS: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const DISTANCES: [u16; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_BITS: [u8; 30] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];
