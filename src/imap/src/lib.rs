//! IMAP4rev1 and IMAP4rev2 on the wire: bytes to commands, responses to bytes.
//!
//! No I/O happens here, so that the same code serves the process before login
//! and the one that holds the mail, and can be tested with plain byte strings.
//! [`frame`] splits a stream into commands under limits and stays in step with
//! the client whatever it sends; [`mod@parse`] turns one command into a
//! [`command::Command`]; [`mod@write`] and [`code`] append responses to a buffer.
//! Nothing a client sends may panic, recurse or allocate without a limit.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod chars;
pub mod code;
pub mod command;
pub mod frame;
pub mod parse;
pub mod write;

pub use code::{Ids, MetadataCode, ResponseCode};
pub use command::{Command, CommandKind, Request, State, Tag};
pub use frame::{Frame, Framer, Limits};
pub use parse::{ParseError, parse};
