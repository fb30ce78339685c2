use serde_json::{Value, json};
use smp_protocol::chat::{ChatMessage, Profile, SharedMessageId, decode_messages};

use super::*;
use crate::compose::{Outgoing, messages};
use crate::conversation::{Delivery, Refusal};
use crate::profile::{ContactPreferences, Disappearing};

pub(super) async fn book_with(keeps_history: bool) -> (tempfile::TempDir, Book) {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::open(&folder.path().join("chat.db"), None, keeps_history).await.unwrap();
    (folder, book)
}

/// A file without tables.
async fn earlier(path: &Path) -> SqlitePool {
    std::fs::File::create_new(path).unwrap();
    options(path, None).pool(SqlitePoolOptions::new()).await.unwrap()
}

async fn book() -> (tempfile::TempDir, Book) {
    book_with(true).await
}

fn read(message: &Value) -> Vec<(i64, ChatMessage)> {
    (0..).zip(decode_messages(message.to_string().as_bytes()).into_iter().map(Result::unwrap)).collect()
}

fn shared(id: u8) -> SharedMessageId {
    SharedMessageId::from_bytes([id; 12])
}

fn new(id: u8, text: &str) -> Value {
    json!({ "v": "1-17", "msgId": shared(id).to_string(), "event": "x.msg.new",
            "params": { "content": { "type": "text", "text": text } } })
}

fn about(event: &str, id: u8, mut params: Value) -> Value {
    params["msgId"] = shared(id).to_string().into();
    json!({ "v": "1-17", "event": event, "params": params })
}

fn written(text: &str) -> Outgoing {
    messages(text, None, None, true, &mut rand::rng()).unwrap().remove(0)
}

async fn take(book: &Book, contact: &Contact, number: i64, message: &Value) -> Received {
    book.receive(contact, number, 1000, read(message)).await.unwrap()
}

/// Shows all new lines.
async fn show(book: &Book) -> Vec<String> {
    let lines = book.new_lines().await.unwrap();
    for line in &lines {
        book.shown(line, 5000).await.unwrap();
    }
    lines.into_iter().map(|line| line.line.text).collect()
}

async fn history(book: &Book, contact: &Contact) -> Vec<String> {
    let items = book.history(contact, None, 100, 0).await.unwrap();
    let words = |kept: KeptItem| kept.item.line().map_or_else(|| "deleted".to_owned(), |line| line.text);
    items.into_iter().map(words).collect()
}

#[tokio::test]
async fn a_contact_takes_its_own_name_unless_the_user_chose_one() {
    let (_folder, book) = book().await;
    let unnamed = book.add(1, None, Status::Invited, Some("link")).await.unwrap();
    let named = book.add(2, Some("carol"), Status::Joining, None).await.unwrap();
    assert_eq!(
        book.set_profile(&unnamed, &Profile::new("bob\u{1b}[2J")).await.unwrap().contact.name,
        "bob[2J"
    );
    assert_eq!(book.set_profile(&named, &Profile::new("bob")).await.unwrap().contact.name, "carol");
    let third = book.add(3, None, Status::Joining, None).await.unwrap();
    for profile in ["carol", "carol", "carol_2", "carol"] {
        assert_eq!(book.set_profile(&third, &Profile::new(profile)).await.unwrap().contact.name, "carol_2");
    }
    assert!(book.refuse_known_name("carol").await.is_err());
    book.set_status(&unnamed, Status::Connected).await.unwrap();
    assert_eq!(book.by_connection(1).await.unwrap().unwrap().link, None);
}

#[tokio::test]
async fn a_connected_contact_keeps_its_name_and_is_told_of() {
    let (_folder, book) = book().await;
    let bob = book.add(1, None, Status::Joining, None).await.unwrap();
    let bob = book.set_profile(&bob, &Profile::new("bob")).await.unwrap().contact;
    book.set_status(&bob, Status::Connected).await.unwrap();
    assert_eq!(book.set_profile(&bob, &Profile::new("bob")).await.unwrap().renamed, None);
    let introduction = book.set_profile(&bob, &Profile::new("mallory")).await.unwrap();
    assert_eq!(introduction.contact.name, "bob");
    assert_eq!(introduction.renamed.as_deref(), Some("mallory"));
    // Once.
    assert_eq!(book.set_profile(&bob, &Profile::new("mallory")).await.unwrap().renamed, None);
    book.set_status(&bob, Status::Ended).await.unwrap();
    assert_eq!(book.set_profile(&bob, &Profile::new("eve")).await.unwrap().contact.name, "bob");
}

#[tokio::test]
async fn lines_of_a_muted_contact_wait() {
    for keeps_history in [true, false] {
        let (_folder, book) = book_with(keeps_history).await;
        let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
        let carol = book.add(2, Some("carol"), Status::Connected, None).await.unwrap();
        book.set_muted(&bob, true).await.unwrap();
        take(&book, &bob, 1, &new(1, "from bob")).await;
        take(&book, &carol, 1, &new(2, "from carol")).await;
        assert_eq!(show(&book).await, ["from carol"]);
        assert!(show(&book).await.is_empty());
        let all = book.all_new_lines().await.unwrap();
        assert!(all.len() == 1 && all[0].is_muted);
        // It is there to be read, and then forgotten if nothing is kept.
        assert_eq!(history(&book, &bob).await, ["from bob"]);
        let lines = book.new_lines_of(&bob).await.unwrap();
        book.shown(&lines[0], 0).await.unwrap();
        assert!(book.new_lines_of(&bob).await.unwrap().is_empty());
        assert_eq!(history(&book, &bob).await.len(), usize::from(keeps_history));
        take(&book, &bob, 2, &new(3, "again")).await;
        book.set_muted(&bob, false).await.unwrap();
        assert_eq!(show(&book).await, ["again"]);
    }
}

#[tokio::test]
async fn the_last_word_on_disappearing_messages_counts() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let after = |seconds: Option<u32>| {
        let mut profile = Profile::new("bob");
        let timed = json!({ "timedMessages": { "allow": "yes", "ttl": seconds } });
        profile.other.insert("preferences".into(), timed);
        profile
    };
    let word = async || book.by_connection(1).await.unwrap().unwrap().disappearing;
    // The first one is nothing that changes.
    assert!(!book.set_profile(&bob, &after(Some(60))).await.unwrap().has_other_disappearing);
    assert!(book.set_profile(&bob, &after(Some(90))).await.unwrap().has_other_disappearing);
    book.set_disappearing(&bob, Some(Disappearing::Never)).await.unwrap();
    assert_eq!(word().await, Some(Disappearing::Never));
    // Their app has taken ours over, and says so with another change of the profile.
    assert!(!book.set_profile(&bob, &after(None)).await.unwrap().has_other_disappearing);
    assert_eq!(word().await, Some(Disappearing::Never));
    assert!(book.set_profile(&bob, &after(Some(90))).await.unwrap().has_other_disappearing);
    assert_eq!(word().await, None);
    assert!(!book.set_profile(&bob, &after(Some(90))).await.unwrap().has_other_disappearing);
}

/// Whether a file of the book has these bytes.
fn is_on_disk(folder: &tempfile::TempDir, text: &str) -> bool {
    std::fs::read_dir(folder.path()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn what_was_deleted_or_removed_is_not_on_the_disk() {
    let (folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let long = format!("the first secret {}", "x".repeat(10_000));
    for (number, text) in (1..).zip([long.as_str(), "the second secret", "the third secret"]) {
        take(&book, &bob, number, &new(number as u8, text)).await;
    }
    let number = book.write(&bob, &written("our secret"), 0).await.unwrap();
    // One that was shown, and one that was not.
    let lines = book.new_lines().await.unwrap();
    book.shown(&lines[0], 0).await.unwrap();
    for number in [1, 2] {
        take(&book, &bob, 3 + number, &about("x.msg.del", number as u8, json!({}))).await;
    }
    book.keep_change(&bob, number, |item| item.take_back()).await.unwrap();
    book.clean().await.unwrap();
    for secret in ["the first secret", "the second secret", "our secret"] {
        assert!(!is_on_disk(&folder, secret), "{secret}");
    }
    assert!(is_on_disk(&folder, "the third secret"));
    let lines: Vec<String> = book.new_lines().await.unwrap().into_iter().map(|line| line.line.text).collect();
    assert_eq!(lines, ["the third secret", "(deleted a message)", "(deleted a message)"]);
    book.remove(&bob).await.unwrap();
    assert!(!is_on_disk(&folder, "secret") && !is_on_disk(&folder, "bob"));
}

#[tokio::test]
async fn a_book_without_history_forgets_what_was_shown_or_sent() {
    let (folder, book) = book_with(false).await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    for _ in 0..2 {
        take(&book, &bob, 1, &new(1, "the first secret")).await;
        show(&book).await;
    }
    take(&book, &bob, 2, &new(2, "the second secret")).await;
    let ours = book.write(&bob, &written("our secret"), 0).await.unwrap();
    book.handed_over(ours, 3).await.unwrap();
    book.clean().await.unwrap();
    assert!(!is_on_disk(&folder, "the first secret"));
    assert!(is_on_disk(&folder, "the second secret") && is_on_disk(&folder, "our secret"));
    book.delivered(&bob, 3, Delivery::Sent, 0).await.unwrap();
    // A change of something that was forgotten is told all the same.
    take(
        &book,
        &bob,
        4,
        &about("x.msg.update", 1, json!({ "content": { "type": "text", "text": "changed" } })),
    )
    .await;
    assert_eq!(show(&book).await, ["the second secret", "(edited) changed"]);
    book.clean().await.unwrap();
    assert!(!is_on_disk(&folder, "secret"));
    assert!(history(&book, &bob).await.is_empty());
}

#[tokio::test]
async fn a_history_that_is_not_wanted_any_more_goes() {
    let (folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    for (number, text) in [(1, "a shown secret"), (2, "news")] {
        take(&book, &bob, number, &new(number as u8, text)).await;
    }
    let first = book.new_lines().await.unwrap().remove(0);
    book.shown(&first, 0).await.unwrap();
    let unsent = book.write(&bob, &written("unsent"), 0).await.unwrap();
    book.handed_over(unsent, 3).await.unwrap();
    assert_eq!(history(&book, &bob).await, ["a shown secret", "news", "unsent"]);
    book.close().await;
    let book = Book::open(&folder.path().join("chat.db"), None, false).await.unwrap();
    assert_eq!(history(&book, &bob).await, ["news", "unsent"]);
    assert!(!is_on_disk(&folder, "a shown secret"));
    assert_eq!(show(&book).await, ["news"]);
}

#[tokio::test]
async fn numbers_of_shown_texts_are_kept_no_longer_than_they_may_come_again() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let mut keys = Vec::new();
    for agent_id in 1..=20 {
        let both = json!([new(2 * agent_id as u8, "hello"), new(2 * agent_id as u8 + 1, "hello")]);
        for _ in 0..2 {
            take(&book, &bob, agent_id, &both).await;
        }
        for line in book.new_lines().await.unwrap() {
            book.shown(&line, 0).await.unwrap();
            keys.push(line.key());
        }
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM texts").fetch_one(&book.pool).await.unwrap();
    assert_eq!(rows, 2);
    let shown = keys.len();
    keys.dedup();
    keys.sort();
    keys.dedup();
    assert_eq!((shown, keys.len()), (40, 40));
}

#[tokio::test]
async fn a_book_with_a_history_loses_it_and_keeps_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    {
        let old = earlier(&path).await;
        let mut first = schema::migrations();
        first.migrations.to_mut().truncate(1);
        first.run(&old).await.unwrap();
        for sql in [
            "INSERT INTO contacts VALUES (1, 1, 'bob', 0, 'connected', NULL, NULL)",
            "INSERT INTO messages VALUES (1, 1, 0, 5, 0, 1, 'an old secret', 'sent')",
            "INSERT INTO messages VALUES (2, 1, 1, 6, 0, 1, 'an old secret', 'shown')",
            "INSERT INTO messages VALUES (3, 1, 1, 7, 0, 1, 'news', 'new')",
        ] {
            sqlx::query(sql).execute(&old).await.unwrap();
        }
        old.close().await;
    }
    let book = Book::open(&path, None, true).await.unwrap();
    let lines = book.new_lines().await.unwrap();
    assert_eq!(lines.iter().map(|line| line.line.text.as_str()).collect::<Vec<_>>(), ["news"]);
    let bob = book.require("bob").await.unwrap();
    assert_eq!(book.set_profile(&bob, &Profile::new("bob")).await.unwrap().renamed, None);
    book.close().await;
    assert!(!is_on_disk(&folder, "an old secret"));
}

/// A book of the version before, with a text that is being typed.
#[tokio::test]
async fn a_text_that_was_being_typed_survives_an_update() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let old = earlier(&path).await;
    let mut before = schema::migrations();
    before.migrations.to_mut().truncate(6);
    before.run(&old).await.unwrap();
    for sql in [
        "INSERT INTO contacts VALUES (1, 1, 'bob', 0, 'connected', NULL, NULL, 'bob', NULL)",
        "INSERT INTO texts (contact, agent_id, part, at, text, kind) VALUES (1, 4, 0, 0, 'before', 'text')",
        "INSERT INTO live VALUES (1, x'01', 'text', 'half')",
    ] {
        sqlx::query(sql).execute(&old).await.unwrap();
    }
    old.close().await;
    let book = Book::open(&path, None, true).await.unwrap();
    assert_eq!(show(&book).await, ["before", "half …"]);
}

#[tokio::test]
async fn a_repeated_event_changes_nothing() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let call = json!({ "v": "1-17", "event": "x.call.inv", "params": { "callId": "vK7A" } });
    for round in 0..3 {
        for (number, message) in [(7, new(1, "hello")), (8, new(2, "there")), (9, call.clone())] {
            let received = take(&book, &bob, number, &message).await;
            // It may not have been sent.
            assert_eq!(received.answers.len(), usize::from(number == 9));
            assert_eq!(received.has_lines, round == 0);
        }
        let shown = show(&book).await;
        assert_eq!(shown.len(), if round == 0 { 3 } else { 0 }, "{shown:?}");
    }
    assert_eq!(history(&book, &bob).await.len(), 3);
    let bob = book.by_connection(1).await.unwrap().unwrap();
    assert_eq!(bob.versions.unwrap().to_string(), "1-17");
    assert!(bob.reads_compressed());
    book.set_versions(&bob, "1-7".parse().unwrap()).await.unwrap();
    assert!(!book.by_connection(1).await.unwrap().unwrap().reads_compressed());
}

#[tokio::test]
async fn items_are_as_they_were_after_the_book_was_closed() {
    let (folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let ours = book.write(&bob, &written("ours"), 7).await.unwrap();
    assert_eq!(book.not_handed_over().await.unwrap().len(), 1);
    book.handed_over(ours, 1).await.unwrap();
    assert!(book.not_handed_over().await.unwrap().is_empty());
    book.delivered(&bob, 1, Delivery::Received, 0).await.unwrap();
    book.delivered(&bob, 1, Delivery::Sent, 0).await.unwrap();
    let id = book.item(&bob, ours).await.unwrap().item.shared_id.unwrap();
    let file = json!({ "fileName": "a.pdf", "fileSize": 5 });
    let with_file = json!({ "v": "1-17", "msgId": shared(1).to_string(), "event": "x.msg.new",
        "params": { "content": { "type": "file", "text": "" }, "file": file, "new": [1] } });
    take(&book, &bob, 2, &with_file).await;
    let part =
        json!({ "fileDescr": { "fileDescrText": "key", "fileDescrPartNo": 1, "fileDescrComplete": true } });
    take(&book, &bob, 3, &about("x.msg.file.descr", 1, part)).await;
    let thumb = json!({ "reaction": { "type": "emoji", "emoji": "👍" }, "add": true });
    let mut react = about("x.msg.react", 1, thumb);
    react["params"]["msgId"] = id.to_string().into();
    take(&book, &bob, 4, &react).await;
    let (theirs, event) = {
        let number = book.history(&bob, None, 9, 0).await.unwrap()[1].number;
        book.plan_change(&bob, number, |item| item.react("👎", true)).await.unwrap()
    };
    assert_eq!(event.name(), "x.msg.react");
    book.keep_change(&bob, theirs.number, |item| item.react("👎", true)).await.unwrap();
    book.keep_change(&bob, ours, |item| item.edit("ours, edited")).await.unwrap();
    let before = book.history(&bob, None, 9, 0).await.unwrap();
    book.close().await;
    let book = Book::open(&folder.path().join("chat.db"), None, true).await.unwrap();
    let after = book.history(&bob, None, 9, 0).await.unwrap();
    assert_eq!(
        after.iter().map(|kept| &kept.item).collect::<Vec<_>>(),
        before.iter().map(|kept| &kept.item).collect::<Vec<_>>()
    );
    let [ours, theirs] = after.as_slice() else { panic!("{after:?}") };
    assert_eq!(
        (ours.item.delivery, ours.item.is_edited(), ours.item.given().count()),
        (Delivery::Received, true, 1)
    );
    assert_eq!(ours.item.line().unwrap().text, "ours, edited");
    assert_eq!((theirs.item.file_parts[&1].as_str(), theirs.item.given().count()), ("key", 1));
    assert_eq!(theirs.item.container().unwrap().other["new"], json!([1]));
    assert_eq!(show(&book).await, ["[file a.pdf, 5 bytes]", "(reacted 👍 to “ours”)"]);
    let refused = book.plan_change(&bob, theirs.number, |item| item.edit("x")).await.unwrap_err();
    assert!(matches!(refused, BookError::Refused { refusal: Refusal::NotOurs, .. }));
    assert!(matches!(book.item(&bob, 99).await, Err(BookError::UnknownItem { .. })));
}

#[tokio::test]
async fn the_history_is_read_in_pages_and_searched() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let carol = book.add(2, Some("carol"), Status::Connected, None).await.unwrap();
    for number in 0..30 {
        let text = if number % 10 == 0 { format!("Über {number}") } else { format!("text {number}") };
        take(&book, &bob, number, &new(number as u8, &text)).await;
    }
    take(&book, &carol, 1, &new(1, "über carol")).await;
    let last = book.history(&bob, None, 10, 0).await.unwrap();
    assert_eq!(last.last().unwrap().item.line().unwrap().text, "text 29");
    let before = book.history(&bob, Some(last[0].number), 10, 0).await.unwrap();
    assert_eq!((before.len(), before[9].item.line().unwrap().text.as_str()), (10, "text 19"));
    let found = async |contact, limit| {
        let found = book.search(contact, "ÜBER", limit, 0).await.unwrap();
        found.into_iter().map(|kept| kept.item.line().unwrap().text).collect::<Vec<_>>()
    };
    assert_eq!(found(Some(&bob), 10).await, ["Über 0", "Über 10", "Über 20"]);
    assert_eq!(found(None, 2).await, ["Über 20", "über carol"]);
}

#[tokio::test]
async fn messages_disappear_when_their_time_is_over() {
    let (folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let mut timed = new(1, "a passing secret");
    timed["params"]["ttl"] = 60.into();
    take(&book, &bob, 1, &timed).await;
    // It counts from when it was shown.
    assert_eq!(book.expire(1_000_000_000).await.unwrap(), None);
    show(&book).await;
    assert_eq!(book.expire(64_999).await.unwrap(), Some(65_000));
    assert_eq!(history(&book, &bob).await.len(), 1);
    assert!(book.history(&bob, None, 9, 65_000).await.unwrap().is_empty());
    assert_eq!(book.expire(65_000).await.unwrap(), None);
    assert!(!is_on_disk(&folder, "a passing secret"));
    // Ours, from when it was sent.
    let ours = messages("ours", None, Some(60), true, &mut rand::rng()).unwrap().remove(0);
    let number = book.write(&bob, &ours, 0).await.unwrap();
    book.handed_over(number, 2).await.unwrap();
    assert_eq!(book.expire(1_000_000_000).await.unwrap(), None);
    book.delivered(&bob, 2, Delivery::Sent, 10_000).await.unwrap();
    book.delivered(&bob, 2, Delivery::Received, 20_000).await.unwrap();
    assert_eq!(book.expire(0).await.unwrap(), Some(70_000));
}

#[tokio::test]
async fn what_waits_for_a_message_is_bounded() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let deletions: Vec<Value> = (0..1000_u32)
        .map(|id| {
            let id = SharedMessageId::from_bytes(id.to_be_bytes());
            json!({ "event": "x.msg.del", "params": { "msgId": id.to_string() } })
        })
        .collect();
    take(&book, &bob, 1, &json!(deletions)).await;
    take(&book, &bob, 2, &about("x.msg.del", 200, json!({}))).await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM items").fetch_one(&book.pool).await.unwrap();
    assert_eq!(rows, 1000);
    take(&book, &bob, 3, &new(200, "too late")).await;
    assert!(show(&book).await.is_empty() && history(&book, &bob).await.is_empty());
}

#[tokio::test]
async fn a_contact_is_renamed() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    book.add(2, Some("carol"), Status::Connected, None).await.unwrap();
    assert!(matches!(book.rename(&bob, "carol").await, Err(BookError::NameTaken(_))));
    assert!(matches!(book.rename(&bob, "").await, Err(BookError::BadName)));
    book.rename(&bob, "robert").await.unwrap();
    let robert = book.require("robert").await.unwrap();
    book.rename(&robert, "robert").await.unwrap();
    assert!(robert.is_name_chosen() && book.by_name("bob").await.unwrap().is_none());
    assert_eq!(book.profile(&robert).await.unwrap(), None);
    book.set_profile(&robert, &Profile::new("bob")).await.unwrap();
    assert_eq!(book.profile(&robert).await.unwrap(), Some(Profile::new("bob")));
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_known_ones() {
    let (_folder, book) = book().await;
    assert!(matches!(book.require("bob").await, Err(BookError::NoContacts)));
    book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    assert!(book.require("bbo").await.unwrap_err().to_string().contains("bob"));
}

#[tokio::test]
async fn of_many_names_the_nearest_are_offered() {
    let (_folder, book) = book().await;
    for number in 0..30 {
        book.add(number, Some(&format!("person{number}")), Status::Connected, None).await.unwrap();
    }
    book.add(99, Some("carolina"), Status::Connected, None).await.unwrap();
    let sentence = book.require("Karolina").await.unwrap_err().to_string();
    assert!(sentence.contains("are: carolina, ") && sentence.contains("of 31"), "{sentence}");
}

/// The names of all contacts with what is unread, those with whom something happened last first.
async fn overview(book: &Book) -> Vec<(String, u32)> {
    let overview = book.overview().await.unwrap();
    let unread = book.unread().await.unwrap();
    for entry in &overview {
        assert_eq!(entry.unread, unread.get(&entry.contact.id).copied().unwrap_or_default());
    }
    overview.into_iter().map(|entry| (entry.contact.name, entry.unread)).collect()
}

#[tokio::test]
async fn a_conversation_is_unread_behind_its_mark() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let carol = book.add(2, Some("carol"), Status::Connected, None).await.unwrap();
    let named = |bob: u32, carol: u32| [("bob".to_owned(), bob), ("carol".to_owned(), carol)];
    take(&book, &carol, 1, &new(1, "hello")).await;
    take(&book, &bob, 1, &new(1, "one")).await;
    take(&book, &bob, 2, &new(2, "two")).await;
    assert_eq!(overview(&book).await, named(2, 1));
    let items = book.history(&bob, None, 9, 0).await.unwrap();
    assert!(book.read(&bob, items[0].number, 0).await.unwrap());
    assert_eq!(overview(&book).await, named(1, 1));
    // A line that was read needs not be shown any more; the others are.
    assert_eq!(show(&book).await, ["hello", "two"]);
    assert!(book.read(&bob, items[1].number, 0).await.unwrap());
    assert!(!book.read(&bob, items[0].number, 0).await.unwrap());
    assert_eq!(overview(&book).await, named(0, 1));
    // Ours are never unread, and bring the contact to the front.
    book.write(&carol, &written("ours"), 0).await.unwrap();
    assert_eq!(overview(&book).await, [("carol".to_owned(), 1), ("bob".to_owned(), 0)]);
    book.mark_read(&carol, i64::MAX).await.unwrap();
    assert!(book.unread().await.unwrap().is_empty());
    // Somebody new is the first, until something is said.
    book.add(3, Some("dave"), Status::Requested, None).await.unwrap();
    assert_eq!(overview(&book).await[0].0, "dave");
    take(&book, &bob, 3, &new(3, "three")).await;
    assert_eq!(overview(&book).await[0], ("bob".to_owned(), 1));
}

#[tokio::test]
async fn a_text_that_is_completed_later_is_unread() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let mut live = new(1, "half");
    live["params"]["live"] = true.into();
    take(&book, &bob, 1, &live).await;
    let ours = book.write(&bob, &written("ours"), 0).await.unwrap();
    book.read(&bob, ours, 0).await.unwrap();
    let content = json!({ "content": { "type": "text", "text": "whole" } });
    take(&book, &bob, 2, &about("x.msg.update", 1, content)).await;
    assert_eq!(overview(&book).await, [("bob".to_owned(), 1)]);
    book.read(&bob, ours, 0).await.unwrap();
    // An edit of what was read is not.
    let content = json!({ "content": { "type": "text", "text": "other" } });
    take(&book, &bob, 3, &about("x.msg.update", 1, content)).await;
    assert_eq!(overview(&book).await, [("bob".to_owned(), 0)]);
}

#[tokio::test]
async fn messages_disappear_from_when_they_were_read() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let mut timed = new(1, "a passing secret");
    timed["params"]["ttl"] = 60.into();
    take(&book, &bob, 1, &timed).await;
    book.read(&bob, i64::MAX, 5_000).await.unwrap();
    assert_eq!(book.expire(64_999).await.unwrap(), Some(65_000));
    assert_eq!(book.expire(65_000).await.unwrap(), None);
    assert!(history(&book, &bob).await.is_empty());
}

/// A book of the version before, with a message that was shown and one that was not.
#[tokio::test]
async fn messages_of_before_were_read_if_they_were_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let old = earlier(&path).await;
    let mut before = schema::migrations();
    before.migrations.to_mut().truncate(8);
    before.run(&old).await.unwrap();
    for sql in [
        "INSERT INTO contacts (id, connection, name, name_is_ours, status) VALUES (1, 1, 'bob', 0, 'connected'), (2, 2, 'carol', 0, 'connected'), (3, 3, 'dave', 0, 'connected')",
        "INSERT INTO items (id, contact, ours, number, part, at, delivery, visible, typing, state) VALUES
             (1, 1, 0, 1, 0, 0, 0, 1, 0, '{}'), (2, 1, 0, 2, 0, 0, 0, 1, 0, '{}'), (3, 2, 0, 1, 0, 0, 0, 1, 0, '{}')",
        "INSERT INTO texts (contact, agent_id, part, at, text, kind, item) VALUES (1, 1, 0, 0, NULL, 'text', 1), (1, 2, 0, 0, 'new', 'text', 2)",
    ] {
        sqlx::query(sql).execute(&old).await.unwrap();
    }
    old.close().await;
    let book = Book::open(&path, None, true).await.unwrap();
    let expected = [("carol", 0), ("bob", 1), ("dave", 0)].map(|(name, unread)| (name.to_owned(), unread));
    assert_eq!(overview(&book).await, expected);
}

/// Steps of SQLite's machine that a work takes.
async fn steps<T>(book: &Book, work: impl AsyncFnOnce() -> T) -> (usize, T) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let mut connection = book.pool.acquire().await.unwrap();
    connection.lock_handle().await.unwrap().set_progress_handler(10, move || {
        counted.fetch_add(10, Ordering::Relaxed);
        true
    });
    drop(connection);
    let done = work().await;
    book.pool.acquire().await.unwrap().lock_handle().await.unwrap().remove_progress_handler();
    (count.load(Ordering::Relaxed), done)
}

#[tokio::test]
async fn nothing_that_a_key_asks_for_is_linear_in_the_messages() {
    let mut measured = Vec::new();
    for messages in [200, 4000] {
        let (_folder, book) = book().await;
        for number in 0..20 {
            book.add(number, Some(&format!("person {number}")), Status::Connected, None).await.unwrap();
        }
        let insert =
            "WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
            INSERT INTO items (contact, ours, number, part, at, delivery, visible, typing, state)
            SELECT n % 20 + 1, n / 20 % 2, n, 0, n, 3, 1, 0, '{}' FROM numbers";
        sqlx::query(insert).bind(messages).execute(&book.pool).await.unwrap();
        sqlx::query("UPDATE contacts SET read_to = ?").bind(messages - 50).execute(&book.pool).await.unwrap();
        let bob = book.by_name("person 3").await.unwrap().unwrap();
        let middle = i64::from(messages / 2);
        let mut of = Vec::new();
        of.push(steps(&book, async || book.overview().await.unwrap().len()).await.0);
        of.push(steps(&book, async || book.unread().await.unwrap().len()).await.0);
        of.push(steps(&book, async || book.history(&bob, None, 5, 0).await.unwrap().len()).await.0);
        of.push(steps(&book, async || book.history(&bob, Some(middle), 3, 0).await.unwrap().len()).await.0);
        of.push(steps(&book, async || book.history_after(&bob, middle, 3, 0).await.unwrap().len()).await.0);
        of.push(steps(&book, async || book.not_handed_over().await.unwrap().len()).await.0);
        of.push(steps(&book, async || book.expire(0).await.unwrap()).await.0);
        let number = i64::from(messages) + 1;
        of.push(steps(&book, async || take(&book, &bob, number, &new(1, "new")).await).await.0);
        of.push(
            steps(&book, async || book.delivered(&bob, 23, Delivery::Received, 0).await.unwrap()).await.0,
        );
        of.push(steps(&book, async || book.read(&bob, i64::from(messages), 0).await.unwrap()).await.0);
        measured.push(of);
    }
    let [few, many] = measured.as_slice() else { panic!() };
    assert!(few[0] > 20, "nothing was counted: {few:?}");
    for (few_steps, many_steps) in few.iter().zip(many) {
        assert!(many_steps <= &(few_steps + 20), "{few:?} {many:?}");
    }
}

#[tokio::test]
async fn a_book_is_opened_without_a_look_at_its_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let mut pages = Vec::new();
    for messages in [100, 20_000] {
        let book = Book::open(&path, None, true).await.unwrap();
        if book.by_name("bob").await.unwrap().is_none() {
            book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
        }
        let insert = "WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
            INSERT INTO items (contact, ours, part, at, delivery, visible, typing, state) SELECT 1, 0, 0, n, 3, 1, 0, hex(zeroblob(200)) FROM numbers";
        sqlx::query(insert).bind(messages).execute(&book.pool).await.unwrap();
        book.clean().await.unwrap();
        let (checked, done) = steps(&book, async || book.check(&path).await).await;
        done.unwrap();
        pages.push(checked);
        book.close().await;
    }
    assert!(pages[1] <= pages[0] + 20, "{pages:?}");
    // Contacts that are damaged are found all the same.
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(3).position(|window| window == b"bob").unwrap() / 4096 * 4096;
    bytes[at..at + 100].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(Book::open(&path, None, true).await, Err(BookError::Damaged { .. })));
}

#[tokio::test]
async fn each_change_of_a_profile_is_told_with_the_one_before() {
    let (_folder, book) = book().await;
    book.feed();
    let contact = book.add(7, None, Status::Connected, None).await.unwrap();
    let profile = |full: &str| {
        let mut profile = Profile::new("alice");
        profile.full_name = full.to_owned();
        profile
    };
    book.set_profile(&contact, &profile("0")).await.unwrap();
    for full in ["1", "1", "2", "3"] {
        book.change_profile(&contact, &profile(full)).await.unwrap();
    }
    let told = |happened: &[Happened]| -> Vec<(i64, [Option<String>; 2])> {
        let names = |happened: &Happened| {
            [&happened.before, &happened.after]
                .map(|profile| profile.clone().map(|profile| profile.full_name))
        };
        happened.iter().map(|happened| (happened.number, names(happened))).collect()
    };
    let pair = |before: &str, after: Option<&str>| [Some(before.to_owned()), after.map(str::to_owned)];
    let all = told(&book.happenings(0, 10).await.unwrap());
    let pairs: Vec<_> = all.iter().map(|(_, pair)| pair.clone()).collect();
    assert_eq!(pairs, [pair("0", Some("1")), pair("1", Some("2")), pair("2", None)]);
    // Told and not taken yet: the next one is told all the same.
    let last = all[2].0;
    book.change_profile(&contact, &profile("4")).await.unwrap();
    let next = told(&book.happenings(last, 10).await.unwrap());
    assert_eq!(next.into_iter().map(|(_, pair)| pair).collect::<Vec<_>>(), [pair("3", None)]);
    book.taken(last, 0).await.unwrap();
    assert_eq!(book.happenings(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn words_of_programs_stay_with_their_contact() {
    let (folder, book) = book().await;
    let contact = book.add(7, None, Status::Connected, None).await.unwrap();
    let words = ContactPreferences::of_json(&json!({ "reactions": { "allow": "no" } })).unwrap();
    let data = json!({ "a": [1] });
    book.set_alias(&contact, Some("her")).await.unwrap();
    book.set_custom(&contact, Some(&data)).await.unwrap();
    book.set_preferences(&contact, Some(&words)).await.unwrap();
    book.close().await;
    let book = Book::open(&folder.path().join("chat.db"), None, true).await.unwrap();
    let contact = book.by_number(contact.id).await.unwrap().unwrap();
    assert_eq!((contact.alias.as_deref(), &contact.custom), (Some("her"), &Some(data)));
    assert_eq!(contact.preferences, Some(words));
    book.set_alias(&contact, None).await.unwrap();
    book.set_custom(&contact, None).await.unwrap();
    book.set_preferences(&contact, None).await.unwrap();
    let contact = book.by_number(contact.id).await.unwrap().unwrap();
    assert!(contact.alias.is_none() && contact.custom.is_none() && contact.preferences.is_none());
}
