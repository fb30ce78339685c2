use smp_agent::{AgentError, ConnectionId, Event, Integrity, MessageId, SyncState};
use smp_protocol::chat::{ChatEvent, ChatMessage, MessageContainer};

use super::identity::{about, connection};
use super::*;
use crate::data_dir::Settings;
use smp_chat::{Contact, Status};

/// An identity whose relay nobody can reach, with the contact bob.
async fn session() -> (tempfile::TempDir, Session, Contact) {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::locate(Some(folder.path())).unwrap();
    let relay = "smp://EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI=@127.0.0.1:1".to_owned();
    dir.create(&Settings {
        name: "alice".into(),
        relays: vec![relay],
        file_relays: Vec::new(),
        receipts: true,
        history: true,
        network: Default::default(),
    })
    .unwrap();
    let session = open(&folder).await;
    let contact = session.book().add(1, Some("bob"), Status::Connected, None).await.unwrap();
    (folder, session, contact)
}

async fn open(folder: &tempfile::TempDir) -> Session {
    let dir = DataDir::locate(Some(folder.path())).unwrap();
    Session::open(&dir, Missing::Refuse, &mut Passphrase::new(None)).await.unwrap()
}

/// Applies an event.
async fn apply(session: &Session, event: &Event) -> anyhow::Result<Vec<Notice>> {
    Ok(session.apply(&[event]).await?.1)
}

/// A message of the contact.
fn message(contact: &Contact, number: i64, body: Vec<u8>) -> Event {
    Event::Message {
        connection: connection(contact),
        id: MessageId::new(number),
        body,
        times: smp_agent::MessageTimes { relay: 1, received: 1 },
        integrity: Integrity::Ok,
        origin: smp_agent::MessageOrigin { number, hash: [0; 32] },
    }
}

#[tokio::test]
async fn a_connection_that_a_kill_kept_out_of_the_book_can_be_listed_and_removed() {
    let (folder, session, _bob) = session().await;
    let link = "simplex:/invitation#/?v=2-4&smp=smp%3A%2F%2FEhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI%3D%40smp.example.com%3A5223%2FTW-gQkZeOmKQ5NV1ss_yoZHnqHRDL4kU%23%2F%3Fv%3D1-2%26dh%3DMCowBQYDK2VuAyEA_l_VLKJjX2pR7AJDCU2YhoGraF3NWxkAXS4z0sqCh28%253D&e2e=v%3D1-2%26x3dh%3DMEIwBQYDK2VvAzkAhbmqypJlN2Dxhhk2bhJY6nfXU8xWqe8kLQKpItA3cicRi5gldMYK-OLJujxccyImTxhTJ7_-UyY%3D%2CMEIwBQYDK2VvAzkAulFAFrH1U7wh3pg8OYIOjkUDTSwsAGEA--QurQKLflGrQINdQ4wvptNorqhbB3o3X-JBePlPU7g%3D";
    // One of this number is in the book.
    session.agent().join(link, b"").await.unwrap();
    let lost = session.agent().join(&link.replace("TW-g", "UW-g"), b"").await.unwrap();
    session.close().await;
    for _ in 0..2 {
        let session = open(&folder).await;
        assert_eq!(session.book().contacts().await.unwrap().len(), 2);
        let contact = session.book().by_connection(lost.number()).await.unwrap().unwrap();
        assert_eq!((contact.name.as_str(), contact.status), ("contact", Status::Joining));
        session.close().await;
    }
    let session = open(&folder).await;
    session.remove(&session.contact("contact").await.unwrap()).await.unwrap();
    assert_eq!(session.agent().connections().await.unwrap().len(), 1);
    session.close().await;
}

#[tokio::test]
async fn a_text_that_the_agent_does_not_take_is_not_said() {
    let (folder, session, bob) = session().await;
    // The agent has no such connection.
    assert!(session.send_text(&bob, "refused", None).await.is_err());
    let message = smp_chat::compose::messages("written down", None, None, true, &mut rand::rng());
    session.book().write(&bob, &message.unwrap()[0], 0).await.unwrap();
    assert_eq!(session.book().history(&bob, None, 9, 0).await.unwrap().len(), 1);
    session.close().await;
    let session = open(&folder).await;
    assert!(session.book().history(&bob, None, 9, 0).await.unwrap().is_empty());
    session.close().await;
}

#[tokio::test]
async fn errors_name_the_contact_and_no_number() {
    let (_folder, session, bob) = session().await;
    for error in [
        session.send_text(&bob, "hello", None).await.unwrap_err(),
        session.security_code(&bob).await.unwrap_err(),
        about(&bob, AgentError::Encryption(ConnectionId::new(7))),
        about(&bob, AgentError::NotNow { connection: ConnectionId::new(7), status: "late", advice: "wait" }),
    ] {
        let sentence = format!("{error:#}");
        assert!(sentence.contains("bob") && !sentence.contains(char::is_numeric), "{sentence}");
    }
    session.close().await;
}

#[tokio::test]
async fn a_part_that_cannot_be_read_does_not_cost_the_others() {
    let (_folder, session, bob) = session().await;
    let text = |text: &str| {
        let event = ChatEvent::MessageNew(MessageContainer::text(text));
        String::from_utf8(ChatMessage::new(None, event).encode()).unwrap()
    };
    let deleted = String::from_utf8(ChatMessage::new(None, ChatEvent::DirectDelete).encode()).unwrap();
    let body = format!("[{},7,8,{deleted},{}]", text("before"), text("behind"));
    let notices = apply(&session, &message(&bob, 1, body.into())).await.unwrap();
    assert!(
        matches!(notices.as_slice(), [Notice::Unreadable(..), Notice::Ended(..), Notice::Text]),
        "{notices:?}"
    );
    let lines = session.book().new_lines().await.unwrap();
    assert_eq!(lines.iter().map(|line| line.line.text.as_str()).collect::<Vec<_>>(), ["before", "behind"]);
    session.close().await;
}

#[tokio::test]
async fn somebody_who_cannot_be_let_in_does_not_stop_the_others() {
    let (_folder, session, bob) = session().await;
    // The agent has no such connection; it answers alike for one that has failed already.
    let event = Event::Confirmation { connection: connection(&bob), info: session.own_info() };
    let notices = apply(&session, &event).await.unwrap();
    assert!(matches!(notices.as_slice(), [Notice::Ended(..)]), "{notices:?}");
    assert_eq!(session.contact("bob").await.unwrap().status, Status::Ended);
    session.agent().shutdown().await;
    // This passes: the event comes again at the next start.
    assert!(apply(&session, &event).await.is_err());
    session.close().await;
}

#[tokio::test]
async fn a_new_name_of_a_connected_contact_is_only_told() {
    let (_folder, session, bob) = session().await;
    let body = session.own_info();
    let notices = apply(&session, &message(&bob, 1, body.clone())).await.unwrap();
    assert!(matches!(notices.as_slice(), [Notice::Renamed(_, name)] if name == "alice"), "{notices:?}");
    let notices = apply(&session, &message(&bob, 2, body)).await.unwrap();
    assert!(notices.is_empty(), "{notices:?}");
    session.contact("bob").await.unwrap();
    session.close().await;
}

#[tokio::test]
async fn a_gap_is_told_whatever_comes_behind_it() {
    let (_folder, session, bob) = session().await;
    let mut event = message(&bob, 1, session.own_info());
    if let Event::Message { integrity, .. } = &mut event {
        *integrity = Integrity::BadHash;
    }
    let notices = apply(&session, &event).await.unwrap();
    assert!(matches!(notices.as_slice(), [Notice::Gap(..), Notice::Renamed(..)]), "{notices:?}");
    session.close().await;
}

#[tokio::test]
async fn new_keys_are_not_verified() {
    let (_folder, session, bob) = session().await;
    session.book().set_verified(&bob, "12345").await.unwrap();
    // The agent has no such connection, so no code that could be the same.
    let event = Event::RatchetSync { connection: connection(&bob), state: SyncState::Ok };
    for is_other in [true, false] {
        let notices = apply(&session, &event).await.unwrap();
        assert!(
            matches!(notices.as_slice(), [Notice::Encryption(_, SyncState::Ok, other)] if *other == is_other)
        );
        assert_eq!(session.contact("bob").await.unwrap().verified_code, None);
    }
    session.close().await;
}
