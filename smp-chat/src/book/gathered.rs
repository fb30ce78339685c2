//! Conversations that arrivals concern, read at once, and what becomes of them, until it is written.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use smp_protocol::chat::{ChatEvent, ChatMessage, ChatVersionRange, Profile};
use smp_sqlite::Rows;
use sqlx::SqliteConnection;

use super::contacts::Contact;
use super::error::BookError;
use super::feed;
use super::items::KeptItem;
use super::lines::{NewRow, Origin};
use super::state::ItemRows;
use crate::conversation::{Conversation, Delivery, Effect, Item, Order, Side, named};

/// News of a contact, from the agent.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The contact.
    pub contact: &'a Contact,
    /// The agent's number of the message that it is about: one of theirs, or of ours.
    pub number: i64,
    /// The news.
    pub news: News,
}

/// News of a contact.
#[derive(Debug)]
pub enum News {
    /// A message of theirs, which their relay received at this Unix time in milliseconds. Each of its chat messages comes with its place among
    /// those of the body.
    Message {
        /// The time.
        at: i64,
        /// The chat messages.
        messages: Vec<(i64, ChatMessage)>,
    },
    /// How far a message of ours has come.
    Delivered(Delivery),
}

/// The contents of an agent's message besides the items that it changed.
#[derive(Debug, Default)]
pub struct Received {
    /// Whether there are new lines to show.
    pub has_lines: bool,
    /// The contact is to get these, also if they were sent before.
    pub answers: Vec<ChatEvent>,
    /// The contact's last profile.
    pub profile: Option<Box<Profile>>,
    /// Whether the contact has deleted us.
    pub has_ended: bool,
}

/// Ways in which the book keeps things that come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeping {
    /// Whether programs are told.
    pub(super) is_feeding: bool,
    /// Whether items stay once they were shown.
    pub(super) keeps_history: bool,
}

/// The state of all conversations in which something has come.
pub(super) struct Gathered<'a> {
    talks: HashMap<i64, Talk<'a>>,
    /// The last number that an item was given.
    last_item: i64,
    /// Places of lines that were recorded: contact, number and part.
    recorded: HashSet<(i64, i64, i64)>,
    lines: Vec<NewRow>,
    happened: Vec<feed::NewRow>,
    deliveries: BTreeMap<(i64, i64), Delivery>,
    /// Items, each with the number of its contact, that were there and can be seen now.
    pub(super) appeared: Vec<(i64, i64)>,
    /// Items whose words are not to be shown any more.
    pub(super) taken_back: BTreeSet<i64>,
    /// Items that were shown and forgotten before.
    pub(super) forgotten: BTreeSet<i64>,
    /// Contacts of whom one more item waits for what it is about.
    pub(super) waiting: BTreeSet<i64>,
}

/// One conversation: the items that the arrivals can concern.
struct Talk<'a> {
    contact: &'a Contact,
    conversation: Conversation,
    /// Numbers of the items, in their order.
    numbers: Vec<i64>,
    /// Indices of those that have changed.
    changed: BTreeSet<usize>,
    /// Those that were there and could not be seen.
    hidden: HashSet<i64>,
    /// The agent's number of the first message that arrives.
    first: i64,
    versions: Option<ChatVersionRange>,
}

impl<'a> Gathered<'a> {
    pub(super) async fn read(
        step: &mut SqliteConnection,
        arrivals: &[Arrival<'a>],
    ) -> Result<Self, BookError> {
        let (mut contacts, mut orders, mut ids, mut places) =
            (BTreeSet::new(), Rows::default(), Rows::default(), Rows::default());
        let mut talks: HashMap<i64, Talk<'a>> = HashMap::new();
        for Arrival { contact, number, news } in arrivals {
            let News::Message { messages, .. } = news else { continue };
            contacts.insert(contact.id);
            let talk = talks.entry(contact.id).or_insert_with(|| Talk::new(contact, *number));
            talk.first = talk.first.min(*number);
            places.row().number(contact.id).number(*number).end();
            for (part, message) in messages {
                orders.row().number(contact.id).number(*number).number(*part).end();
                for id in named(message) {
                    ids.row().number(contact.id).hex(id.as_bytes()).end();
                }
            }
        }
        let mut gathered = Self {
            talks,
            last_item: 0,
            recorded: HashSet::new(),
            lines: Vec::new(),
            happened: Vec::new(),
            deliveries: BTreeMap::new(),
            appeared: Vec::new(),
            taken_back: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            waiting: BTreeSet::new(),
        };
        if contacts.is_empty() {
            return Ok(gathered);
        }
        let mut typing = Rows::default();
        contacts.iter().for_each(|contact| typing.number(*contact));
        gathered.read_items(step, typing, orders, ids).await?;
        gathered.read_places(step, places).await?;
        Ok(gathered)
    }

    /// The items that are being typed, those of the same events, and those that are named.
    async fn read_items(
        &mut self,
        step: &mut SqliteConnection,
        typing: Rows,
        orders: Rows,
        ids: Rows,
    ) -> Result<(), BookError> {
        let query = "SELECT * FROM items WHERE id IN
            (SELECT i.id FROM json_each(?) r CROSS JOIN items i ON i.contact = r.value AND i.typing = 1
             UNION SELECT i.id FROM json_each(?) r CROSS JOIN items i ON i.contact = r.value ->> 0 AND i.ours = 0
                AND i.number = r.value ->> 1 AND i.part = r.value ->> 2
             UNION SELECT i.id FROM json_each(?) r CROSS JOIN items i ON i.contact = r.value ->> 0 AND i.ours IN (0, 1)
                AND i.shared_id = unhex(r.value ->> 1)) ORDER BY id";
        let query = sqlx::query_as(query).bind(typing.json()).bind(orders.json()).bind(ids.json());
        let kept: Vec<KeptItem> = query.fetch_all(step).await?;
        for KeptItem { number, contact_id, item } in kept {
            let Some(talk) = self.talks.get_mut(&contact_id) else { continue };
            if !item.is_visible() {
                talk.hidden.insert(number);
            }
            talk.numbers.push(number);
            talk.conversation.items.push(item);
        }
        Ok(())
    }

    /// The places of lines of the same messages, and the last number of an item.
    async fn read_places(&mut self, step: &mut SqliteConnection, places: Rows) -> Result<(), BookError> {
        // One row: each costs a turn of SQLite's thread.
        let query = "SELECT (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'items'),
            (SELECT json_group_array(json_array(t.contact, t.agent_id, t.part)) FROM json_each(?) r
             CROSS JOIN texts t ON t.contact = r.value ->> 0 AND t.agent_id = r.value ->> 1)";
        let query = sqlx::query_as(query).bind(places.json());
        let (last, places): (i64, String) = query.fetch_one(step).await?;
        self.last_item = last;
        let places: Vec<(i64, i64, i64)> = serde_json::from_str(&places).map_err(BookError::Item)?;
        self.recorded.extend(places);
        Ok(())
    }

    /// Takes the chat messages of an agent's message.
    pub(super) fn receive(
        &mut self,
        keeping: Keeping,
        contact: &'a Contact,
        number: i64,
        at: i64,
        messages: Vec<(i64, ChatMessage)>,
    ) -> Received {
        let mut received = Received::default();
        for (part, message) in messages {
            self.receive_one(keeping, contact, Order { number, part }, at, message, &mut received);
        }
        received
    }

    fn receive_one(
        &mut self,
        keeping: Keeping,
        contact: &'a Contact,
        order: Order,
        at: i64,
        message: ChatMessage,
        received: &mut Received,
    ) {
        let talk = self.talks.entry(contact.id).or_insert_with(|| Talk::new(contact, order.number));
        talk.versions = Some(message.versions);
        let outcome = talk.conversation.receive(message, order, at);
        while talk.numbers.len() < talk.conversation.items.len() {
            self.last_item += 1;
            if talk.conversation.items.get(talk.numbers.len()).is_some_and(is_waiting) {
                self.waiting.insert(contact.id);
            }
            talk.numbers.push(self.last_item);
        }
        for index in outcome.changed {
            let (Some(item), Some(id)) = (talk.conversation.items.get(index), talk.numbers.get(index)) else {
                continue;
            };
            talk.changed.insert(index);
            if item.is_visible() && talk.hidden.remove(id) {
                self.appeared.push((contact.id, *id));
            }
            if item.is_deleted {
                self.taken_back.insert(*id);
            }
        }
        let shown = outcome.effects.iter().filter(|effect| matches!(effect, Effect::Show(..))).count();
        let mut origins = (0..shown).rev().map(|behind| Origin { order, behind });
        for effect in outcome.effects {
            match effect {
                Effect::Show(line, index) => {
                    let Some(origin) = origins.next() else { continue };
                    let Some(item) = talk.numbers.get(index).copied() else { continue };
                    if self.recorded.insert((contact.id, order.number, origin.part())) {
                        received.has_lines = true;
                        if keeping.is_feeding {
                            self.happened.push(feed::NewRow::of(contact, line.kind, origin.order, item));
                        }
                        let is_fed = keeping.is_feeding;
                        self.lines.push(NewRow { contact: contact.id, origin, at, line, item, is_fed });
                    } else if !keeping.keeps_history {
                        // It was shown and forgotten, and the event has come again.
                        self.forgotten.insert(item);
                    }
                }
                Effect::Answer(event) => received.answers.push(*event),
                Effect::Profile(profile) => received.profile = Some(profile),
                Effect::Ended => received.has_ended = true,
            }
        }
    }

    /// Of several words on one message the furthest counts.
    pub(super) fn delivered(
        &mut self,
        is_forgotten: bool,
        contact: &Contact,
        number: i64,
        delivery: Delivery,
    ) {
        let known = self.deliveries.entry((contact.id, number)).or_insert(delivery);
        *known = delivery.max(*known);
        if let Some(talk) = self.talks.get_mut(&contact.id).filter(|_| is_forgotten) {
            talk.forget_ours(number);
        }
    }

    /// The items that have changed, or are new.
    pub(super) fn items(&self) -> Result<ItemRows, BookError> {
        let mut all: Vec<(i64, i64, &Item)> = Vec::new();
        for (contact, talk) in &self.talks {
            let changed = talk.changed.iter();
            let changed = changed.filter_map(|index| {
                Some((*talk.numbers.get(*index)?, *contact, talk.conversation.items.get(*index)?))
            });
            all.extend(changed);
        }
        // In the order in which they came.
        all.sort_by_key(|(number, ..)| *number);
        let mut rows = ItemRows::default();
        for (number, contact, item) in all {
            rows.add(Some(number), contact, item)?;
        }
        Ok(rows)
    }

    /// Of each contact the number of the first message that arrives.
    pub(super) fn first_numbers(&self) -> Vec<(i64, i64)> {
        let talks = self.talks.iter();
        talks.filter(|_| !self.lines.is_empty()).map(|(contact, talk)| (*contact, talk.first)).collect()
    }

    pub(super) fn lines(&self) -> &[NewRow] {
        &self.lines
    }

    pub(super) fn happened(&self) -> &[feed::NewRow] {
        &self.happened
    }

    pub(super) fn deliveries(&self) -> impl Iterator<Item = ((i64, i64), Delivery)> {
        self.deliveries.iter().map(|(message, delivery)| (*message, *delivery))
    }

    /// The versions that contacts speak, as they last said.
    pub(super) fn versions(&self) -> impl Iterator<Item = (&'a Contact, ChatVersionRange)> {
        self.talks.values().filter_map(|talk| Some((talk.contact, talk.versions?)))
    }
}

impl<'a> Talk<'a> {
    fn new(contact: &'a Contact, first: i64) -> Self {
        Self {
            contact,
            conversation: Conversation::default(),
            numbers: Vec::new(),
            changed: BTreeSet::new(),
            hidden: HashSet::new(),
            first,
            versions: None,
        }
    }
}

impl Talk<'_> {
    /// Forgets the message of ours with this number: nothing that comes now is about it.
    fn forget_ours(&mut self, number: i64) {
        let is_meant = |item: &Item| {
            item.side == Side::Ours && item.origin.is_some_and(|origin| origin.number == number)
        };
        if let Some(index) = self.conversation.items.iter().position(is_meant) {
            self.conversation.items[index] = Item::unknown(Side::Ours, None, 0);
            self.changed.remove(&index);
        }
    }
}

/// Whether only something about the item has come.
fn is_waiting(item: &Item) -> bool {
    item.origin.is_none() && item.event.is_none()
}
