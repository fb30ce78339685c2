//! `smp`: make contacts by link or QR code, and talk with them.

#![allow(clippy::disallowed_methods, reason = "a program runs with the time and chance of this machine")]

mod args;
mod book_key;
mod bot;
mod bot_api;
mod commands;
mod daemon;
mod data_dir;
mod demo;
mod dispatch;
mod exit;
mod files;
mod full_disk;
mod names;
mod network;
mod output;
mod passphrase;
mod probe;
mod qr;
mod reach;
mod relays;
mod scan;
mod session;
mod shared;
mod terminal;
mod text;
mod thumbnail;
mod trouble;
mod tui;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::runtime::Builder;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{Cli, Command};
use crate::output::Output;
use crate::terminal::Terminal;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    start_log(cli.verbose);
    let runtime = match threads_for(cli.command.as_ref()).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = anyhow::Error::new(error).context("The program cannot start its threads");
            Output::new(cli.json, Terminal::new(cli.json, None)).error(&error);
            return ExitCode::FAILURE;
        }
    };
    let exit = runtime.block_on(dispatch::run(cli));
    // A thread may still wait for the keyboard; it must not hold the program up.
    runtime.shutdown_background();
    exit.into()
}

/// Bytes of the stack of a thread, as the first one has it: without optimisation a command that another one of this process asks for needs more
/// than the two megabytes that others get.
const STACK: usize = 8 * 1024 * 1024;

/// A list takes less time than starting threads for it.
fn threads_for(command: Option<&Command>) -> Builder {
    match command {
        Some(Command::Contacts(_)) => Builder::new_current_thread(),
        _ => {
            let mut threads = Builder::new_multi_thread();
            threads.thread_stack_size(STACK);
            threads
        }
    }
}

/// Says what is wrong with the arguments, or prints the help that was asked for. A program that asks for JSON gets an object.
fn refused(error: &clap::Error) -> ExitCode {
    let is_help = !error.use_stderr();
    if is_help || !std::env::args_os().any(|argument| argument == "--json") {
        error.exit();
    }
    let sentence = error.render().to_string();
    Output::new(true, Terminal::new(true, None)).error(&anyhow::anyhow!(sentence.trim().to_owned()));
    ExitCode::from(2)
}

fn start_log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}
