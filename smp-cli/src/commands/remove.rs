//! `smp remove`: end a connection and forget everything about it.

use std::process::ExitCode;

use serde_json::json;

use crate::args::RemoveArgs;
use crate::output::Output;
use crate::session::Session;

pub(super) async fn run(args: &RemoveArgs, session: &Session, output: Output) -> anyhow::Result<ExitCode> {
    let contact = session.book().require(&args.contact).await?;
    session.remove(&contact).await?;
    let sentence = format!("{} is removed, with all that was kept of them.", contact.name);
    output.result("removed", json!({ "contact": contact.name }), &sentence);
    Ok(ExitCode::SUCCESS)
}
