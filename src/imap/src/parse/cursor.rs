//! The place in a command up to which it is read, and the rules of RFC 9051
//! §9 that every command is made of.

use crate::chars::{is_astring, is_atom, is_list, is_quoted};
use std::borrow::Cow;

/// Search keys inside one another, by parentheses, NOT and first arms of OR.
pub const MAX_SEARCH_DEPTH: usize = 50;
/// Search keys in one command.
pub const MAX_SEARCH_KEYS: usize = 2000;
/// Criteria in one SORT.
pub const MAX_SORT_CRITERIA: usize = 32;
/// Ranges in all sets of a command.
pub const MAX_RANGES: usize = 20_000;
/// Items in one FETCH.
pub const MAX_FETCH_ITEMS: usize = 256;
/// Names in one HEADER.FIELDS.
pub const MAX_HEADER_NAMES: usize = 256;
/// Numbers in one section part.
pub const MAX_SECTION_DEPTH: usize = 100;
/// Keywords in one flag list.
pub const MAX_KEYWORDS: usize = 256;
/// Patterns, options, capability names and the like in one list.
pub const MAX_LIST_ITEMS: usize = 64;
/// Event groups in one NOTIFY.
pub const MAX_NOTIFY_GROUPS: usize = 64;
/// Mailbox names in one event group of NOTIFY.
pub const MAX_NOTIFY_NAMES: usize = 1000;
/// Fields in an ID (RFC 2971 §3.3 has 30).
pub const MAX_ID_FIELDS: usize = 64;

/// What is wrong with a command, in words for its author.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Syntax(pub &'static str);

pub(crate) type Result<T> = std::result::Result<T, Syntax>;

pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    /// Ranges read so far.
    pub ranges: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            ranges: 0,
        }
    }

    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn skip(&mut self, n: usize) {
        self.rest = self.rest.get(n..).unwrap_or_default();
    }

    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads `b` if it comes next.
    pub fn eat(&mut self, b: u8) -> bool {
        let found = self.peek() == Some(b);
        if found {
            self.skip(1);
        }
        found
    }

    pub fn expect(&mut self, b: u8, text: &'static str) -> Result<()> {
        if self.eat(b) {
            Ok(())
        } else {
            Err(Syntax(text))
        }
    }

    /// Reads blanks, as many as there are.
    pub fn blanks(&mut self) {
        while self.eat(b' ') {}
    }

    /// `SP`, or several.
    pub fn sp(&mut self) -> Result<()> {
        self.expect(b' ', "Argument missing")?;
        self.blanks();
        Ok(())
    }

    /// Whether another argument follows; its `SP` is read then.
    pub fn more(&mut self) -> bool {
        let before = self.rest;
        self.blanks();
        if self.at_end() {
            return false;
        }
        before.len() != self.rest.len()
    }

    /// The end of the command, blanks before it allowed.
    pub fn end(&mut self) -> Result<()> {
        self.blanks();
        if self.at_end() {
            Ok(())
        } else {
            Err(Syntax("Unexpected text behind the arguments"))
        }
    }

    pub fn take_while(&mut self, class: fn(u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().take_while(|&&b| class(b)).count();
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// `atom`
    pub fn atom(&mut self) -> Result<&'a [u8]> {
        match self.take_while(is_atom) {
            [] => Err(Syntax("Atom expected")),
            atom => Ok(atom),
        }
    }

    /// An atom in capitals.
    pub fn upper_atom(&mut self) -> Result<String> {
        let atom = std::str::from_utf8(self.atom()?).map_err(|_| Syntax("Atom expected"))?;
        Ok(atom.to_ascii_uppercase())
    }

    /// Reads `word`, in any case, if it comes next and is not just the
    /// beginning of a longer word.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let Some((start, after)) = self.rest.split_at_checked(word.len()) else {
            return false;
        };
        let whole = start.eq_ignore_ascii_case(word.as_bytes())
            && !after.first().is_some_and(|&b| is_atom(b));
        if whole {
            self.rest = after;
        }
        whole
    }

    /// `astring`
    pub fn astring(&mut self) -> Result<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            Some(b) if is_astring(b) => Ok(Cow::Borrowed(self.take_while(is_astring))),
            _ => Err(Syntax("String expected")),
        }
    }

    /// `list-mailbox`
    pub fn list_mailbox(&mut self) -> Result<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            Some(b) if is_list(b) => Ok(Cow::Borrowed(self.take_while(is_list))),
            _ => Err(Syntax("Mailbox pattern expected")),
        }
    }

    /// `mailbox`, as raw octets.
    pub fn mailbox(&mut self) -> Result<Vec<u8>> {
        self.astring()
            .map(Cow::into_owned)
            .map_err(|_| Syntax("Mailbox name expected"))
    }

    /// `string`
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(Syntax("String expected")),
        }
    }

    /// `nstring`
    pub fn nstring(&mut self) -> Result<Option<Cow<'a, [u8]>>> {
        if self.eat_word("NIL") {
            return Ok(None);
        }
        self.string().map(Some)
    }

    /// `quoted`; 8-bit octets are taken as they are.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>> {
        self.expect(b'"', "String expected")?;
        let plain = self.take_while(is_quoted);
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.skip(1);
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.skip(1);
                    match self.peek() {
                        Some(b @ (b'"' | b'\\')) => text.push(b),
                        _ => return Err(Syntax("Invalid escape in a quoted string")),
                    }
                    self.skip(1);
                }
                Some(b) if is_quoted(b) => text.extend_from_slice(self.take_while(is_quoted)),
                Some(_) => return Err(Syntax("Invalid character in a quoted string")),
                None => return Err(Syntax("Quoted string without an end")),
            }
        }
    }

    /// `nstring / literal8` (RFC 5464 §5 `value`).
    pub fn value(&mut self) -> Result<Option<Vec<u8>>> {
        if self.eat(b'~') {
            return self.octets().map(|octets| Some(octets.to_vec()));
        }
        Ok(self.nstring()?.map(Cow::into_owned))
    }

    /// `literal`, its octets in place as the framer leaves them.
    fn literal(&mut self) -> Result<&'a [u8]> {
        let octets = self.octets()?;
        match octets.contains(&0) {
            true => Err(Syntax("NUL in a literal")),
            false => Ok(octets),
        }
    }

    /// A literal with any octets at all.
    fn octets(&mut self) -> Result<&'a [u8]> {
        const BAD: Syntax = Syntax("Invalid literal");
        self.expect(b'{', BAD.0)?;
        let size = self.number64().map_err(|_| BAD)?;
        self.eat(b'+');
        self.expect(b'}', BAD.0)?;
        self.eat(b'\r');
        self.expect(b'\n', BAD.0)?;
        let size = usize::try_from(size).map_err(|_| BAD)?;
        let (octets, rest) = self.rest.split_at_checked(size).ok_or(BAD)?;
        self.rest = rest;
        Ok(octets)
    }

    /// `number64`: 63 bits.
    pub fn number64(&mut self) -> Result<u64> {
        const BAD: Syntax = Syntax("Number expected");
        let digits = self.take_while(|b| b.is_ascii_digit());
        if digits.is_empty() {
            return Err(BAD);
        }
        let value = digits.iter().try_fold(0u64, |n, b| {
            n.checked_mul(10)?
                .checked_add(u64::from(b.wrapping_sub(b'0')))
        });
        value
            .filter(|&n| n <= i64::MAX as u64)
            .ok_or(Syntax("Number too large"))
    }

    /// `nz-number`
    pub fn nz_number(&mut self) -> Result<std::num::NonZeroU32> {
        let n = u32::try_from(self.number64()?).map_err(|_| Syntax("Number too large"))?;
        std::num::NonZeroU32::new(n).ok_or(Syntax("Number must not be 0"))
    }

    /// `"(" [item *(SP item)] ")"`, at most `max` items.
    pub fn list(
        &mut self,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.expect(b'(', "Parenthesis expected")?;
        self.blanks();
        let mut count = 0;
        while !self.eat(b')') {
            if count == max {
                return Err(Syntax("List too long"));
            }
            count += 1;
            item(self)?;
            if self.peek() != Some(b')') {
                self.expect(b' ', "Blank or closing parenthesis expected")?;
                self.blanks();
            }
        }
        Ok(())
    }

    /// Reads over a `tagged-ext-val` that nobody wants.
    pub fn skip_value(&mut self, depth: usize) -> Result<()> {
        if self.peek() != Some(b'(') {
            // A set (`1:*`) is no astring.
            return match self.peek() {
                Some(b'"' | b'{') => self.string().map(drop),
                _ => match self.take_while(is_list) {
                    [] => Err(Syntax("Value expected")),
                    _ => Ok(()),
                },
            };
        }
        let deeper = depth.checked_sub(1).ok_or(Syntax("Parentheses too deep"))?;
        self.list(MAX_LIST_ITEMS, |c| c.skip_value(deeper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &[u8]) -> Result<Vec<u8>> {
        Cursor::new(text).astring().map(Cow::into_owned)
    }

    #[test]
    fn strings_in_all_forms() {
        assert_eq!(string(b"abc] x").unwrap(), b"abc]");
        assert_eq!(string(b"\"\"").unwrap(), b"");
        assert_eq!(string(br#""a \"b\\c" x"#).unwrap(), br#"a "b\c"#);
        assert_eq!(string("\"é\"".as_bytes()).unwrap(), "é".as_bytes());
        assert_eq!(string(b"{3}\r\na\r\n").unwrap(), b"a\r\n");
        assert_eq!(string(b"{3+}\nabc)").unwrap(), b"abc");
        assert_eq!(string(b"{0}\r\n").unwrap(), b"");
        assert_eq!(string(b"NIL").unwrap(), b"NIL");
        for bad in [
            &b""[..],
            b"(",
            b"%",
            b"\"abc",
            b"\"a\\b\"",
            b"\"a\rb\"",
            b"\"a\0b\"",
            b"{3}\r\nab",
            b"{x}\r\nab",
            b"{1}\r\n\0",
            b"{1}a",
            b"{99999999999999999999}\r\n",
            b"\xff",
        ] {
            assert!(string(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_and_their_limits() {
        let number = |t: &str| Cursor::new(t.as_bytes()).number64();
        assert_eq!(number("0"), Ok(0));
        assert_eq!(number("9223372036854775807"), Ok(i64::MAX as u64));
        assert!(number("9223372036854775808").is_err());
        assert!(number("99999999999999999999999").is_err());
        assert!(number("").is_err());
        let nz = |t: &str| Cursor::new(t.as_bytes()).nz_number().map(|n| n.get());
        assert_eq!(nz("4294967295"), Ok(u32::MAX));
        assert!(nz("4294967296").is_err());
        assert!(nz("0").is_err());
    }

    #[test]
    fn words_end_where_they_end() {
        let mut c = Cursor::new(b"return(x)");
        assert!(!c.eat_word("RETUR"));
        assert!(c.eat_word("RETURN"));
        assert_eq!(c.peek(), Some(b'('));
        assert!(!c.eat_word("(x)y"));
    }

    #[test]
    fn lists_have_a_limit_and_forgive_blanks() {
        let read = |text: &str| {
            let mut items = Vec::new();
            Cursor::new(text.as_bytes())
                .list(3, |c| {
                    items.push(c.upper_atom()?);
                    Ok(())
                })
                .map(|()| items)
        };
        assert_eq!(read("()"), Ok(vec![]));
        assert_eq!(read("( a  b )").unwrap(), ["A", "B"]);
        assert!(read("(a b c)").is_ok());
        assert!(read("(a b c d)").is_err());
        assert!(read("(a").is_err());
        assert!(read("(a\"b\")").is_err());
        assert!(read("a").is_err());
    }

    #[test]
    fn values_nobody_wants() {
        let skip = |text: &str, depth| {
            let mut c = Cursor::new(text.as_bytes());
            c.skip_value(depth).map(|()| c.rest().len())
        };
        assert_eq!(skip("(1:* \"a b\" (x)) y", 2), Ok(2));
        assert_eq!(skip("(((x)))", 3), Ok(0));
        assert!(skip("(((x)))", 2).is_err());
        assert!(skip(")", 2).is_err());
    }
}
