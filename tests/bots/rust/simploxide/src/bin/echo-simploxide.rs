//! An echo bot on the SDK `simploxide-client` of crates.io.

use std::error::Error;
use std::sync::Arc;

use simploxide_client::prelude::*;
use simploxide_client::ws::{self, ClientResult};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::var("BOT_PORT").as_deref().unwrap_or("5225").parse()?;
    let builder = ws::BotBuilder::new("Echo Bot", port).auto_accept_with("Hello");
    let (bot, events) = builder.connect().await?;
    println!("address {}", bot.address().await?);
    events.into_dispatcher(bot).on(echo).dispatch().await?;
    Ok(())
}

async fn echo(event: Arc<NewChatItems>, bot: ws::Bot) -> ClientResult<StreamEvents> {
    for (chat, message, content) in event.chat_items.filter_messages() {
        if let Some(text) = content.text() {
            bot.send_msg(chat, format!("echo {text}")).reply_to(message).await?;
        }
    }
    Ok(StreamEvents::Continue)
}
