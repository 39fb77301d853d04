//! The announcement of a literal at the end of a line.

/// `["~"] "{" number64 ["+"] "}"` (RFC 9051 §4.3, RFC 7888, RFC 3516).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Literal {
    /// `u64::MAX` for a number that cannot be told.
    pub size: u64,
    pub sync: bool,
    pub literal8: bool,
    /// Octets of the announcement.
    pub len: usize,
}

/// More digits than any number in use; keeps the announcement within
/// [`WINDOW`].
const MAX_DIGITS: usize = 28;

/// How much of the end of a line is needed to find an announcement.
pub(super) const WINDOW: usize = MAX_DIGITS + 4;

impl Literal {
    /// The announcement at the end of `line` (without its line end). Looks at
    /// the last [`WINDOW`] octets only. What ends like an announcement, with
    /// too many digits, counts as one of a literal that is too large.
    pub fn at_end(line: &[u8]) -> Option<Self> {
        let (body, closing) = match line {
            [body @ .., b'+', b'}'] => (body, 2),
            [body @ .., b'}'] => (body, 1),
            _ => return None,
        };
        let digits = body
            .iter()
            .rev()
            .take(MAX_DIGITS)
            .take_while(|b| b.is_ascii_digit())
            .count();
        let (before, number) = body.split_at_checked(body.len().checked_sub(digits)?)?;
        let sync = closing == 1;
        let (before, size) = match before {
            [before @ .., b'{'] if digits > 0 => (before, parse_number(number)),
            [.., b] if digits == MAX_DIGITS && b.is_ascii_digit() => (before, u64::MAX),
            _ => return None,
        };
        let literal8 = before.last() == Some(&b'~');
        Some(Self {
            size,
            sync,
            literal8,
            len: line.len() - before.len() + usize::from(literal8),
        })
    }
}

fn parse_number(digits: &[u8]) -> u64 {
    digits.iter().fold(0u64, |n, b| {
        n.saturating_mul(10)
            .saturating_add(u64::from(b.wrapping_sub(b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<(u64, bool, bool, usize)> {
        Literal::at_end(line.as_bytes()).map(|l| (l.size, l.sync, l.literal8, l.len))
    }

    #[test]
    fn forms() {
        assert_eq!(found("a LOGIN {5}"), Some((5, true, false, 3)));
        assert_eq!(found("a LOGIN {5+}"), Some((5, false, false, 4)));
        assert_eq!(found("a APPEND x ~{0}"), Some((0, true, true, 4)));
        assert_eq!(found("~{12+}"), Some((12, false, true, 6)));
        for line in [
            "", "}", "{}", "{+}", "{5", "{5-}", "{x5}", "{5} ", "a5}", "{-5}",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }

    #[test]
    fn numbers_too_large_are_still_announcements() {
        let digits = |n: usize| format!("{{{}}}", "9".repeat(n));
        assert_eq!(found(&digits(25)), Some((u64::MAX, true, false, 27)));
        let found_long = found(&digits(40)).unwrap();
        assert_eq!((found_long.0, found_long.1), (u64::MAX, true));
        let zeros = format!("{{{}7}}", "0".repeat(27));
        assert_eq!(found(&zeros), Some((7, true, false, 30)));
    }

    #[test]
    fn the_window_is_enough() {
        for line in [
            format!("xxxx~{{{}+}}", "0".repeat(MAX_DIGITS)),
            format!("xxxx{}+}}", "1".repeat(60)),
        ] {
            let whole = Literal::at_end(line.as_bytes()).unwrap();
            let tail = Literal::at_end(&line.as_bytes()[line.len() - WINDOW..]).unwrap();
            assert_eq!((whole.size, whole.sync), (tail.size, tail.sync));
        }
    }
}
