//! `smp remove`: end a connection and forget everything about it.

use serde_json::json;

use crate::args::RemoveArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::Session;

pub(super) async fn run(args: &RemoveArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.book().require(&args.contact).await?;
    session.remove(&contact).await?;
    let sentence = format!("{} is removed, with all that was kept of them.", contact.name);
    output.result("removed", json!({ "contact": contact.name }), &sentence);
    Ok(Exit::DONE)
}
