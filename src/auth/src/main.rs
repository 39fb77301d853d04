use std::process::ExitCode;

fn main() -> ExitCode {
    match roost_auth::run(std::env::args()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roost-auth: {error}");
            ExitCode::FAILURE
        }
    }
}
