//! `smp daemon`: the process that holds an identity for long, and does for others what they ask.
//!
//! Messages that come are kept and shown by nobody: they wait for the next `smp listen`. The other commands ask over the private socket that
//! [`shared`](crate::shared) serves for every long-lived command.

use serde_json::json;

use crate::commands::{Stop, Tidy, explain};
use crate::exit::Exit;
use crate::output::Output;
use crate::session::Session;

/// Receives until it is told to stop.
pub(crate) async fn run(session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let mut stop = Stop::new()?;
    let mut tidy = Tidy::new();
    output.note("serving", json!({}), "Serving other commands; Ctrl-C or SIGTERM ends it.");
    loop {
        tokio::select! {
            notice = session.next() => explain(&notice?, output),
            () = tidy.wait() => tidy.run(session).await?,
            () = stop.wait() => return Ok(Exit::DONE),
        }
    }
}
