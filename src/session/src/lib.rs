//! IMAP sessions: everything between the protocol and the store.
//!
//! A [`Session`] is a state machine without sockets. Its driver takes frames
//! from `roost_imap::Framer`, hands them to [`Session::take`], calls
//! [`Session::step`] as long as there is [`Progress::More`], and writes out
//! what was appended to the buffer between the calls, so that a client that
//! does not read holds no thread and no lock. All calls may block on the disk.
//!
//! A command is one file in [`cmd`]. What is done in one go is a function;
//! what may take long is a [`Job`] whose steps are bounded
//! ([`job::STEP_OCTETS`], [`job::STEP_MESSAGES`]). When a command is done, the
//! session itself moves the [`View`] to the newest picture, writes what
//! changed, and only then the tagged response; jobs never do that.
//!
//! What must stay true:
//! - between two commands the numbers of the view are those that the client
//!   has counted itself from what it was told (`tests::replay` proves it);
//! - EXPUNGE is never sent for FETCH, STORE and SEARCH (RFC 9051 §7.5.1):
//!   messages that are gone stay in the view as ghosts until another command;
//! - errors become words for the client in one place, [`error`].

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod activity;
mod attention;
pub mod changes;
pub mod cmd;
mod crew;
pub mod enabled;
pub mod error;
pub mod facts;
mod flag_names;
mod foreign;
pub mod job;
pub mod link;
#[cfg(test)]
mod manual;
mod media;
mod memory;
pub mod names;
mod object_id;
mod own_seen;
pub mod pattern;
mod rights;
pub mod selected;
pub mod session;
pub mod settings;
mod tally;
mod told;
pub mod view;

#[cfg(test)]
mod tests;

pub use activity::{Activity, Doing};
pub use enabled::Enabled;
pub use error::{Error, Fatal};
pub use job::{Job, Reply, Step};
pub use link::{Ask, LinkError, LinkId};
pub use media::has_media;
pub use names::Names;
pub use selected::Selected;
pub use session::{Alias, Asker, Counters, End, Identity, Progress, Session};
pub use settings::{Settings, SharesHook};
pub use tally::{Counted, Tally};
pub use view::{View, ViewRow};
