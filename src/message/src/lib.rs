//! RFC 5322 and MIME as an IMAP server needs them: where each part of a
//! message lies, what its header says, and its text decoded for searching.
//!
//! Messages come from strangers and lie on disk with LF, CRLF or a mixture of
//! both. What must stay true:
//!
//! - No message is an error. Whatever cannot be understood is served as it
//!   stands; only I/O fails.
//! - No message is held in memory. The scanner reads in chunks and keeps the
//!   few header fields that structures and envelopes are made of, all under
//!   [`Limits`].
//! - Offsets are those of the file; sizes for clients are as if every LF were
//!   CRLF (a CR that stands alone stays).
//! - Header text is kept raw: encoded words and the percent signs of RFC 2231
//!   are left as they stand, and decoded for searching only. Values of
//!   parameters in pieces are put together.

#![forbid(unsafe_code)]

pub mod address;
pub mod collate;
mod continuation;
pub mod crlf;
pub mod date;
pub mod decode;
pub mod envelope;
mod error;
pub mod fields;
pub mod filter;
pub mod header;
mod lexer;
mod limits;
pub mod mime;
pub mod places;
pub mod preview;
mod scan;
pub mod search;
pub mod section;
mod span;
mod structure;
pub mod subject;
pub mod thread;

#[cfg(test)]
mod tests;

pub use address::Address;
pub use envelope::Envelope;
pub use error::Error;
pub use limits::Limits;
pub use mime::MediaType;
pub use places::Places;
pub use scan::{scan, scan_bytes};
pub use section::Section;
pub use span::{Pos, Span};
pub use structure::{Content, Part, Structure};
