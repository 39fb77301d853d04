//! The store against real directories: its own changes, those of others, and
//! both at once.

// The lint's exception covers test functions, not what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod acl;
mod append;
mod beside;
mod copy;
mod events;
mod flags;
mod index;
mod large;
mod leftovers;
mod media;
mod odd;
mod outside;
mod properties;
mod quota;
mod readers;
mod status;
mod stress;
mod support;
mod watch;
