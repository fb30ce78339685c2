//! The state of an item as its row has it: columns that are looked for, and the rest as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smp_protocol::chat::{ChatEvent, Reaction, SharedMessageId};
use smp_sqlite::{Query, Rows};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _, SqliteConnection};

use super::BookError;
use crate::conversation::{Delivery, GivenReaction, Item, Order, Side};
use crate::kept::{read, written};

/// A number and a part of an [`Order`].
type Place = (i64, i64);

/// The rest of an item, which is in no column of its own.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// The event as a chat message.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<Place>,
    #[serde(skip_serializing_if = "is_false")]
    deleted: bool,
    #[serde(skip_serializing_if = "is_false")]
    cancelled: bool,
    #[serde(skip_serializing_if = "is_false")]
    announced: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<Given>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    file_parts: BTreeMap<u64, String>,
}

#[derive(Serialize, Deserialize)]
struct Given {
    ours: bool,
    /// The event by which such a reaction is given.
    event: String,
    given: bool,
    order: Place,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn place(order: Order) -> Place {
    (order.number, order.part)
}

fn order((number, part): Place) -> Order {
    Order { number, part }
}

impl Given {
    fn of(given: &GivenReaction) -> Self {
        let event = ChatEvent::Reaction {
            message_id: SharedMessageId::from_bytes([]),
            reaction: given.reaction.clone(),
            add: true,
            other: serde_json::Map::new(),
        };
        Self {
            ours: given.by == Side::Ours,
            event: written(event),
            given: given.is_given,
            order: place(given.order),
        }
    }

    fn reaction(&self) -> Option<Reaction> {
        match read(&self.event)? {
            ChatEvent::Reaction { reaction, .. } => Some(reaction),
            _ => None,
        }
    }

    fn into_reaction(self) -> Option<GivenReaction> {
        Some(GivenReaction {
            by: if self.ours { Side::Ours } else { Side::Theirs },
            reaction: self.reaction()?,
            is_given: self.given,
            order: order(self.order),
        })
    }
}

/// An item with the number of its row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) item: Item,
}

impl FromRow<'_, SqliteRow> for Row {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let state: State = serde_json::from_str(row.try_get("state")?)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let number: Option<i64> = row.try_get("number")?;
        let part: Option<i64> = row.try_get("part")?;
        let item = Item {
            side: if row.try_get("ours")? { Side::Ours } else { Side::Theirs },
            shared_id: row.try_get::<Option<Vec<u8>>, _>("shared_id")?.map(SharedMessageId::from_bytes),
            origin: number.zip(part).map(order),
            at: row.try_get("at")?,
            event: state.event.as_deref().and_then(read),
            content_order: state.content.map(order),
            completed: state.completed.map(order),
            is_deleted: state.deleted,
            is_cancelled: state.cancelled,
            is_announced: state.announced,
            ttl: row.try_get("ttl")?,
            reactions: state.reactions.into_iter().filter_map(Given::into_reaction).collect(),
            file_parts: state.file_parts,
            delivery: delivery(row.try_get("delivery")?),
        };
        Ok(Self { id: row.try_get("id")?, item })
    }
}

/// The number of a delivery in the database: greater is further.
pub(super) fn number(delivery: Delivery) -> i64 {
    match delivery {
        Delivery::New => 0,
        Delivery::Queued => 1,
        Delivery::Failed => 2,
        Delivery::Sent => 3,
        Delivery::Received => 4,
    }
}

fn delivery(number: i64) -> Delivery {
    match number {
        0 => Delivery::New,
        1 => Delivery::Queued,
        2 => Delivery::Failed,
        3 => Delivery::Sent,
        _ => Delivery::Received,
    }
}

/// Rows of items that are written together: each over the one that has its number, or as a new one.
#[derive(Default)]
pub(super) struct ItemRows(Rows);

/// Writes them.
macro_rules! save_items {
    () => {
        "INSERT INTO items (id, contact, ours, shared_id, number, part, at, delivery, visible, typing, ttl, state)
            SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                value ->> 8, value ->> 9, value ->> 10, CAST(substr(?, value ->> 11, value ->> 12) AS TEXT) FROM json_each(?) WHERE true
            ON CONFLICT (id) DO UPDATE SET shared_id = excluded.shared_id, number = excluded.number, part = excluded.part, at = excluded.at,
                delivery = excluded.delivery, visible = excluded.visible, typing = excluded.typing, ttl = excluded.ttl, state = excluded.state"
    };
}
pub(super) use save_items;

impl ItemRows {
    /// Adds one: under this number, or without one as a new one.
    pub(super) fn add(&mut self, id: Option<i64>, contact: i64, item: &Item) -> Result<(), BookError> {
        let state = State {
            event: item.event.clone().map(written),
            content: item.content_order.map(place),
            completed: item.completed.map(place),
            deleted: item.is_deleted,
            cancelled: item.is_cancelled,
            announced: item.is_announced,
            reactions: item.reactions.iter().map(Given::of).collect(),
            file_parts: item.file_parts.clone(),
        };
        let row = self.0.row().number(id).number(contact).flag(item.side == Side::Ours);
        let row = row.hex(item.shared_id.as_ref().map(SharedMessageId::as_bytes));
        let row =
            row.number(item.origin.map(|order| order.number)).number(item.origin.map(|order| order.part));
        let row = row.number(item.at).number(number(item.delivery)).flag(item.is_visible());
        let row = row.flag(item.side == Side::Theirs && item.is_live() && !item.is_announced);
        let state = serde_json::to_vec(&state).map_err(BookError::Item)?;
        row.number(item.ttl.map(i64::from)).bytes(&state).end();
        Ok(())
    }

    /// Binds them to [`save_items`].
    pub(super) fn bind(self, query: Query<'_>) -> Query<'_> {
        self.0.bind(query)
    }
}

/// Writes an item: over its row, or as a new one.
pub(super) async fn save(
    step: &mut SqliteConnection,
    contact: i64,
    row: Option<i64>,
    item: &Item,
) -> Result<(), BookError> {
    let mut rows = ItemRows::default();
    rows.add(row, contact, item)?;
    rows.bind(sqlx::query(save_items!())).execute(step).await?;
    Ok(())
}
