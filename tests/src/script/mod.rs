//! Conversations as data: what several sessions say to a server and what it
//! must answer. `tests/conversations/README.md` describes the form.

pub mod parse;
pub mod pattern;
pub mod run;

pub use parse::{Script, parse_file};
pub use run::{Target, run};
