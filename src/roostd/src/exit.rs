//! Exit codes of sysexits.h, so that scripts and systemd can tell a wrong
//! configuration from a wrong machine.

pub const OK: u8 = 0;
/// The command line was used wrongly.
pub const USAGE: u8 = 64;
/// A service that is needed is not there (a port that is taken).
pub const UNAVAILABLE: u8 = 69;
/// An internal error.
pub const SOFTWARE: u8 = 70;
/// An error of the operating system, such as "cannot fork".
pub const OSERR: u8 = 71;
/// A file of the system's is missing or cannot be opened.
pub const OSFILE: u8 = 72;
/// An output file cannot be made.
pub const CANTCREAT: u8 = 73;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;
