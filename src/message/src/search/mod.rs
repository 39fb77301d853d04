//! Searching: true substrings by `i;unicode-casemap`, over decoded text.
//!
//! Text streams through; only as much is kept as a needle is long. Parts and
//! header fields are searched one by one, so that nothing matches across the
//! border of two.

mod bytes;
mod fold;
mod message;

pub use bytes::{Scratch, in_bytes};
pub use fold::{Haystack, Needle, fold_field};
pub use message::{Source, in_header, in_message};
