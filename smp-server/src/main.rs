//! The program `smp-server`.

mod cli;

use std::process::ExitCode;

use smp_transport::causes::with_causes;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
