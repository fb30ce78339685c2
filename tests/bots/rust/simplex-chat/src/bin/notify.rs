//! Tells a contact how a job has ended: `notify CONTACT TEXT`, on the SDK `simplex-chat` of crates.io.
//!
//! In a pipeline: `make test || notify alice "the tests of $CI_COMMIT_SHA failed"`. The exit code says whether the daemon has the message.

use std::error::Error;

use serde_json::json;
use simplex_chat::{ChatClient, ChatResponse};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let contact = words.next().ok_or("notify CONTACT TEXT")?;
    let text = words.collect::<Vec<_>>().join(" ");
    let url = std::env::var("BOT_URL").unwrap_or_else(|_| "ws://localhost:5225".to_owned());
    let mut chat = ChatClient::start(&url).await?;
    let messages = json!([{ "msgContent": { "type": "text", "text": text } }]);
    match chat.send_command(&format!("/_send @'{contact}' json {messages}")).await? {
        ChatResponse::NewChatItems { .. } => Ok(()),
        answer => Err(format!("not sent: {answer:?}").into()),
    }
}
