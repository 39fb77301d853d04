//! Character classes of RFC 9051 §9. Each is tested over all 256 octets,
//! because a class that is off by one octet is how servers get desynchronized.

/// CTL of RFC 5234: the controls and DEL.
pub const fn is_ctl(b: u8) -> bool {
    b < 0x20 || b == 0x7f
}

/// ATOM-CHAR: any 7-bit character except `atom-specials`.
pub const fn is_atom(b: u8) -> bool {
    b < 0x80
        && !is_ctl(b)
        && !matches!(
            b,
            b'(' | b')' | b'{' | b' ' | b'%' | b'*' | b'"' | b'\\' | b']'
        )
}

/// ASTRING-CHAR: ATOM-CHAR or `]`.
pub const fn is_astring(b: u8) -> bool {
    is_atom(b) || b == b']'
}

/// `list-char`: ASTRING-CHAR or a wildcard.
pub const fn is_list(b: u8) -> bool {
    is_astring(b) || matches!(b, b'%' | b'*')
}

/// A character of a `tag`: ASTRING-CHAR except `+`.
pub const fn is_tag(b: u8) -> bool {
    is_astring(b) && b != b'+'
}

/// What may stand in a `quoted` string, 8-bit octets included; the quoted
/// specials only behind a backslash.
pub const fn is_quoted(b: u8) -> bool {
    !matches!(b, 0 | b'\r' | b'\n' | b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `class` holds exactly for the octets in `wanted`.
    fn exactly(class: fn(u8) -> bool, wanted: impl Fn(u8) -> bool) {
        for b in 0..=255u8 {
            assert_eq!(class(b), wanted(b), "octet {b:#04x}");
        }
    }

    const ATOM: &[u8] = b"!#$&'+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[^_`\
        abcdefghijklmnopqrstuvwxyz|}~";

    #[test]
    fn classes_over_all_octets() {
        exactly(is_ctl, |b| b <= 31 || b == 127);
        exactly(is_atom, |b| ATOM.contains(&b));
        exactly(is_astring, |b| ATOM.contains(&b) || b == b']');
        exactly(is_list, |b| ATOM.contains(&b) || b"]%*".contains(&b));
        exactly(is_tag, |b| (ATOM.contains(&b) || b == b']') && b != b'+');
        exactly(is_quoted, |b| !b"\0\r\n\"\\".contains(&b));
    }
}
