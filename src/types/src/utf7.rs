//! Modified UTF-7 (RFC 3501 §5.1.3): mailbox names in IMAP4rev1 and, by
//! default, Maildir++ directory names.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Encodes text; printable ASCII other than `&` stays as it is.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units: Vec<u16> = Vec::new();
    for c in text.chars() {
        if (' '..='~').contains(&c) {
            flush(&mut out, &mut units);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
    }
    flush(&mut out, &mut units);
    out
}

fn flush(out: &mut String, units: &mut Vec<u16>) {
    if units.is_empty() {
        return;
    }
    out.push('&');
    let (mut acc, mut bits) = (0u32, 0u32);
    for unit in units.drain(..) {
        acc = acc << 16 | u32::from(unit);
        bits += 16;
        while bits >= 6 {
            bits -= 6;
            push_sextet(out, acc >> bits);
        }
        acc &= (1 << bits) - 1;
    }
    if bits > 0 {
        push_sextet(out, acc << (6 - bits));
    }
    out.push('-');
}

fn push_sextet(out: &mut String, value: u32) {
    if let Some(&b) = ALPHABET.get((value & 63) as usize) {
        out.push(char::from(b));
    }
}

/// Decodes modified UTF-7. `None` for 8-bit or control characters, a bad or
/// unfinished shift, unpaired surrogates, non-zero padding, or printable ASCII
/// that was shifted though it need not be: names have one encoded form only.
pub fn decode(text: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((&b, tail)) = rest.split_first() {
        rest = tail;
        match b {
            b'&' => {
                let end = rest.iter().position(|&b| b == b'-')?;
                let (shifted, after) = rest.split_at_checked(end)?;
                rest = after.get(1..)?;
                if shifted.is_empty() {
                    out.push('&');
                } else {
                    decode_shifted(shifted, &mut out)?;
                    // Two shifts in a row have a shorter form.
                    if rest.first() == Some(&b'&') && rest.get(1) != Some(&b'-') {
                        return None;
                    }
                }
            }
            0x20..=0x7e => out.push(char::from(b)),
            _ => return None,
        }
    }
    Some(out)
}

fn decode_shifted(shifted: &[u8], out: &mut String) -> Option<()> {
    let (mut acc, mut bits) = (0u32, 0u32);
    let mut units = Vec::with_capacity(shifted.len() * 6 / 16);
    for b in shifted {
        let value = ALPHABET.iter().position(|a| a == b)?;
        acc = acc << 6 | value as u32;
        bits += 6;
        if bits >= 16 {
            bits -= 16;
            units.push((acc >> bits) as u16);
            acc &= (1 << bits) - 1;
        }
    }
    if bits >= 6 || acc != 0 {
        return None;
    }
    for c in char::decode_utf16(units) {
        let c = c.ok()?;
        if (' '..='~').contains(&c) {
            return None;
        }
        out.push(c);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn examples_of_the_rfc() {
        assert_eq!(
            decode(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-").as_deref(),
            Some("~peter/mail/台北/日本語")
        );
        assert_eq!(encode("été & fin"), "&AOk-t&AOk- &- fin");
        assert_eq!(decode(b"&Jjo-!").as_deref(), Some("☺!"));
        assert_eq!(decode(b"&U,BTFw-&ZeVnLIqe-"), None, "superfluous shift");
        assert_eq!(decode(b"&AGE-"), None, "printable ASCII shifted");
        assert_eq!(decode(b"a&b"), None, "unfinished");
        assert_eq!(decode(b"\xc3\xa9"), None, "8 bit");
        assert_eq!(decode(b"&2AA-"), None, "lone surrogate");
        assert_eq!(decode(b"&-&-").as_deref(), Some("&&"));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "\\PC{0,40}") {
            let wire = encode(&text);
            prop_assert!(wire.bytes().all(|b| (0x20..0x7f).contains(&b)));
            prop_assert_eq!(decode(wire.as_bytes()), Some(text));
        }

        #[test]
        fn what_decodes_encodes_to_the_same(wire in "[&A-Za-z0-9,+ -]{0,24}") {
            if let Some(text) = decode(wire.as_bytes()) {
                prop_assert_eq!(encode(&text), wire);
            }
        }
    }
}
