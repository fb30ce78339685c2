//! `smp tui`: all conversations in one screen.
//!
//! `app` is the state, pure: keys and what happened go in, requests come out. `view` draws it. `driver` waits for keys and for what
//! happens, `work` does what is asked for with the session, and `screen` takes the terminal and gives it back.

mod app;
mod driver;
mod editor;
mod help;
mod screen;
mod view;
mod work;
mod wrap;

use std::io::{IsTerminal as _, stderr, stdin, stdout};

use anyhow::bail;

pub(crate) use self::driver::run;
use crate::output::Output;

/// Refuses, before anything else is looked at, where there is no terminal to draw in, or no place for a log.
pub(crate) fn refuse(verbose: u8, output: &Output) -> anyhow::Result<()> {
    if output.is_json() {
        bail!("`smp tui` is for people; programs use `smp --json listen` and `smp --json send`");
    }
    if !stdin().is_terminal() || !stdout().is_terminal() {
        bail!("`smp tui` needs a terminal; in a pipe use `smp listen`, `smp history` and `smp send`");
    }
    if std::env::var("TERM").is_ok_and(|name| name == "dumb") {
        bail!(
            "This terminal (TERM=dumb) cannot show `smp tui`; use `smp chat CONTACT`, or `smp listen` and `smp send`"
        );
    }
    if verbose > 0 && stderr().is_terminal() {
        bail!(
            "The log of --verbose would be drawn over the screen; write it into a file: smp -v tui 2> FILE"
        );
    }
    Ok(())
}
