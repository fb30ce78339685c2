//! `smp rename`: another name for a contact, here only.

use serde_json::json;

use crate::args::RenameArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::Session;

pub(super) async fn run(args: &RenameArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&args.contact.name).await?;
    session.book().rename(&contact, &args.name).await?;
    let fields = json!({ "contact": args.name, "before": contact.name });
    output.result("contact_renamed", fields, &format!("{} is {} from now on.", contact.name, args.name));
    Ok(Exit::DONE)
}
