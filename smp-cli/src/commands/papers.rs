//! `smp completions` and `smp man`: what shells and `man` know of the commands.

use std::io;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use crate::args::Cli;
use crate::exit::Exit;
use crate::output::Output;

/// Prints a script that completes commands in this shell.
pub(crate) fn completions(shell: Shell, output: &Output) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "smp", &mut script);
    output.out(String::from_utf8(script).context("The script is not text")?.trim_end());
    Ok(Exit::DONE)
}

/// Writes a page for each command.
pub(crate) fn man(dir: &Path, output: &Output) -> anyhow::Result<Exit> {
    let write = || -> io::Result<()> {
        std::fs::create_dir_all(dir)?;
        clap_mangen::generate_to(Cli::command(), dir)
    };
    write().with_context(|| format!("The pages cannot be written to {}", dir.display()))?;
    let directory = dir.display().to_string();
    output.result("pages", json!({ "dir": directory }), &format!("The pages are in {directory}."));
    Ok(Exit::DONE)
}
