//! The supervisor with stand-ins for the other roles: this program itself,
//! under their names. So that what a gate, an auth or a worker may do wrong
//! can be done on purpose.

// A program of its own for the lints, but nothing else than a test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cases;
mod fake;
mod host;
mod linger;

use std::path::Path;

fn main() {
    let name = std::env::args_os().next().unwrap_or_default();
    match Path::new(&name).file_name().and_then(|n| n.to_str()) {
        Some("roost-gate") => fake::gate::run(),
        Some("roost-auth") => fake::auth::run(),
        Some("roost-worker") => fake::worker::run(),
        _ => cases::run_all(),
    }
}
