//! Tokens of structured header fields (RFC 5322 §3.2, RFC 2045 §5.1), for
//! fields of any kind of brokenness: every input has tokens.

use std::borrow::Cow;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Token<'a> {
    /// A run of characters that are neither blank nor special; also a whole
    /// encoded word with whatever stands in it.
    Word(&'a [u8]),
    /// A quoted string without its quotes, backslashes and folds.
    Quoted(Cow<'a, [u8]>),
    /// A comment without its outer parentheses, backslashes and folds.
    Comment(Cow<'a, [u8]>),
    /// `[…]` with its brackets.
    Literal(&'a [u8]),
    Special(u8),
}

/// Which characters end a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Specials {
    /// `specials` of RFC 5322 §3.2.3, without the dot: words may hold dots.
    Address,
    /// `;` `=` and what begins a quoted string or comment: parameters are
    /// taken as they stand, so that unquoted file names with slashes pass.
    Parameter,
}

#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    rest: &'a [u8],
    specials: Specials,
    /// Blanks or comments stood in front of the last token.
    pub spaced: bool,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8], specials: Specials) -> Self {
        Self {
            rest: text,
            specials,
            spaced: false,
        }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next token that is no comment.
    pub fn next_visible(&mut self) -> Option<Token<'a>> {
        let mut spaced = false;
        loop {
            let token = self.next();
            spaced |= self.spaced;
            match token {
                Some(Token::Comment(_)) => spaced = true,
                other => {
                    self.spaced = spaced;
                    return other;
                }
            }
        }
    }

    fn is_special(&self, b: u8) -> bool {
        match self.specials {
            Specials::Address => matches!(
                b,
                b'(' | b')' | b'<' | b'>' | b'[' | b']' | b':' | b';' | b'@' | b',' | b'"' | b'\\'
            ),
            Specials::Parameter => matches!(b, b'(' | b';' | b'=' | b'"'),
        }
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (token, rest) = self
            .rest
            .split_at_checked(len)
            .unwrap_or((self.rest, Default::default()));
        self.rest = rest;
        token
    }

    fn word(&mut self) -> Token<'a> {
        if let Some(len) = encoded_word(self.rest) {
            return Token::Word(self.take(len));
        }
        let end = |&b: &u8| is_blank(b) || self.is_special(b);
        let len = self.rest.iter().position(end).unwrap_or(self.rest.len());
        Token::Word(self.take(len))
    }

    /// Takes from the opening quote to the closing one or the end.
    fn quoted(&mut self) -> Cow<'a, [u8]> {
        let inner = self.rest.get(1..).unwrap_or_default();
        let mut at = 0;
        while let Some(&b) = inner.get(at) {
            match b {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        let at = at.min(inner.len());
        self.take(at + 2);
        unescape(inner.get(..at).unwrap_or_default())
    }

    /// Takes from the opening parenthesis to the one that closes it.
    fn comment(&mut self) -> Cow<'a, [u8]> {
        let inner = self.rest.get(1..).unwrap_or_default();
        let (mut at, mut depth) = (0, 1_u32);
        while let Some(&b) = inner.get(at) {
            match b {
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => at += 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            at += 1;
        }
        let at = at.min(inner.len());
        self.take(at + 2);
        unescape(inner.get(..at).unwrap_or_default())
    }

    fn literal(&mut self) -> Token<'a> {
        let len = memchr::memchr(b']', self.rest).map_or(self.rest.len(), |at| at + 1);
        Token::Literal(self.take(len))
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let blanks = self.rest.iter().take_while(|&&b| is_blank(b)).count();
        self.take(blanks);
        self.spaced = blanks > 0;
        let b = *self.rest.first()?;
        Some(match b {
            b'"' => Token::Quoted(self.quoted()),
            b'(' => Token::Comment(self.comment()),
            b'[' if self.specials == Specials::Address => self.literal(),
            _ if self.is_special(b) => {
                self.take(1);
                Token::Special(b)
            }
            _ => self.word(),
        })
    }
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// Removes backslashes of quoted pairs and line ends of folds; NUL, which no
/// response may carry, becomes 0x80.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'\\' | b'\r' | b'\n' | 0)) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&b) = bytes.next() {
        let b = match b {
            b'\\' => bytes.next().copied().unwrap_or(b'\\'),
            b => b,
        };
        match b {
            b'\r' | b'\n' => {}
            0 => out.push(0x80),
            b => out.push(b),
        }
    }
    Cow::Owned(out)
}

/// The longest encoded word looked for; RFC 2047 §2 allows 75, mailers write
/// longer ones.
const MAX_ENCODED_WORD: usize = 1000;

/// Length of the encoded word (RFC 2047 §2) that `text` begins with; specials
/// may stand in it, blanks not.
pub(crate) fn encoded_word(text: &[u8]) -> Option<usize> {
    let text = text.get(..MAX_ENCODED_WORD.min(text.len()))?;
    let rest = text.strip_prefix(b"=?")?;
    let charset = memchr::memchr(b'?', rest)?;
    let rest = rest.get(charset + 1..)?;
    let ([b'q' | b'Q' | b'b' | b'B', b'?'], encoded) = rest.split_first_chunk::<2>()? else {
        return None;
    };
    let end = memchr::memmem::find(encoded, b"?=")?;
    let len = text.len() - encoded.len() + end + 2;
    let word = text.get(..len)?;
    (!word.iter().any(|&b| is_blank(b) || b == b'"')).then_some(len)
}
