//! The program `smp-bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match smp_bench::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
