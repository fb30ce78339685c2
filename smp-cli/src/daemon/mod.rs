//! `smp daemon`: the process that holds an identity for long, and does for others what they ask.
//!
//! Messages that come are kept and shown by nobody: they wait for the next `smp listen`, or go to bots if there is an interface for them. The other
//! commands ask over the private socket that every long-lived command has.

mod settings;

use serde_json::json;

use crate::args::BotArgs;
use crate::bot_api::BotApi;
use crate::commands::{Stop, Tidy, explain};
use crate::exit::Exit;
use crate::output::Output;
use crate::session::Session;

/// Receives until it is told to stop.
pub(crate) async fn run(args: BotArgs, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let mut stop = Stop::new()?;
    let api = match (settings::of(args)?, session.follow()) {
        (Some(settings), Some(follow)) => Some(BotApi::start(settings, follow).await?),
        _ => None,
    };
    let places = api.as_ref().map(BotApi::places).unwrap_or_default();
    let sentence = match places {
        [] => "Serving other commands; Ctrl-C or SIGTERM ends it.".to_owned(),
        places => {
            format!("Serving bots at {}, and other commands; Ctrl-C or SIGTERM ends it.", places.join(", "))
        }
    };
    output.note("serving", json!({ "bots": places }), &sentence);
    if let Some(open) = api.as_ref().map(BotApi::open_places).filter(|open| !open.is_empty()) {
        let sentence = format!(
            "Others on the network can read what goes over {}, the token too: use --bot-tls-certificate and --bot-tls-key, or a tunnel.",
            open.join(", ")
        );
        output.note("unencrypted", json!({ "bots": open }), &sentence);
    }
    let ended = receive(session, &mut stop, output).await;
    if let Some(api) = api {
        api.stop().await;
    }
    ended.map(|()| Exit::DONE)
}

async fn receive(session: &mut Session, stop: &mut Stop, output: &Output) -> anyhow::Result<()> {
    let mut tidy = Tidy::new();
    loop {
        tokio::select! {
            notice = session.next() => explain(&notice?, output),
            () = tidy.wait() => tidy.run(session).await?,
            () = stop.wait() => return Ok(()),
        }
    }
}
