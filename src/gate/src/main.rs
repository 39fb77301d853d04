use std::process::ExitCode;

fn main() -> ExitCode {
    match roost_gate::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roost-gate: {error}");
            ExitCode::FAILURE
        }
    }
}
