//! Message IDs in header fields, normalized (RFC 5256 §3, REFERENCES).

use memchr::memchr;
use std::borrow::Cow;

/// The valid message IDs in the value of a field, without their brackets,
/// folds and needless quotes.
pub fn message_ids(value: &[u8]) -> MessageIds<'_> {
    MessageIds { rest: value }
}

#[derive(Clone, Debug)]
pub struct MessageIds<'a> {
    rest: &'a [u8],
}

/// Longer ones are none.
const MAX_LEN: usize = 1000;

impl<'a> Iterator for MessageIds<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Cow<'a, [u8]>> {
        loop {
            let open = memchr(b'<', self.rest)?;
            let inner = self.rest.get(open + 1..)?;
            let Some(close) = end_of_id(inner) else {
                self.rest = inner;
                continue;
            };
            let id = inner.get(..close).unwrap_or_default();
            self.rest = inner.get(close + 1..).unwrap_or_default();
            if let Some(id) = normalized(id) {
                return Some(id);
            }
        }
    }
}

/// Where the `>` stands that ends an ID; `None` if another begins before.
fn end_of_id(inner: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, &b) in inner.iter().take(MAX_LEN).enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            b'<' if !quoted => return None,
            _ => {}
        }
    }
    None
}

/// `id-left "@" id-right`: quotes that quote nothing go, blanks too.
fn normalized(id: &[u8]) -> Option<Cow<'_, [u8]>> {
    let plain = |b: &u8| !matches!(b, b'"' | b'\\') && !b.is_ascii_whitespace();
    let id = if id.iter().all(plain) {
        Cow::Borrowed(id)
    } else {
        let mut out = Vec::with_capacity(id.len());
        let (mut quoted, mut escaped) = (false, false);
        for &b in id {
            match b {
                _ if escaped => {
                    out.push(b);
                    escaped = false;
                }
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                b'\r' | b'\n' => {}
                b if b.is_ascii_whitespace() && !quoted => {}
                b => out.push(b),
            }
        }
        Cow::Owned(out)
    };
    let at = memchr::memrchr(b'@', &id)?;
    (at > 0 && at + 1 < id.len()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(value: &str) -> Vec<String> {
        message_ids(value.as_bytes())
            .map(|id| String::from_utf8(id.into_owned()).unwrap())
            .collect()
    }

    #[test]
    fn examples() {
        assert_eq!(
            ids("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>"),
            ids("<01KF8JCEOCBS0045PS@xxx.yyy.com>")
        );
        assert_eq!(
            ids(" <a@b>\r\n\t<c@d> e@f (x) <g@h>,"),
            ["a@b", "c@d", "g@h"]
        );
        assert_eq!(ids("Your message of today <x@y>"), ["x@y"]);
        assert_eq!(ids("<a@\n b>"), ["a@b"]);
        assert_eq!(ids("<\"a>b\"@c> <\"a\\\"b\"@c>"), ["a>b@c", "a\"b@c"]);
        assert_eq!(ids("<a <b@c>"), ["b@c"]);
        for none in ["", "<>", "<a>", "<@b>", "<a@>", "a@b", "<a@b", "<\"a@b>"] {
            assert_eq!(ids(none), Vec::<String>::new(), "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_have_an_end(value in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(message_ids(&value).count() <= value.len());
        }

        #[test]
        fn ids_are_found_among_others(ids in prop::collection::vec("[a-z.]{1,9}@[a-z]{1,5}", 0..6)) {
            let value = ids.iter().map(|id| format!("<{id}>")).collect::<Vec<_>>().join("\n ");
            prop_assert_eq!(super::tests::ids(&value), ids);
        }
    }
}
