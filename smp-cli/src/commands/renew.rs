//! `smp rotate` and `smp sync`: another relay, or new keys, for a contact that stays.

use serde_json::json;

use crate::args::{RotateArgs, SyncArgs};
use crate::exit::Exit;
use crate::output::Output;
use crate::relays::parse_relays;
use crate::session::Session;

pub(super) async fn rotate(args: &RotateArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&args.contact.name).await?;
    let relay = parse_relays(args.relay.as_slice())?.pop();
    session.rotate(&contact, relay.as_ref()).await?;
    let name = &contact.name;
    let sentence = format!("What {name} sends will be received on another relay.");
    output.result("rotating", json!({ "contact": name }), &sentence);
    output.hint("It needs both of you: keep `smp listen` running. Messages go both ways meanwhile.");
    Ok(Exit::DONE)
}

pub(super) async fn sync(args: &SyncArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&args.contact.name).await?;
    session.renew_encryption(&contact, args.force).await?;
    let name = &contact.name;
    output.result(
        "renewing",
        json!({ "contact": name }),
        &format!("The encryption with {name} is being renewed."),
    );
    output.hint(
        "It needs both of you: keep `smp listen` running. Texts wait until they have answered; compare security codes again then: smp verify.",
    );
    Ok(Exit::DONE)
}
