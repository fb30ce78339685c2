//! Notices in words for people and in fields for programs.

use serde_json::{Value, json};
use smp_agent::SyncState;
use tokio::time::Instant;

use crate::names::argument;
use crate::output::Output;
use crate::session::{Ending, Notice, Session};
use crate::text::span;
use smp_chat::Contact;
use smp_chat::profile::Disappearing;

/// Said of a message that the contact's relay does not have yet.
pub(crate) const QUEUED: &str =
    "Not sent yet, and kept: it goes out by itself the next time `smp listen`, `chat` or `send` runs.";

/// Something that happened, as it is told.
pub(crate) struct Told {
    event: &'static str,
    fields: Value,
    /// Empty if it is of use to programs only.
    pub(crate) sentence: String,
}

/// Says what happened, where somebody should know.
pub(crate) fn explain(notice: &Notice, output: &Output) {
    match told(notice) {
        Some(told) if output.is_json() || !told.sentence.is_empty() => {
            output.note(told.event, told.fields, &told.sentence);
        }
        _ => {}
    }
}

/// Says that a link is a full one, where a short one was to be made.
pub(super) fn tell_no_short_link(output: &Output) {
    let sentence = "The relay is too old to keep short links; this is a full one.";
    output.note("no_short_link", json!({}), sentence);
}

/// The next notice, explained, or none if the time is over or there will be no more.
pub(super) async fn next_before(
    session: &mut Session,
    deadline: Instant,
    output: &Output,
) -> anyhow::Result<Option<Notice>> {
    match tokio::time::timeout_at(deadline, session.next()).await {
        Ok(Ok(notice)) => {
            explain(&notice, output);
            Ok(Some(notice))
        }
        Ok(Err(error)) if error.is::<Ending>() => Ok(None),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

fn asked(contact: &Contact, is_accepted: bool) -> (&'static str, Value, String) {
    let (name, typed) = (&contact.name, argument(&contact.name));
    let sentence = match is_accepted {
        true => format!("{name} used your contact address, and is being let in."),
        false => {
            format!(
                "{name} asks to connect, by your contact address: smp accept {typed}, or smp refuse {typed}"
            )
        }
    };
    ("request", json!({ "contact": name, "accepted": is_accepted }), sentence)
}

fn disappearing(contact: &Contact, wish: Disappearing) -> (&'static str, Value, String) {
    let (name, typed) = (&contact.name, argument(&contact.name));
    let (after, sentence) = match wish {
        Disappearing::Never => (None, format!("{name} wishes that messages do not disappear any more.")),
        Disappearing::After(seconds) => {
            let time = span(seconds.get());
            (
                Some(seconds),
                format!(
                    "{name} wishes that messages disappear {time} after they were read or sent, and so they do. To end it: smp disappear {typed} off"
                ),
            )
        }
    };
    ("disappearing", json!({ "contact": name, "after": after }), sentence)
}

fn encryption(contact: &Contact, state: SyncState, is_other: bool) -> (&'static str, Value, String) {
    let name = object(contact);
    let mut sentence = match state {
        SyncState::Required => {
            format!("What {name} sends cannot be read any more: the encryption has to be renewed.")
        }
        SyncState::Started => {
            format!("The encryption with {name} is being renewed; texts wait until they answer.")
        }
        SyncState::Ok => format!("The encryption with {name} is in order again."),
        // The next message tells.
        _ => String::new(),
    };
    if is_other {
        let again = format!(
            "{} has another security code now, and is not verified any more. Compare it again: smp verify {}",
            subject(contact),
            argument(&contact.name)
        );
        sentence = if sentence.is_empty() { again } else { format!("{sentence} {again}") };
    }
    let fields = json!({ "contact": contact.name, "state": word(state), "verification_lost": is_other });
    ("encryption", fields, sentence)
}

/// A state of the agent as one word in lower case.
pub(super) fn word(state: impl serde::Serialize) -> Value {
    match json!(state) {
        Value::String(word) => Value::String(word.to_lowercase()),
        other => other,
    }
}

/// The contact at the beginning of a sentence. Before they have told their name, the one in the list means nothing to anybody.
fn subject(contact: &Contact) -> &str {
    if contact.is_named() { &contact.name } else { "The other side" }
}

/// The contact within a sentence.
fn object(contact: &Contact) -> &str {
    if contact.is_named() { &contact.name } else { "the other side" }
}

/// The notice as it is told, if there is anything to say.
pub(crate) fn told(notice: &Notice) -> Option<Told> {
    let (event, fields, sentence) = match notice {
        Notice::Asked(contact, is_accepted) => asked(contact, *is_accepted),
        Notice::Joined(contact) => {
            let name = &contact.name;
            ("joined", json!({ "contact": name }), format!("{name} used your invitation."))
        }
        Notice::Connected(contact) => {
            let name = &contact.name;
            let sentence =
                format!("{name} is connected. Compare security codes: smp verify {}", argument(name));
            ("connected", json!({ "contact": name }), sentence)
        }
        Notice::Renamed(contact, own) => {
            let name = &contact.name;
            let sentence = format!("{name} now calls themselves “{own}”; in your list they stay “{name}”.");
            ("renamed", json!({ "contact": name, "own_name": own }), sentence)
        }
        Notice::Disappearing(contact, wish) => disappearing(contact, *wish),
        Notice::SendFailed(contact, _, reason) => {
            let name = &contact.name;
            let sentence = format!("A message to {name} was given up: {reason}.");
            ("send_failed", json!({ "contact": name, "reason": reason }), sentence)
        }
        Notice::Waiting(contact) => {
            let name = &contact.name;
            let sentence =
                format!("{name} has not read for long, the relay holds no more; your messages wait.");
            ("waiting", json!({ "contact": name }), sentence)
        }
        Notice::Refused(contact) => {
            let name = &contact.name;
            let sentence = format!(
                "The relay of {name} refuses messages that it took before: they may have removed you, or the relay lost its disk. Your messages \
                 wait for a day; to end that, smp remove {}.",
                argument(name)
            );
            ("refused", json!({ "contact": name }), sentence)
        }
        Notice::Ended(contact, reason) => {
            let name = &contact.name;
            (
                "ended",
                json!({ "contact": name, "reason": reason }),
                format!("{} is gone: {reason}.", subject(contact)),
            )
        }
        Notice::ReceivingStopped(contact, reason) => {
            let name = &contact.name;
            let sentence = format!("Nothing comes from {} now: {reason}.", object(contact));
            ("receiving_stopped", json!({ "contact": name, "reason": reason }), sentence)
        }
        Notice::Unreadable(contact, reason) => {
            let name = &contact.name;
            (
                "unreadable",
                json!({ "contact": name, "reason": reason }),
                format!("From {}: {reason}.", object(contact)),
            )
        }
        Notice::Gap(contact, gap) => {
            let name = &contact.name;
            ("gap", json!({ "contact": name, "reason": gap }), format!("From {}: {gap}.", object(contact)))
        }
        Notice::Encryption(contact, state, is_other) => encryption(contact, *state, *is_other),
        // It goes on by itself, and messages go both ways meanwhile.
        Notice::Rotation(contact, side, stage) => (
            "rotation",
            json!({ "contact": contact.name, "side": word(side), "stage": word(stage) }),
            String::new(),
        ),
        Notice::RelayDown(relay, reason) => {
            let sentence = format!("Relay {relay} {reason}.");
            ("relay_down", json!({ "relay": relay, "reason": reason }), sentence)
        }
        // People expect this; programs may wait for it.
        Notice::RelayUp(relay) => ("relay_up", json!({ "relay": relay }), String::new()),
        Notice::StorageFailed(reason) => {
            ("storage_failed", json!({ "reason": reason }), format!("Your disk: {reason}."))
        }
        Notice::StorageRecovered => {
            ("storage_recovered", json!({}), "Your disk has space again: everything goes on.".to_owned())
        }
        // People see it in `smp chat`.
        Notice::Received(contact, _) => ("received", json!({ "contact": contact.name }), String::new()),
        Notice::Text | Notice::Sent(..) => return None,
    };
    Some(Told { event, fields, sentence })
}
