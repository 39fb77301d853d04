//! The DER that is written by hand: lengths beyond those that the library
//! knows (256 MiB), and small structures that it has no types for.

/// The beginning of an element: tag and length.
pub fn header(tag: u8, len: u64) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(len) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let octets = len.to_be_bytes();
            let zeros = octets.iter().take_while(|&&b| b == 0).count();
            out.push(0x80 | (octets.len() - zeros) as u8);
            out.extend(octets.iter().skip(zeros));
        }
    }
    out
}

/// An element made of parts.
pub fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|p| p.len()).sum();
    let mut out = header(tag, len as u64);
    parts.iter().for_each(|p| out.extend_from_slice(p));
    out
}

pub const INTEGER: u8 = 0x02;
pub const OCTET_STRING: u8 = 0x04;
pub const SEQUENCE: u8 = 0x30;

/// `[n] EXPLICIT`, or `[n] IMPLICIT` of a constructed type; `n` below 31.
pub const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// `[n] IMPLICIT` of a primitive type.
pub const fn context_primitive(n: u8) -> u8 {
    0x80 | n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_shortest() {
        assert_eq!(header(SEQUENCE, 0), [0x30, 0]);
        assert_eq!(header(SEQUENCE, 127), [0x30, 127]);
        assert_eq!(header(SEQUENCE, 128), [0x30, 0x81, 128]);
        assert_eq!(header(SEQUENCE, 256), [0x30, 0x82, 1, 0]);
        assert_eq!(header(SEQUENCE, 1 << 32), [0x30, 0x85, 1, 0, 0, 0, 0]);
        assert_eq!(element(OCTET_STRING, &[b"a", b"bc"]), b"\x04\x03abc");
    }
}
