//! What Roost's tests have in common: servers started for one test on ports
//! of their own, a plain client, conversations as data, and the mail for them.
//!
//! Nothing here touches the machine outside the test's folders and the mount
//! namespace that `tests/in-namespace` makes.

#![forbid(unsafe_code)]
// A test that cannot go on ends there and then.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

pub mod booted;
pub mod chroot;
pub mod client;
pub mod courier;
pub mod ctl;
pub mod dovecot;
pub mod mail;
pub mod maildir;
pub mod process;
pub mod replay;
pub mod roost;
pub mod script;
pub mod site;
pub mod state;
pub mod syslogd;
pub mod terminal;
pub mod tls;
