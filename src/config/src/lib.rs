//! `roost.conf`: one table of keys, from which come the parser, the checks
//! and the sample file.
//!
//! Every key that a file may hold stands in [`KEYS`]; whatever else a file
//! holds is an error with file and line, and all errors are found in one run.
//! [`Config`] is plain data: who needs which part of it is decided by the
//! supervisor, the only process that reads the file.

#![forbid(unsafe_code)]

mod error;
mod hint;
mod keys;
#[cfg(test)]
mod manual;
mod model;
mod place;
mod quota;
mod resolve;
mod sample;
mod shown;
mod syntax;
mod value;

pub use error::ConfigError;
pub use keys::{KEYS, Key, Kind, Section};
pub use model::*;
pub use roost_accounts::{PathTemplate, TemplateError};
pub use shown::Setting;
