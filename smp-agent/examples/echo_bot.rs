//! A bot that lets in whoever has its invitation, and answers each message with the same one.
//!
//! `cargo run -p smp-agent --example echo_bot -- DIRECTORY smp://FINGERPRINT@HOST`

use smp_agent::{Agent, Event, RelayAddress};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, relay] = &arguments[..] else {
        return Err("give a directory for the bot's state, and the address of a relay".into());
    };
    let (agent, mut events) =
        Agent::builder(directory).relays([relay.parse::<RelayAddress>()?]).open().await?;
    if agent.connections().await?.is_empty() {
        let (_, link) = agent.create_invitation().await?;
        println!("{link}");
    }
    while let Some(delivery) = events.next().await? {
        match &delivery.event {
            Event::Confirmation { connection, .. } => agent.connection(*connection).accept(b"").await?,
            // After a crash before `done` the message comes again: with its number as the key it is answered once.
            Event::Message { connection, id, body, .. } => {
                let key = id.number().to_be_bytes();
                agent.connection(*connection).send_once(&key, body).await?;
            }
            Event::RelayDown { relay, error } => eprintln!("{relay}: {error}"),
            _ => {}
        }
        delivery.done().await?;
    }
    Ok(())
}
