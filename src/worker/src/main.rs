//! The worker's executable; see the library.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    roost_worker::main()
}
