//! Messages that come, and what became of ours: events that the book takes many at a time.

use smp_agent::{Event, Integrity, MessageId};
use smp_chat::conversation::Delivery;
use smp_chat::profile::Disappearing;
use smp_chat::{Arrival, Contact, Happening, News, Received, Status};
use smp_protocol::chat::{ChatEvent, ChatMessage, decode_messages};

use super::identity::Identity;
use super::notice::Notice;
use crate::text::unix_millis;

/// An event that the book takes together with others.
struct Arriving {
    /// The agent's number of the connection.
    connection: i64,
    message: MessageId,
    integrity: Integrity,
    /// The first part that cannot be read, and why.
    unreadable: Option<String>,
    /// The outcome of a message of ours, where it is told.
    outcome: Option<Outcome>,
    news: News,
    /// Whether more is to be done for it than the book does, before anything else comes.
    is_last: bool,
}

/// Outcome of a message of ours.
enum Outcome {
    Sent,
    Received,
    Failed(String),
}

impl Identity {
    /// Applies the first of these events: as many as go together, at least one. Returns how many that are, and their notices, once the book
    /// says them.
    pub(super) async fn apply(&self, events: &[&Event]) -> anyhow::Result<(usize, Vec<Notice>)> {
        let mut arriving = Vec::new();
        for event in events {
            let Some(one) = Arriving::of(event) else { break };
            let is_last = one.is_last;
            arriving.push(one);
            if is_last {
                break;
            }
        }
        match (arriving.len(), events.first()) {
            (0, Some(event)) => Ok((1, self.apply_alone(event).await?)),
            (count, _) => Ok((count, self.take(arriving).await?)),
        }
    }

    async fn take(&self, arriving: Vec<Arriving>) -> anyhow::Result<Vec<Notice>> {
        let mut contacts = self.book().by_connections(arriving.iter().map(|one| one.connection)).await?;
        for one in &arriving {
            if !contacts.contains_key(&one.connection)
                && let Some(contact) = self.contact_of(smp_agent::ConnectionId::new(one.connection)).await?
            {
                contacts.insert(one.connection, contact);
            }
        }
        let (mut arrivals, mut rest) = (Vec::new(), Vec::new());
        for Arriving { connection, message, integrity, unreadable, outcome, news, .. } in arriving {
            // Deleted after the event.
            let Some(contact) = contacts.get(&connection) else { continue };
            arrivals.push(Arrival { contact, number: message.number(), news });
            rest.push((contact, message, integrity, unreadable, outcome));
        }
        let received = self.record(arrivals).await?;
        let mut notices = Vec::new();
        for ((contact, message, integrity, unreadable, outcome), received) in rest.into_iter().zip(received) {
            match outcome {
                Some(Outcome::Sent) => notices.push(Notice::Sent(contact.clone(), message)),
                Some(Outcome::Received) => notices.push(Notice::Received(contact.clone(), message)),
                Some(Outcome::Failed(reason)) => {
                    notices.push(Notice::SendFailed(contact.clone(), message, reason));
                }
                None => {
                    notices.extend(Notice::gap(contact, integrity));
                    notices.extend(unreadable.map(|reason| Notice::Unreadable(contact.clone(), reason)));
                    notices.extend(self.follow(contact, received).await?);
                }
            }
        }
        Ok(notices)
    }

    async fn record(&self, arrivals: Vec<Arrival<'_>>) -> anyhow::Result<Vec<Received>> {
        let is_of_ours = |arrival: &Arrival<'_>| matches!(arrival.news, News::Delivered(_));
        let _in_order = match arrivals.iter().any(is_of_ours) {
            true => Some(self.handing_over.nothing_between().await),
            false => None,
        };
        Ok(self.book().take(arrivals, unix_millis()).await?)
    }

    /// Does what a message asks for besides. The notice about texts is the last one.
    async fn follow(&self, contact: &Contact, received: Received) -> anyhow::Result<Vec<Notice>> {
        for answer in received.answers {
            self.answer(contact, answer).await?;
        }
        let mut notices = Vec::new();
        if let Some(profile) = received.profile {
            let after = Disappearing::of_profile(Some(&profile));
            let introduction = self.book().change_profile(contact, &profile).await?;
            notices.extend(Notice::introduced(introduction, Some(after)));
        }
        if received.has_ended {
            self.book().set_status(contact, Status::Ended).await?;
            self.book().happened(contact, Happening::Ended).await?;
            notices.push(Notice::Ended(contact.clone(), "they deleted this contact".to_owned()));
        }
        notices.extend(received.has_lines.then_some(Notice::Text));
        Ok(notices)
    }
}

impl Arriving {
    /// None if the event stands for itself.
    fn of(event: &Event) -> Option<Self> {
        let (message, outcome, delivery) = match event {
            Event::Message { id, body, times, integrity, .. } => {
                let at = times.relay.saturating_mul(1000);
                return Self::message(event, *id, at, body, *integrity);
            }
            Event::Sent { id, .. } => (*id, Outcome::Sent, Delivery::Sent),
            Event::Receipt { id, .. } => (*id, Outcome::Received, Delivery::Received),
            Event::SendFailed { id, error, .. } => {
                (*id, Outcome::Failed(error.to_string()), Delivery::Failed)
            }
            _ => return None,
        };
        Some(Self {
            connection: event.connection()?.number(),
            message,
            integrity: Integrity::Ok,
            unreadable: None,
            outcome: Some(outcome),
            news: News::Delivered(delivery),
            is_last: false,
        })
    }

    /// One part that cannot be read does not cost the others.
    fn message(
        event: &Event,
        message: MessageId,
        at: i64,
        body: &[u8],
        integrity: Integrity,
    ) -> Option<Self> {
        let (mut unreadable, mut messages) = (None, Vec::new());
        for (part, message) in (0..).zip(decode_messages(body)) {
            match message {
                Ok(message) => messages.push((part, message)),
                Err(error) => {
                    unreadable.get_or_insert_with(|| error.to_string());
                }
            }
        }
        Some(Self {
            connection: event.connection()?.number(),
            message,
            integrity,
            unreadable,
            outcome: None,
            is_last: messages.iter().any(|(_, message)| !is_for_the_book(message)),
            news: News::Message { at, messages },
        })
    }
}

/// Whether nothing is to be done with a message but to keep what it says.
fn is_for_the_book(message: &ChatMessage) -> bool {
    matches!(
        message.event,
        ChatEvent::MessageNew(_)
            | ChatEvent::MessageUpdate { .. }
            | ChatEvent::MessageDelete { .. }
            | ChatEvent::Reaction { .. }
    )
}
