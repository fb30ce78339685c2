//! Arrivals taken together leave the same book as those taken one by one.

use proptest::prelude::*;
use serde_json::{Value, json};
use smp_protocol::chat::{SharedMessageId, decode_messages};

use super::*;
use crate::book::Status;
use crate::book::tests::book_with;

/// Something that comes: of a contact, and about one of a few messages.
#[derive(Debug, Clone)]
struct Coming {
    contact: usize,
    event: Event,
    about: u8,
    /// It comes a second time: the program died before the agent knew that it was taken.
    again: bool,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    New,
    Live,
    Update,
    Delete,
    Reaction,
    Delivered(Delivery),
}

impl Coming {
    fn messages(&self) -> Vec<(i64, ChatMessage)> {
        let id = SharedMessageId::from_bytes([self.about; 12]).to_string();
        let content = json!({ "type": "text", "text": format!("{:?}\0\"{}", self.event, self.about) });
        let (event, params): (&str, Value) = match self.event {
            Event::New => ("x.msg.new", json!({ "content": content, "ttl": 60 })),
            Event::Live => ("x.msg.new", json!({ "content": content, "live": true })),
            Event::Update => ("x.msg.update", json!({ "msgId": id, "content": content })),
            Event::Delete => ("x.msg.del", json!({ "msgId": id })),
            Event::Reaction => {
                let reaction = json!({ "type": "emoji", "emoji": "👍" });
                ("x.msg.react", json!({ "msgId": id, "reaction": reaction, "add": true }))
            }
            Event::Delivered(_) => return Vec::new(),
        };
        let message = json!({ "v": "1-17", "msgId": id, "event": event, "params": params }).to_string();
        (0..).zip(decode_messages(message.as_bytes()).into_iter().map(Result::unwrap)).collect()
    }

    fn news(&self, number: i64) -> News {
        match self.event {
            Event::Delivered(delivery) => News::Delivered(delivery),
            _ => News::Message { at: number * 1000, messages: self.messages() },
        }
    }
}

fn coming() -> impl Strategy<Value = Coming> {
    let event = prop_oneof![
        4 => Just(Event::New),
        1 => Just(Event::Live),
        2 => Just(Event::Update),
        1 => Just(Event::Delete),
        1 => Just(Event::Reaction),
        1 => Just(Event::Delivered(Delivery::Sent)),
        1 => Just(Event::Delivered(Delivery::Received)),
        1 => Just(Event::Delivered(Delivery::Failed)),
    ];
    (0..3_usize, event, 0..4_u8, prop::bool::weighted(0.2))
        .prop_map(|(contact, event, about, again)| Coming { contact, event, about, again })
}

/// All that the book says.
async fn said(book: &Book) -> Vec<String> {
    let mut rows = Vec::new();
    for query in [
        "SELECT json_array(id, contact, ours, hex(shared_id), number, part, at, delivery, visible, typing, ttl, expires, state) FROM items ORDER BY id",
        "SELECT json_array(contact, agent_id, part, at, kind, hex(text), item) FROM texts WHERE text IS NOT NULL ORDER BY contact, agent_id, part",
        "SELECT json_array(contact, kind, item, number, part) FROM feed ORDER BY id",
        "SELECT json_array(id, versions, read_to) FROM contacts ORDER BY id",
    ] {
        let all: Vec<String> = sqlx::query_scalar(query).fetch_all(&book.pool).await.unwrap();
        rows.extend(all);
    }
    rows
}

async fn said_after(all: &[Coming], sizes: &[usize], keeps_history: bool, is_fed: bool) -> Vec<String> {
    let (_folder, book) = book_with(keeps_history).await;
    if is_fed {
        book.feed();
    }
    let mut contacts = Vec::new();
    for connection in 0..3 {
        let contact = book.add(connection, None, Status::Connected, None).await.unwrap();
        let outgoing = crate::compose::messages("ours", None, Some(60), true, &mut rand::rng()).unwrap();
        // The same in each book.
        let outgoing =
            crate::compose::Outgoing { id: SharedMessageId::from_bytes([3; 12]), ..outgoing[0].clone() };
        let item = book.write(&contact, &outgoing, 0).await.unwrap();
        book.handed_over(item, 1).await.unwrap();
        contacts.push(contact);
    }
    let numbered = (1..).zip(all).flat_map(|(number, coming)| {
        let number = if matches!(coming.event, Event::Delivered(_)) { 1 } else { number };
        std::iter::repeat_n((number, coming), 1 + usize::from(coming.again))
    });
    let mut numbered: Vec<(i64, &Coming)> = numbered.collect();
    let mut sizes = sizes.iter().cycle();
    while !numbered.is_empty() {
        let size = (*sizes.next().unwrap()).min(numbered.len());
        let arrivals = numbered.drain(..size).map(|(number, coming)| Arrival {
            contact: &contacts[coming.contact],
            number,
            news: coming.news(number),
        });
        book.take(arrivals.collect(), 5000).await.unwrap();
    }
    said(&book).await
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_comes_together_is_what_comes_one_by_one(
        all in prop::collection::vec(coming(), 1..24),
        sizes in prop::collection::vec(1..8_usize, 1..4),
        keeps_history in any::<bool>(),
        is_fed in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (alone, together) = runtime.block_on(async {
            (said_after(&all, &[1], keeps_history, is_fed).await, said_after(&all, &sizes, keeps_history, is_fed).await)
        });
        prop_assert_eq!(alone, together);
    }
}
