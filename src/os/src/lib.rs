//! What Roost asks of the kernel: directories listed whole, files that survive
//! a crash, descriptors passed between processes, identities taken and given up.
//!
//! This is the only crate below the PAM wrapper that may hold unsafe code;
//! every block says why it is sound. Errors are [`std::io::Error`], so that
//! callers see the kernel's own code. Every descriptor made here has
//! close-on-exec set; what a child is to inherit is named to [`spawn`].

pub mod clock;
pub mod dir;
pub mod fdpass;
pub mod file;
pub mod identity;
pub mod inotify;
pub mod limits;
pub mod local;
pub mod memory;
pub mod net;
pub mod parting;
pub mod plain_root;
pub mod spawn;

pub use identity::{GroupId, UserId};
