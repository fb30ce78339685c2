//! `smp mute`: a contact whose messages are kept and make no line.

use serde_json::json;

use crate::args::MuteArgs;
use crate::exit::Exit;
use crate::names::argument;
use crate::output::Output;
use crate::session::Session;

pub(super) async fn run(args: &MuteArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&args.contact.name).await?;
    let is_muted = args.switch.is_on();
    session.book().set_muted(&contact, is_muted).await?;
    let name = &contact.name;
    let sentence = match is_muted {
        true => format!("{name} is muted: their messages wait for `smp chat` or `smp history`."),
        false => format!("{name} is not muted any more; `smp listen` shows what waits."),
    };
    output.result(if is_muted { "muted" } else { "unmuted" }, json!({ "contact": name }), &sentence);
    if is_muted {
        output.hint(&format!("To end it: smp mute {} off", argument(name)));
    }
    Ok(Exit::DONE)
}
