//! Streaming base64 (RFC 2045 §6.8). Characters outside the alphabet are
//! skipped, as the RFC demands; padding ends a quantum, and what follows
//! begins a new one.

use super::feed::Feed;

/// An unfinished quantum.
#[derive(Default)]
pub struct Base64 {
    /// Bits collected, and how many sextets.
    bits: u32,
    sextets: u8,
}

const NONE: u8 = 0xff;
const TABLE: [u8; 256] = table();

const fn table() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [NONE; 256];
    let mut i = 0;
    while i < alphabet.len() {
        table[alphabet[i] as usize] = i as u8;
        i += 1;
    }
    table
}

impl Base64 {
    /// Gives out what an unfinished quantum holds in whole octets.
    fn flush(&mut self, out: &mut Vec<u8>) {
        let bits = self.bits << (6 * (4 - u32::from(self.sextets.min(4))));
        let [_, a, b, _] = bits.to_be_bytes();
        match self.sextets {
            2 => out.push(a),
            3 => out.extend([a, b]),
            _ => {}
        }
        (self.bits, self.sextets) = (0, 0);
    }
}

impl Feed for Base64 {
    fn feed(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        let mut rest = raw;
        while let Some((&b, after)) = rest.split_first() {
            if self.sextets == 0
                && let Some((quantum, behind)) = rest.split_first_chunk::<4>()
            {
                let [a, b, c, d] = quantum.map(sextet);
                if [a, b, c, d].iter().all(|&v| v != NONE) {
                    let bits = u32::from_be_bytes([0, 0, 0, a]) << 18
                        | u32::from(b) << 12
                        | u32::from(c) << 6
                        | u32::from(d);
                    let [_, x, y, z] = bits.to_be_bytes();
                    out.extend([x, y, z]);
                    rest = behind;
                    continue;
                }
            }
            rest = after;
            if b == b'=' {
                self.flush(out);
                continue;
            }
            let value = sextet(b);
            if value == NONE {
                continue;
            }
            self.bits = self.bits << 6 | u32::from(value);
            self.sextets += 1;
            if self.sextets == 4 {
                let [_, a, b, c] = self.bits.to_be_bytes();
                out.extend([a, b, c]);
                (self.bits, self.sextets) = (0, 0);
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
    }
}

fn sextet(b: u8) -> u8 {
    TABLE.get(usize::from(b)).copied().unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use crate::decode::Base64Reader;
    use proptest::prelude::*;
    use std::io::Read;

    fn decode(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Base64Reader::new(text).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn examples() {
        assert_eq!(decode(b"Zm9v\r\nYmFy\n"), b"foobar");
        assert_eq!(decode(b"Zm8="), b"fo");
        assert_eq!(decode(b"Zg==Zm9v"), b"ffoo");
        assert_eq!(decode(b"Zm8"), b"fo", "padding left out");
        assert_eq!(decode(b"Z!m-9 v"), b"foo", "strangers skipped");
        assert_eq!(decode(b"Z"), b"");
        assert_eq!(decode(b"===="), b"");
        assert_eq!(decode(b"/+8="), [0xff, 0xef]);
    }

    fn encode(data: &[u8]) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for chunk in data.chunks(3) {
            let mut n = 0u32;
            for i in 0..3 {
                n = n << 8 | u32::from(chunk.get(i).copied().unwrap_or(0));
            }
            for i in 0..4 {
                if i <= chunk.len() {
                    out.push(char::from(alphabet[(n >> (18 - 6 * i) & 63) as usize]));
                } else {
                    out.push('=');
                }
            }
            out.push_str("\r\n");
        }
        out
    }

    proptest! {
        #[test]
        fn comes_back(data in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(encode(&data).as_bytes()), data);
        }
    }
}
