//! The program `smp-bench`.

#![allow(clippy::disallowed_methods, reason = "a program runs with the time and chance of this machine")]

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
