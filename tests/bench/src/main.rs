//! `roost-bench`: the command line; the rest is the library.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    match roost_bench::run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("roost-bench: {e}");
            ExitCode::FAILURE
        }
    }
}
