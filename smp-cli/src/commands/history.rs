//! `smp history` and `smp search`: items of conversations.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use smp_chat::conversation::{Delivery, Item, Side};
use smp_chat::words::Kind;
use smp_chat::{Contact, KeptItem, visible};
use time::OffsetDateTime;

use crate::args::{HistoryArgs, SearchArgs};
use crate::exit::Exit;
use crate::output::Output;
use crate::session::Session;
use crate::text::{clock, unix_millis};

pub(super) async fn show(args: &HistoryArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&args.contact.name).await?;
    let items = session.book().history(&contact, args.before, args.limit, unix_millis()).await?;
    if items.is_empty() && !session.keeps_history() {
        output.hint("No history is kept: `history = false` is in settings.toml.");
    }
    for kept in &items {
        result(kept, &contact.name, false, output);
    }
    // A program that keeps a copy has read nothing.
    if let Some(last) = items.last().filter(|_| !output.is_json()) {
        session.book().mark_read(&contact, last.number).await?;
        if contact.is_muted {
            note_read(&contact, &items, session).await?;
        }
    }
    Ok(Exit::DONE)
}

/// The lines about these items were seen, though `smp listen` never shows them.
async fn note_read(contact: &Contact, items: &[KeptItem], session: &Session) -> anyhow::Result<()> {
    let seen: HashSet<i64> = items.iter().map(|kept| kept.number).collect();
    for line in session.book().new_lines_of(contact).await? {
        if line.item.is_none_or(|item| seen.contains(&item)) {
            session.book().shown(&line, unix_millis()).await?;
        }
    }
    session.book().clean().await?;
    session.expire().await
}

pub(super) async fn search(args: &SearchArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = match &args.contact {
        Some(name) => Some(session.contact(name).await?),
        None => None,
    };
    let words = args.words.join(" ");
    let found = session.book().search(contact.as_ref(), &words, args.limit, unix_millis()).await?;
    let contacts = session.book().contacts().await?;
    let names: HashMap<i64, &str> =
        contacts.iter().map(|contact| (contact.id, contact.name.as_str())).collect();
    for kept in &found {
        let name = names.get(&kept.contact_id).copied().unwrap_or_default();
        result(kept, name, contact.is_none(), output);
    }
    if found.is_empty() {
        output.hint("Nothing was found.");
    }
    Ok(Exit::DONE)
}

/// An item as a result. One of ours names the contact too if items of several are listed.
fn result(kept: &KeptItem, contact: &str, of_several: bool, output: &Output) {
    let item = &kept.item;
    let (kind, text) = match item.line() {
        Some(line) => (line.kind, line.text),
        None => (Kind::Deleted, String::new()),
    };
    let side = match item.side {
        Side::Ours => "ours",
        Side::Theirs => "theirs",
    };
    let fields = json!({
        "item": kept.number,
        "contact": contact,
        "side": side,
        "at": item.at,
        "kind": kind.name(),
        "text": text,
        "delivery": (item.side == Side::Ours).then(|| delivery(item.delivery)),
        "edited": item.is_edited(),
        "deleted": item.is_deleted,
        "reactions": reactions(item),
        "disappears_after": item.ttl,
    });
    output.result("item", fields, &item_line(kept, contact, of_several));
}

/// An item for people: its time, its number, its side, its words, and what was done with it.
pub(super) fn item_line(kept: &KeptItem, contact: &str, of_several: bool) -> String {
    let item = &kept.item;
    let text = item.line().map(|line| line.text).unwrap_or_default();
    let clock = clock(item.at, OffsetDateTime::now_utc());
    let who = match item.side {
        Side::Ours if of_several => format!("you to {contact} {}", item.delivery.tick()),
        Side::Ours => format!("you {}", item.delivery.tick()),
        Side::Theirs => contact.to_owned(),
    };
    let text = if item.is_deleted { "(deleted)" } else { &text };
    let edited = if item.is_edited() && !item.is_deleted { " (edited)" } else { "" };
    let emoji: String =
        item.given().filter_map(|given| given.reaction.as_emoji()).map(|emoji| format!(" {emoji}")).collect();
    let text = visible(text).replace('\n', "\n         ");
    format!("{clock} #{} {who}: {text}{edited}{}", kept.number, visible(&emoji))
}

fn reactions(item: &Item) -> Vec<Value> {
    item.given()
        .filter_map(|given| {
            Some(json!({ "ours": given.by == Side::Ours, "emoji": given.reaction.as_emoji()? }))
        })
        .collect()
}

/// The word for programs.
fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::New => "unknown",
        Delivery::Queued => "queued",
        Delivery::Failed => "failed",
        Delivery::Sent => "sent",
        Delivery::Received => "received",
    }
}
