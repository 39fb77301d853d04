//! The messages, by the role that understands them.
//!
//! ```text
//! gate ─ Start, Response, Cancel ─► auth           one login attempt
//! gate ◄─ Continue, Outcome ─────── auth
//!                auth ─ Grant ────► supervisor      before the gate hears Granted
//! gate ─ Handover + fd ───────────► supervisor      refused without its Grant
//!          supervisor ─ Session + fd ──► worker
//!          supervisor ◄─ SessionStarted ─ worker
//! gate ◄─ HandoverDone ── supervisor
//!
//! worker of A ─ OpenForeign ──────► supervisor ─ Lookup ─► auth
//!                                   supervisor ◄─ Found ── auth
//!          supervisor ─ Session + fd ──► worker of B, with A as the asker
//! worker of A ◄─ ForeignOpened + fd ─ supervisor    once B's has begun
//!
//! roostctl ─ Maintain ────────────► supervisor ─ Maintain + fd ──► worker
//! roostctl ◄─ Finding, Indexed, Done ────────────────────────── worker
//!
//! roostctl ─ Who ─► supervisor ─ Who ─► gate, workers
//! roostctl ◄─ Sessions, Done ─ supervisor ◄─ Strangers, Doings ─ gate, workers
//! roostctl ─ Stats ► supervisor ─ Stats ► gate, workers, and back likewise
//! ```

mod auth;
mod common;
mod control;
mod gate;
mod worker;

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod tests;

pub use crate::codec::Bytes;
pub use auth::*;
pub use common::*;
pub use control::*;
pub use gate::*;
pub use worker::*;
