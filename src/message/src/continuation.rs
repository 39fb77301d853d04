//! Parameter values in pieces (RFC 2231 §3 and §4.1), put together: IMAP
//! servers should do that for BODYSTRUCTURE (RFC 2231 §6), and Dovecot does.
//! Percent signs and charsets stay as they stand.

use crate::mime::Parameters;
use std::borrow::Cow;

/// `name*`, `name*0` or `name*0*`.
struct Piece {
    /// Where its parameter stands.
    at: usize,
    base: Vec<u8>,
    number: u32,
    /// The value has percent signs and, in front, a charset.
    extended: bool,
}

/// Puts together the pieces of each value, behind the parameters that have
/// none. Pieces of which one is missing stay as they are.
pub(crate) fn join(mut parameters: Parameters<'_>) -> Parameters<'_> {
    let named = parameters.iter().enumerate();
    let mut pieces: Vec<Piece> = named
        .filter_map(|(at, (name, _))| piece(at, name))
        .collect();
    if pieces.is_empty() {
        return parameters;
    }
    let key = |piece: &Piece| (piece.base.to_ascii_lowercase(), piece.number);
    pieces.sort_by_cached_key(key);
    let mut joined = Vec::new();
    for values in pieces.chunk_by(|a, b| a.base.eq_ignore_ascii_case(&b.base)) {
        match is_whole(values) {
            true => joined.push(value_of(values, &parameters)),
            false => {
                let kept = values.iter().filter_map(|v| parameters.get(v.at));
                joined.extend(kept.cloned());
            }
        }
    }
    let mut at = 0..;
    parameters.retain(|_| {
        let at = at.next();
        !pieces.iter().any(|piece| Some(piece.at) == at)
    });
    parameters.append(&mut joined);
    parameters
}

fn piece(at: usize, name: &[u8]) -> Option<Piece> {
    let star = memchr::memchr(b'*', name)?;
    let (base, rest) = name.split_at_checked(star)?;
    let rest = rest.get(1..)?;
    let (digits, extended) = match rest.strip_suffix(b"*") {
        Some(digits) => (digits, true),
        // `name*` is all of an extended value.
        None => (rest, rest.is_empty()),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = match digits {
        [] => 0,
        digits => std::str::from_utf8(digits).ok()?.parse().ok()?,
    };
    Some(Piece {
        at,
        base: base.to_vec(),
        number,
        extended,
    })
}

/// Whether the pieces are numbered from 0 without a gap.
fn is_whole(pieces: &[Piece]) -> bool {
    (0..).zip(pieces).all(|(n, piece)| piece.number == n)
}

fn value_of<'a>(pieces: &[Piece], parameters: &Parameters<'a>) -> (Cow<'a, [u8]>, Cow<'a, [u8]>) {
    let extended = pieces.iter().any(|piece| piece.extended);
    let first = pieces.first();
    let mut name = first.map_or_else(Vec::new, |piece| piece.base.clone());
    if extended {
        name.push(b'*');
    }
    let mut value = Vec::new();
    if extended && first.is_some_and(|piece| !piece.extended) {
        value.extend_from_slice(b"''");
    }
    for piece in pieces {
        let text = parameters
            .get(piece.at)
            .map_or(&b""[..], |(_, value)| value);
        match extended && !piece.extended {
            true => escape(text, &mut value),
            false => value.extend_from_slice(text),
        }
    }
    (Cow::Owned(name), Cow::Owned(value))
}

/// Text as it stands beside text with percent signs.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &octet in text {
        match octet {
            b'%' => out.extend_from_slice(b"%25"),
            octet => out.push(octet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str) -> String {
        let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
        let parameters = pairs.map(|(name, value)| {
            let text = |t: &str| Cow::Owned(t.as_bytes().to_vec());
            (text(name), text(value))
        });
        let show = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let joined = join(parameters.collect());
        let pairs = joined.iter();
        let pairs = pairs.map(|(name, value)| format!("{}={}", show(name), show(value)));
        pairs.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn as_dovecot_has_them() {
        for (text, expected) in [
            ("", ""),
            ("b=1 a=2", "b=1 a=2"),
            ("name*=u''x%20 size=1", "size=1 name*=u''x%20"),
            ("n*0=ab size=3 n*1=cd", "size=3 n=abcd"),
            ("n*1=cd n*0=ab m=1", "m=1 n=abcd"),
            (
                "n*0*=us'en'a%20 n*1=100% n*2*=%20z",
                "n*=us'en'a%20100%25%20z",
            ),
            ("n*1*=b n*0=a%b", "n*=''a%25bb"),
            // A piece is missing, or there twice.
            ("n*2=b n*1=a size=3", "size=3 n*1=a n*2=b"),
            ("n*0=a n*0=x n*1=b", "n*0=a n*0=x n*1=b"),
            ("z*=1 N*0=a n*1=b b*0=x", "b=x N=ab z*=1"),
            // No pieces at all.
            (
                "c*x=7 c*1x*=8 c*99999999999=9",
                "c*x=7 c*1x*=8 c*99999999999=9",
            ),
            ("*=1 a=2", "a=2 *=1"),
        ] {
            assert_eq!(joined(text), expected, "{text}");
        }
    }
}
