//! What two apps tell each other besides texts, and what is done about lost files.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Person, TestRelay, connected};

#[test]
fn a_removed_contact_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let mut listener = bob.listen();
    alice.ok(&["remove", "bob"]);
    assert_eq!(listener.until("ended")["reason"], "they deleted this contact");
    listener.kill();
    let (_, sentence) = bob.refused(&["send", "alice", "hello"]);
    assert!(sentence.contains("alice is gone"), "{sentence}");
}

#[test]
fn receipts_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let output = alice.run(&["send", "--receipt", "--timeout", "1", "bob", "hello"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "sent, and not received yet\n");
    let mut hers = alice.listen();
    let mut his = bob.listen();
    assert_eq!(his.until("message")["text"], "hello");
    assert_eq!(hers.until("received")["contact"], "bob");
    assert_eq!(alice.ok(&["send", "--receipt", "--timeout", "60", "bob", "there"]), "received\n");
}

#[test]
fn long_texts_arrive_whole_or_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let texts = |count: &str| -> Vec<String> {
        let lines = bob.ok(&["--json", "listen", "--count", count, "--for", "60"]);
        let objects: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        common::texts(objects.iter())
    };
    let whole = "x".repeat(15_000);
    alice.ok(&["send", "bob", &whole]);
    assert_eq!(texts("1"), [whole]);
    let long = "many words of a long text ".repeat(1500);
    alice.ok(&["send", "bob", &long]);
    let parts = texts("3");
    assert_eq!(parts.join(" "), long.trim());
}

#[test]
fn a_lost_book_is_no_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let book = alice.dir().join("chat.db");
    // A command that ends well writes everything to the file itself.
    alice.ok(&["contacts"]);
    let kept = fs::read(&book).unwrap();
    let lose = || {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(alice.dir().join(format!("chat.db{end}")));
        }
    };
    for content in [
        None,
        Some(Vec::new()),
        Some(kept[..kept.len() / 2].to_vec()),
        Some(b"no database, certainly".repeat(100)),
    ] {
        lose();
        if let Some(content) = &content {
            fs::write(&book, content).unwrap();
        }
        for args in [["send", "bob", "hello"].as_slice(), &["contacts"], &["invite"]] {
            let (_, sentence) = alice.refused(args);
            assert!(sentence.contains("chat.db") && sentence.contains("backup"), "{sentence}");
        }
        // Nothing was made in its place.
        assert!(fs::read(&book).ok() == content);
    }
    lose();
    fs::write(&book, &kept).unwrap();
    alice.ok(&["send", "bob", "hello"]);
    lose();
    assert_eq!(alice.ok(&["contacts", "--new-book"]).lines().count(), 1);
    alice.ok(&["send", "contact", "who are you?"]);
    assert!(bob.ok(&["listen", "--count", "2", "--for", "60"]).contains("who are you?"));
}

#[test]
fn lost_connections_and_settings_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, _bob) = connected(folder.path(), &relay);
    let agent = alice.dir().join("agent");
    let away = folder.path().join("away");
    fs::rename(&agent, &away).unwrap();
    let (_, sentence) = alice.refused(&["contacts"]);
    assert!(sentence.contains("agent.sqlite3 is missing") && sentence.contains("backup"), "{sentence}");
    assert!(!agent.exists());
    fs::rename(&away, &agent).unwrap();
    let settings = alice.dir().join("settings.toml");
    fs::write(&settings, "").unwrap();
    let (_, sentence) = alice.refused(&["contacts"]);
    assert!(sentence.contains("is empty"), "{sentence}");
    fs::remove_file(&settings).unwrap();
    let (_, sentence) = alice.refused(&["contacts"]);
    assert!(sentence.contains("is missing, though"), "{sentence}");
    alice.ok(&["init", "--name", "alice", "--relay", &relay.address]);
    assert!(alice.ok(&["contacts"]).contains("bob"));
    // A new identity whose first command was killed early is not refused.
    let carol = Person::create("carol", folder.path().join("carol"), &relay);
    fs::create_dir(carol.dir().join("agent")).unwrap();
    carol.ok(&["contacts"]);
}
