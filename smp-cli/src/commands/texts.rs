//! New lines on the screen.

use serde_json::json;
use smp_chat::{NewLine, visible};
use time::OffsetDateTime;

use crate::output::Output;
use crate::session::Session;
use crate::text::{clock, unix_millis};

/// Shows lines that arrived and were not shown yet; returns how many. A line is forgotten only after it is on the screen: if
/// this program is killed in between it is shown again, with the same `id`. A session that follows another one leaves them to it.
pub(super) async fn show_new_texts(session: &Session, output: &Output) -> anyhow::Result<u64> {
    if !session.shows_texts() {
        return Ok(0);
    }
    // A program may want to know of muted contacts too, and learns that they are.
    let lines = match output.is_json() {
        true => session.book().all_new_lines().await?,
        false => session.book().new_lines().await?,
    };
    for new in &lines {
        let fields = json!({
            "id": new.key(),
            "contact": new.contact,
            "at": new.at,
            "kind": new.line.kind.name(),
            "text": new.line.text,
            "item": new.item,
            "muted": new.is_muted,
        });
        output.result("message", fields, &text_line(new));
        session.book().shown(new, unix_millis()).await?;
    }
    if !lines.is_empty() {
        session.book().clean().await?;
    }
    session.expire().await?;
    Ok(lines.len() as u64)
}

/// One line per text, with the number of its item; further lines of a text are set in, so that none can pass for a message of its own.
pub(super) fn text_line(new: &NewLine) -> String {
    let clock = clock(new.at, OffsetDateTime::now_utc());
    let number = new.item.map(|item| format!("#{item} ")).unwrap_or_default();
    format!("{clock} {number}{}: {}", new.contact, visible(&new.line.text).replace('\n', "\n         "))
}
