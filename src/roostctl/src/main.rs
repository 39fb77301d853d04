#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    roostctl::main(std::env::args_os())
}
