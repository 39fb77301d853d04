//! What is known of messages without opening their files.
//!
//! Of each message some records are made when somebody asks, and kept in the
//! mailbox's pieces. Three are made of the header together: sizes, dates,
//! header fields and base subject; the ENVELOPE; the texts that SEARCH looks
//! at. BODYSTRUCTURE with the places of the parts, and the preview, are made
//! each for itself.
//!
//! What must stay true:
//! - an answer out of records is the same, octet for octet, as one made from
//!   the file;
//! - what a record does not say is asked of the file: [`Field::NotKept`] and
//!   `None` never mean that the message lacks it;
//! - a record that is damaged or of another version is made anew.

mod answers;
mod envelope;
mod head;
mod known;
mod make;
mod names;
mod reader;
mod structure;
#[cfg(test)]
mod tests;
pub(crate) mod texts;
mod wants;

pub(crate) use answers::Answers;
pub use head::KeptFields;
pub use known::{Facts, Field, WantedFields};
pub use names::FieldId;
pub use reader::FactsReader;
pub use wants::Wants;

/// Records by their column among the pieces.
const HEAD: u8 = 0;
const ENVELOPE: u8 = 1;
/// What searches look at.
const TEXTS: u8 = 2;
const STRUCTURE: u8 = 3;
const PREVIEW: u8 = 4;
