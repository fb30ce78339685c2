//! `contacts`: the list of many contacts, beside `sqlite3`, which prints the same rows of the same file.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;

use super::Subject;
use super::identity::{Identity, succeed};
use crate::conversations::Size;
use crate::outcome::Outcome;
use crate::statistics::Summary;

/// The statement given to `sqlite3`.
const ROWS: &str = "SELECT name, status, verified_code IS NOT NULL, link FROM contacts ORDER BY id";

/// Options of `contacts`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program `smp`
    #[arg(long, default_value = "target/dist/smp")]
    program: PathBuf,
    /// SQLite's program
    #[arg(long, default_value = "sqlite3")]
    sqlite: PathBuf,
    /// Contacts, each with a connection of the agent and twenty messages
    #[arg(long, default_value_t = 1000)]
    contacts: i64,
    /// Lists of each, in turn
    #[arg(long, default_value_t = 41)]
    lists: usize,
}

pub(super) async fn run(options: &Options, subject: &Subject) -> Result<Outcome> {
    let size = Size { contacts: options.contacts, messages: options.contacts * 20 };
    let identity = Identity::make(&options.program, &subject.target, size).await?;
    let (ours, theirs) = tokio::task::block_in_place(|| measure(options, &identity))?;
    let mut outcome =
        Outcome::new("contacts", &subject.target.name, 0, format!("{} contacts", options.contacts));
    let median = |times: &[f64]| Summary::of(times).context("no list was measured").map(|times| times.median);
    let (ours, theirs) = (median(&ours)?, median(&theirs)?);
    outcome.add("smp contacts, median", ours, "ms");
    outcome.add("sqlite3, median", theirs, "ms");
    outcome.add("ratio", ours / theirs, "times");
    identity.clean_up().await?;
    Ok(outcome)
}

/// Milliseconds of each list, ours and that of `sqlite3`.
fn measure(options: &Options, identity: &Identity) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.lists.max(1) {
        ours.push(millis_of(identity.smp(&["contacts"]))?);
        let mut sqlite = Command::new(&options.sqlite);
        sqlite.arg(identity.book()).arg(ROWS);
        theirs.push(millis_of(sqlite)?);
    }
    Ok((ours, theirs))
}

fn millis_of(command: Command) -> Result<f64> {
    let begun = Instant::now();
    succeed(command)?;
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}
