use super::*;
use crate::conversation::{Kind, Shown};

fn words(text: &str) -> Shown {
    Shown { kind: Kind::Text, text: text.to_owned() }
}

async fn book() -> (tempfile::TempDir, Book) {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::open(&folder.path().join("chat.db")).await.unwrap();
    (folder, book)
}

#[tokio::test]
async fn a_contact_takes_its_own_name_unless_the_user_chose_one() {
    let (_folder, book) = book().await;
    let unnamed = book.add(1, None, Status::Invited, Some("link")).await.unwrap();
    let named = book.add(2, Some("carol"), Status::Joining, None).await.unwrap();
    assert_eq!(book.set_profile(&unnamed, "bob\u{1b}[2J").await.unwrap().contact.name, "bob[2J");
    assert_eq!(book.set_profile(&named, "bob").await.unwrap().contact.name, "carol");
    let third = book.add(3, None, Status::Joining, None).await.unwrap();
    for profile in ["carol", "carol", "carol_2", "carol"] {
        assert_eq!(book.set_profile(&third, profile).await.unwrap().contact.name, "carol_2");
    }
    assert!(book.refuse_known_name("carol").await.is_err());
    book.set_status(&unnamed, Status::Connected).await.unwrap();
    assert_eq!(book.by_connection(1).await.unwrap().unwrap().link, None);
}

#[tokio::test]
async fn a_connected_contact_keeps_its_name_and_is_told_of() {
    let (_folder, book) = book().await;
    let bob = book.add(1, None, Status::Joining, None).await.unwrap();
    let bob = book.set_profile(&bob, "bob").await.unwrap().contact;
    book.set_status(&bob, Status::Connected).await.unwrap();
    assert_eq!(book.set_profile(&bob, "bob").await.unwrap().renamed, None);
    let introduction = book.set_profile(&bob, "mallory").await.unwrap();
    assert_eq!(introduction.contact.name, "bob");
    assert_eq!(introduction.renamed.as_deref(), Some("mallory"));
    // Once.
    assert_eq!(book.set_profile(&bob, "mallory").await.unwrap().renamed, None);
    book.set_status(&bob, Status::Ended).await.unwrap();
    assert_eq!(book.set_profile(&bob, "eve").await.unwrap().contact.name, "bob");
}

/// Whether a file of the book has these bytes.
fn is_on_disk(folder: &tempfile::TempDir, text: &str) -> bool {
    std::fs::read_dir(folder.path()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn what_was_shown_or_removed_is_not_on_the_disk() {
    let (folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let long = format!("the first secret {}", "x".repeat(10_000));
    for (agent_id, text) in (1..).zip([long.as_str(), "the second secret", "the third secret"]) {
        book.add_incoming(&bob, TextOrigin { agent_id, part: 0 }, 1000, &words(text)).await.unwrap();
    }
    assert!(is_on_disk(&folder, "the first secret"));
    for text in &book.new_texts().await.unwrap()[..2] {
        book.shown(text).await.unwrap();
    }
    book.clean().await.unwrap();
    assert!(!is_on_disk(&folder, "the first secret") && !is_on_disk(&folder, "the second secret"));
    assert!(is_on_disk(&folder, "the third secret"));
    book.remove(&bob).await.unwrap();
    assert!(!is_on_disk(&folder, "secret") && !is_on_disk(&folder, "bob"));
}

#[tokio::test]
async fn numbers_of_shown_texts_are_kept_no_longer_than_they_may_come_again() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let mut keys = Vec::new();
    for agent_id in 1..=20 {
        for part in [0, 1, 0] {
            book.add_incoming(&bob, TextOrigin { agent_id, part }, 1000, &words("hello")).await.unwrap();
        }
        for text in book.new_texts().await.unwrap() {
            book.shown(&text).await.unwrap();
            keys.push(text.key());
        }
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM texts").fetch_one(&book.0).await.unwrap();
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
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let old = SqlitePool::connect_with(options).await.unwrap();
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
    let book = Book::open(&path).await.unwrap();
    let texts = book.new_texts().await.unwrap();
    assert_eq!(texts.iter().map(|text| text.text.as_str()).collect::<Vec<_>>(), ["news"]);
    let bob = book.require("bob").await.unwrap();
    assert_eq!(book.set_profile(&bob, "bob").await.unwrap().renamed, None);
    book.close().await;
    assert!(!is_on_disk(&folder, "an old secret"));
}

#[tokio::test]
async fn a_repeated_event_shows_a_text_once() {
    let (_folder, book) = book().await;
    let contact = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    for _ in 0..2 {
        book.add_incoming(&contact, TextOrigin { agent_id: 7, part: 0 }, 1000, &words("hello"))
            .await
            .unwrap();
    }
    let texts = book.new_texts().await.unwrap();
    assert_eq!(texts.len(), 1);
    book.shown(&texts[0]).await.unwrap();
    book.add_incoming(&contact, TextOrigin { agent_id: 7, part: 0 }, 1000, &words("hello")).await.unwrap();
    assert!(book.new_texts().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_known_ones() {
    let (_folder, book) = book().await;
    assert!(book.require("bob").await.unwrap_err().to_string().contains("smp invite"));
    book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    assert!(book.require("bbo").await.unwrap_err().to_string().contains("bob"));
}

#[tokio::test]
async fn what_is_being_typed_is_shown_once_and_whole() {
    let (_folder, book) = book().await;
    let bob = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
    let origin = |agent_id| TextOrigin { agent_id, part: 0 };
    let shown = async || {
        let texts = book.new_texts().await.unwrap();
        texts.into_iter().map(|text| text.text).collect::<Vec<_>>()
    };
    for (number, text) in (1..).zip(["typ", "typing"]) {
        assert!(!book.set_live(&bob, origin(number), 0, b"id", &words(text)).await.unwrap());
    }
    assert!(shown().await.is_empty());
    // Also if the last event comes again.
    for _ in 0..2 {
        let both = (&words("typing done"), &words("(edited) typing done"));
        book.change(&bob, origin(3), 0, b"id", both).await.unwrap();
    }
    assert_eq!(shown().await, ["typing done"]);
    let both = (&words("typed"), &words("(edited) typed"));
    book.change(&bob, origin(4), 0, b"id", both).await.unwrap();
    // A text that is never completed is not lost.
    book.set_live(&bob, origin(5), 0, b"other", &words("half")).await.unwrap();
    assert!(book.set_live(&bob, origin(6), 0, b"third", &words("a")).await.unwrap());
    for _ in 0..2 {
        book.add_incoming(&bob, origin(7), 0, &words("whole")).await.unwrap();
    }
    assert_eq!(shown().await, ["typing done", "(edited) typed", "half …", "a …", "whole"]);
}

#[tokio::test]
async fn of_many_names_the_nearest_are_offered() {
    let (_folder, book) = book().await;
    for number in 0..30 {
        book.add(number, Some(&format!("person{number}")), Status::Connected, None).await.unwrap();
    }
    book.add(99, Some("carolina"), Status::Connected, None).await.unwrap();
    let sentence = book.require("Karolina").await.unwrap_err().to_string();
    assert!(sentence.contains("are: carolina, ") && sentence.contains("all 31"), "{sentence}");
}
