//! The transfer encoding base64 as a stream: lines of 76 characters that end
//! in CRLF (RFC 2045 §6.8).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets in a line.
const LINE: usize = 57;
const CHARACTERS: usize = LINE / 3 * 4;

/// How much text `octets` octets become.
pub fn text_size(octets: u64) -> u64 {
    let (lines, rest) = (octets / LINE as u64, octets % LINE as u64);
    let last = match rest {
        0 => 0,
        rest => rest.div_ceil(3) * 4 + 2,
    };
    lines * (CHARACTERS as u64 + 2) + last
}

/// Encodes what comes in pieces.
#[derive(Default)]
pub struct Lines {
    /// Less than a line.
    rest: Vec<u8>,
}

impl Lines {
    pub fn write(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        if !self.rest.is_empty() {
            let (head, tail) = bytes.split_at((LINE - self.rest.len()).min(bytes.len()));
            self.rest.extend_from_slice(head);
            if self.rest.len() < LINE {
                return;
            }
            line(&self.rest, out);
            self.rest.clear();
            bytes = tail;
        }
        let mut lines = bytes.chunks_exact(LINE);
        lines.by_ref().for_each(|full| line(full, out));
        self.rest.extend_from_slice(lines.remainder());
    }

    pub fn finish(self, out: &mut Vec<u8>) {
        if !self.rest.is_empty() {
            line(&self.rest, out);
        }
    }
}

fn line(octets: &[u8], out: &mut Vec<u8>) {
    let mut text = [0; CHARACTERS];
    // A line always fits.
    let n = STANDARD.encode_slice(octets, &mut text).unwrap_or(0);
    out.extend_from_slice(text.get(..n).unwrap_or_default());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_no_difference() {
        for size in [0, 1, 56, 57, 58, 114, 1000] {
            let octets: Vec<u8> = (0..size).map(|n| n as u8).collect();
            for piece in [1, 20, 57, 100, 1000] {
                let (mut lines, mut out) = (Lines::default(), Vec::new());
                octets.chunks(piece).for_each(|p| lines.write(p, &mut out));
                lines.finish(&mut out);
                assert_eq!(out.len() as u64, text_size(size));
                assert!(out.split(|&b| b == b'\n').all(|l| l.len() <= 77));
                out.retain(|b| !b.is_ascii_whitespace());
                assert_eq!(STANDARD.decode(&out).unwrap(), octets);
            }
        }
    }
}
