//! Messages of apps besides texts, and lost files.

use std::fs;

use crate::common::{Person, TestRelay, connected};

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
        crate::common::texts(objects.iter())
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

/// A copy of the directory, without what belongs to a process.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_restored_backup_talks_again_and_is_not_verified() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let code = alice.ok(&["verify", "bob"]);
    alice.ok(&["verify", "bob", code.trim()]);
    let backup = folder.path().join("backup");
    copy(bob.dir(), &backup);
    for number in 0..3 {
        alice.ok(&["send", "bob", &format!("from alice {number}")]);
        bob.ok(&["listen", "--count", "1", "--for", "60"]);
        bob.ok(&["send", "alice", &format!("from bob {number}")]);
        alice.ok(&["listen", "--count", "1", "--for", "60"]);
    }
    fs::remove_dir_all(bob.dir()).unwrap();
    fs::rename(&backup, bob.dir()).unwrap();
    let mut hers = alice.listen();
    let mut his = bob.listen();
    alice.run(&["send", "bob", "into the past"]);
    // Both agree new keys by themselves.
    while hers.until("encryption")["verification_lost"] != true {}
    while his.until("encryption")["state"] != "ok" {}
    assert_eq!(bob.run(&["send", "--timeout", "60", "alice", "here again"]).status.code(), Some(0));
    while hers.until("message")["text"] != "here again" {}
    let listed: serde_json::Value = serde_json::from_str(&alice.ok(&["--json", "contacts"])).unwrap();
    assert_eq!(
        (&listed["verified"], &listed["troubles"]),
        (&false.into(), &serde_json::json!([])),
        "{listed}"
    );
    let other = alice.ok(&["verify", "bob"]);
    assert_ne!(other, code);
    assert_eq!(bob.ok(&["verify", "alice"]), other);
}
