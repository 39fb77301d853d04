//! What Roost's processes may say to each other.
//!
//! Each direction between two roles is one enum, so that a role can neither
//! send nor understand what is not its business. Messages travel over
//! `SOCK_SEQPACKET` pairs with descriptors beside them. Everything received is
//! checked: lengths, counts, numbers, the number of descriptors; a peer that
//! sends anything else gets a typed error here and is ended by the supervisor.

#![forbid(unsafe_code)]

mod channel;
mod codec;
pub mod log;
pub mod message;
pub mod secret;
mod wire;

pub use channel::{BlockingChannel, Channel, Error, Receiver, Sender, recv_single};
pub use codec::{DecodeError, EncodeError, Message};
pub use message::*;
pub use roost_types::{DirectoryEncoding, Fsync, LogLevel, LogStyle};
pub use secret::Secret;
