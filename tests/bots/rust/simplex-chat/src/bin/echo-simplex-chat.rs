//! An echo bot on the SDK `simplex-chat` of crates.io.

use std::error::Error;

use serde_json::{Value, json};
use simplex_chat::ChatClient;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("BOT_URL").unwrap_or_else(|_| "ws://localhost:5225".to_owned());
    let mut chat = ChatClient::start(&url).await?;
    chat.api_get_active_user().await?;
    chat.api_chats().await?;
    let address = match chat.api_get_user_address().await? {
        Some(address) => address,
        None => chat.api_create_user_address().await?,
    };
    chat.send_command("/auto_accept on").await?;
    println!("address {address}");
    loop {
        let event = serde_json::to_value(chat.next_message().await?)?;
        for item in event["resp"]["chatItems"].as_array().into_iter().flatten() {
            let (contact, item) = (&item["chatInfo"]["contact"]["contactId"], &item["chatItem"]);
            if let (Some(contact), Some(text), "directRcv") =
                (contact.as_u64(), item["meta"]["itemText"].as_str(), kind(item))
            {
                let messages = json!([{ "msgContent": { "type": "text", "text": format!("echo {text}") } }]);
                chat.send_command(&format!("/_send @{contact} json {messages}")).await?;
            }
        }
    }
}

fn kind(item: &Value) -> &str {
    item["chatDir"]["type"].as_str().unwrap_or_default()
}
