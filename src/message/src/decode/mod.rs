//! Undoing transfer encodings, charsets and encoded words. Damage never
//! fails: whatever can be decoded is.

mod base64;
mod charset;
mod feed;
mod quoted;
mod words;

pub use charset::{TextReader, encoding_for};
pub use words::{decode_header, decode_text};

use crate::crlf::{CrlfReader, Nul};
use crate::error::Error;
use base64::Base64;
use feed::FeedReader;
use quoted::Quoted;
use std::io::{self, Read};

pub type Base64Reader<R> = FeedReader<R, Base64>;
pub type QuotedReader<R> = FeedReader<R, Quoted>;

/// A content transfer encoding (RFC 2045 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// 7bit, 8bit and binary; also where none is given.
    Identity,
    Base64,
    QuotedPrintable,
    /// The body means nothing to this server.
    Unknown,
}

impl Encoding {
    /// By the token of a Content-Transfer-Encoding field.
    pub fn of(token: Option<&[u8]>) -> Self {
        const IDENTITY: [&[u8]; 4] = [b"7bit", b"8bit", b"binary", b""];
        let token = token.unwrap_or_default();
        if IDENTITY.iter().any(|t| t.eq_ignore_ascii_case(token)) {
            Self::Identity
        } else if token.eq_ignore_ascii_case(b"base64") {
            Self::Base64
        } else if token.eq_ignore_ascii_case(b"quoted-printable") {
            Self::QuotedPrintable
        } else {
            Self::Unknown
        }
    }
}

/// A body without its transfer encoding, out of raw bytes of the file; lines
/// end with CRLF where the encoding is one for text.
pub enum Decoded<R> {
    Identity(CrlfReader<R>),
    Base64(Base64Reader<R>),
    Quoted(QuotedReader<CrlfReader<R>>),
}

impl<R: Read> Decoded<R> {
    /// # Errors
    /// [`Error::UnknownEncoding`]
    pub fn new(raw: R, encoding: Encoding) -> Result<Self, Error> {
        Ok(match encoding {
            Encoding::Identity => Self::Identity(CrlfReader::new(raw, Nul::Keep)),
            Encoding::Base64 => Self::Base64(Base64Reader::new(raw)),
            Encoding::QuotedPrintable => {
                Self::Quoted(QuotedReader::new(CrlfReader::new(raw, Nul::Keep)))
            }
            Encoding::Unknown => return Err(Error::UnknownEncoding),
        })
    }
}

/// A whole body without its transfer encoding, in `scratch` where there is
/// one. Line ends stay as they are.
pub fn decode_whole<'a>(raw: &'a [u8], encoding: Encoding, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    scratch.clear();
    match encoding {
        Encoding::Identity | Encoding::Unknown => return raw,
        Encoding::Base64 => feed::decode::<Base64>(raw, scratch),
        Encoding::QuotedPrintable => feed::decode::<Quoted>(raw, scratch),
    }
    scratch
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Identity(r) => r.read(buf),
            Self::Base64(r) => r.read(buf),
            Self::Quoted(r) => r.read(buf),
        }
    }
}
