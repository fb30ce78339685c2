//! New texts on the screen.

use serde_json::json;
use time::OffsetDateTime;

use crate::book::NewText;
use crate::output::Output;
use crate::session::Session;
use crate::text::{clock, visible};

/// Shows texts that arrived and were not shown yet; returns how many. A text is forgotten only after it is on the screen: if
/// this program is killed in between it is shown again, with the same `id`. A session that follows another one leaves them to it.
pub(super) async fn show_new_texts(session: &Session, output: &Output) -> anyhow::Result<u64> {
    if !session.shows_texts() {
        return Ok(0);
    }
    let texts = session.new_texts().await?;
    for text in &texts {
        let sentence = text_line(text);
        output.result(
            "message",
            json!({ "id": text.key(), "contact": text.contact, "at": text.at, "kind": text.kind, "text": text.text }),
            &sentence,
        );
        session.book().shown(text).await?;
    }
    if !texts.is_empty() {
        session.book().clean().await?;
    }
    Ok(texts.len() as u64)
}

/// One line per text; further lines of a text are set in, so that none can pass for a message of its own.
pub(super) fn text_line(text: &NewText) -> String {
    let clock = clock(text.at, OffsetDateTime::now_utc());
    format!("{clock} {}: {}", text.contact, visible(&text.text).replace('\n', "\n         "))
}
