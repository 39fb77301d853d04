//! Searching: true substrings without regard to case, over decoded text.
//!
//! Text streams through; only as much is kept as a needle is long. Parts and
//! header fields are searched one by one, so that nothing matches across the
//! border of two.

mod fold;
mod message;

pub use fold::{Haystack, Needle};
pub use message::{Source, in_header, in_message};
