#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    roostd::main(std::env::args_os())
}
