//! A bridge between one conversation and a webhook as Matrix bridges have them (`{"text", "username"}`), on the SDK `simploxide-client` of
//! crates.io.
//!
//! Messages of CONTACT are posted to WEBHOOK_URL; those that are posted to 127.0.0.1:LISTEN_PORT are sent to CONTACT.

use std::env::{self, var};
use std::error::Error;
use std::sync::Arc;

use serde_json::{Value, json};
use simploxide_client::prelude::*;
use simploxide_client::ws::{self, Client, ClientResult};
use tokio::runtime::Handle;

/// The webhook, and the contact whose messages go there.
#[derive(Clone)]
struct Bridge {
    contact: ContactId,
    name: String,
    webhook: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (name, webhook) = (var("CONTACT")?, var("WEBHOOK_URL")?);
    let url = var("BOT_URL").unwrap_or_else(|_| "ws://localhost:5225".to_owned());
    let (client, events) = ws::connect(&url).await?;
    let users = client.users().await?;
    let user = users.iter().find(|info| info.user.active_user).ok_or("no user")?;
    let contacts = client.contacts(user).await?;
    let contact = contacts.iter().find(|contact| contact.local_display_name == name);
    let contact = ContactId::from(contact.ok_or("there is no such contact")?);

    let server = tiny_http::Server::http(("127.0.0.1", port()?)).map_err(|error| error.to_string())?;
    println!("address {}", server.server_addr());
    let runtime = Handle::current();
    std::thread::spawn(move || serve(&server, &runtime, &client, contact));
    events.into_dispatcher(Bridge { contact, name, webhook }).on(forward).dispatch().await?;
    Ok(())
}

fn port() -> Result<u16, std::num::ParseIntError> {
    env::var("LISTEN_PORT").as_deref().unwrap_or("8090").parse()
}

async fn forward(event: Arc<NewChatItems>, bridge: Bridge) -> ClientResult<StreamEvents> {
    for (chat, _, content) in event.chat_items.filter_messages() {
        let (Some(text), true) = (content.text(), chat == bridge.contact.into()) else { continue };
        let message = json!({ "text": text, "username": bridge.name });
        let webhook = bridge.webhook.clone();
        // For https:// the library has a feature.
        let posted =
            tokio::task::spawn_blocking(move || minreq::post(webhook).with_json(&message)?.send()).await;
        if let Ok(Err(error)) = posted {
            eprintln!("not posted: {error}");
        }
    }
    Ok(StreamEvents::Continue)
}

/// Sends to the contact what is posted here.
fn serve(server: &tiny_http::Server, runtime: &Handle, client: &Client, contact: ContactId) {
    for mut request in server.incoming_requests() {
        let message: Option<Value> = serde_json::from_reader(request.as_reader()).ok();
        let text = message.as_ref().and_then(|message| message["text"].as_str());
        let sent = text.is_some_and(|text| {
            let username = message.as_ref().and_then(|message| message["username"].as_str());
            let text = username.map_or(text.to_owned(), |username| format!("{username}: {text}"));
            runtime.block_on(async { client.send_message(contact, text).await.is_ok() })
        });
        let _ = request.respond(tiny_http::Response::empty(if sent { 200 } else { 400 }));
    }
}
