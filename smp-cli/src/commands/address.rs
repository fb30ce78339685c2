//! `smp address`: the contact address, by which anybody can ask to connect.

use anyhow::bail;
use serde_json::json;
use smp_agent::{ConnectionSummary, ShortLinkScheme};
use smp_chat::Status;

use super::notices::tell_no_short_link;
use crate::args::{AddressArgs, ShownLink, Switch};
use crate::exit::Exit;
use crate::output::{Code, Output};
use crate::session::Session;

pub(super) async fn run(args: &AddressArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    match args {
        AddressArgs::Create { shown, auto_accept } => {
            let address = match session.address().await? {
                // Also after a kill before it was shown.
                Some(address) => {
                    output.hint("This is your contact address; there is one already.");
                    address
                }
                None => create(session).await?,
            };
            let address = match *auto_accept {
                true => switch(&address, true, session).await?,
                false => address,
            };
            show(&address, shown, session, output).await?;
        }
        AddressArgs::Show { shown } => show(&existing(session).await?, shown, session, output).await?,
        AddressArgs::AutoAccept { switch: on } => {
            let address = switch(&existing(session).await?, *on == Switch::On, session).await?;
            let sentence = match address.auto_accept {
                true => {
                    "From now on everybody who asks is let in, while a command runs here that receives, as `smp listen` does."
                }
                false => {
                    "From now on you are asked: `smp listen` and `smp contacts` say who asks; `smp accept NAME` or `smp refuse NAME` answers."
                }
            };
            output.result("auto_accept", json!({ "auto_accept": address.auto_accept }), sentence);
        }
        AddressArgs::Delete => {
            let address = existing(session).await?;
            session.agent().connection(address.id).delete().await?;
            let sentence = "Your contact address is deleted: nobody can ask by it any more. Contacts stay.";
            output.result("address_deleted", json!({}), sentence);
        }
    }
    Ok(Exit::DONE)
}

async fn existing(session: &Session) -> anyhow::Result<ConnectionSummary> {
    match session.address().await? {
        Some(address) => Ok(address),
        None => bail!("You have no contact address; make one with: smp address create"),
    }
}

async fn create(session: &Session) -> anyhow::Result<ConnectionSummary> {
    session.agent().create_address(&session.shown_with_link(), None).await?;
    existing(session).await
}

async fn switch(
    address: &ConnectionSummary,
    on: bool,
    session: &Session,
) -> anyhow::Result<ConnectionSummary> {
    let own_info = session.own_info();
    session.agent().connection(address.id).set_auto_accept(on.then_some(own_info.as_slice())).await?;
    existing(session).await
}

/// The code comes last, so that nothing moves it off the screen.
async fn show(
    address: &ConnectionSummary,
    shown: &ShownLink,
    session: &Session,
    output: &Output,
) -> anyhow::Result<()> {
    let short = address.short_invitation.as_ref().filter(|_| !shown.full);
    let link = match (short, &address.invitation) {
        (Some(short), _) => short.to_uri(ShortLinkScheme::Simplex),
        (None, Some(full)) => {
            if !shown.full {
                tell_no_short_link(output);
            }
            full.to_string()
        }
        (None, None) => {
            bail!("The link of your contact address is lost; make another one: smp address delete, create")
        }
    };
    let asking = session.book().contacts().await?;
    let asking = asking.into_iter().filter(|contact| contact.status == Status::Requested);
    let names: Vec<String> = asking.map(|contact| contact.name).collect();
    let fields = json!({ "link": link, "auto_accept": address.auto_accept, "requests": names });
    output.result("address", fields, &link);
    output.hint(
        "\nAnybody who has this link (or the QR code) can ask to connect, as often as you like to give it.",
    );
    output.hint("They ask with: smp join LINK, or by scanning it in a SimpleX app.");
    output.hint(match address.auto_accept {
        true => "Everybody who asks is let in; keep `smp listen` running for that.",
        false => "`smp listen` and `smp contacts` say who asks; then: smp accept NAME, or smp refuse NAME.",
    });
    if !names.is_empty() {
        output.hint(&format!("Waiting for your answer: {}.", names.join(", ")));
    }
    output.hint("");
    let again = if shown.full { "smp address show --full" } else { "smp address show" };
    output.code(&Code::link(&link, Some(again)))
}
