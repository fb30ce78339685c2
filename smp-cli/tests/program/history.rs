//! Conversations as they are kept, and changes to what was said.

use std::process::Stdio;
use std::time::Duration;

use crate::common::{Person, TestRelay, connected};
use serde_json::Value;

/// The objects that a command prints.
fn objects(person: &Person, args: &[&str]) -> Vec<Value> {
    let lines = person.ok(&[&["--json"], args].concat());
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The next line that the person sees.
fn next(person: &Person) -> Value {
    let objects = objects(person, &["listen", "--count", "1", "--for", "60"]);
    objects.into_iter().find(|object| object["event"] == "message").unwrap()
}

fn history(person: &Person, contact: &str) -> Vec<Value> {
    objects(person, &["history", contact, "--limit", "1000"])
}

fn number(item: &Value) -> String {
    item["item"].as_i64().unwrap().to_string()
}

#[test]
fn what_was_said_is_kept_and_changed_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    alice.ok(&["send", "bob", "helo bob"]);
    let his = number(&next(&bob));
    assert_eq!(bob.ok(&["reply", "alice", &format!("#{his}"), "hello", "alice"]), "sent\n");
    assert_eq!(next(&alice)["text"], "> helo bob\nhello alice");
    let hers = number(&history(&alice, "bob")[0]);
    alice.ok(&["edit", "bob", &hers, "hello bob"]);
    assert_eq!(next(&bob)["text"], "(edited) hello bob");
    bob.ok(&["react", "alice", &his, "👍"]);
    assert_eq!(next(&alice)["text"], "(reacted 👍 to “hello bob”)");
    let kept = history(&alice, "bob");
    assert_eq!(kept.len(), 2);
    assert_eq!(
        (&kept[0]["text"], &kept[0]["side"], &kept[0]["edited"], &kept[0]["reactions"][0]["emoji"]),
        (&"hello bob".into(), &"ours".into(), &true.into(), &"👍".into())
    );
    // Neither a listener nor a program has read it.
    assert_eq!(objects(&alice, &["contacts"])[0]["unread"], 1);
    assert!(alice.ok(&["contacts"]).contains("connected, 1 new"));
    // Bob's app has confirmed it, or does when alice looks.
    if kept[0]["delivery"] != "received" {
        alice.listen().until("received");
    }
    let shown = alice.ok(&["history", "bob"]);
    assert!(shown.contains("you ✓✓: hello bob (edited) 👍\n"), "{shown}");
    assert!(shown.contains("bob: > helo bob\n         hello alice\n"), "{shown}");
    assert_eq!(objects(&alice, &["contacts"])[0]["unread"], 0);
    // Found by words, in any case.
    let found = objects(&bob, &["search", "HELLO", "bob"]);
    assert_eq!((found.len(), &found[0]["text"]), (1, &"hello bob".into()));
    // Only the writer takes it back.
    let (_, sentence) = bob.refused(&["delete", "alice", &his]);
    assert!(sentence.contains("written by the other side"), "{sentence}");
    alice.ok(&["delete", "bob", &hers]);
    assert_eq!(next(&bob)["kind"], "deleted");
    for (person, contact) in [(&alice, "bob"), (&bob, "alice")] {
        let kept = history(person, contact);
        assert_eq!((kept.len(), &kept[0]["deleted"], &kept[0]["text"]), (2, &true.into(), &"".into()));
    }
    let (_, sentence) = alice.refused(&["edit", "bob", &hers, "again"]);
    assert!(sentence.contains("was deleted"), "{sentence}");
    bob.ok(&["delete", "--here", "alice", &his]);
    assert_eq!(history(&bob, "alice").len(), 1);
    let (_, sentence) = bob.refused(&["react", "alice", &his, "👍"]);
    assert!(sentence.contains("has no message") && sentence.contains("smp history"), "{sentence}");
}

#[test]
fn a_contact_is_called_as_the_user_likes() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    alice.ok(&["rename", "bob", "robert"]);
    alice.ok(&["send", "robert", "hello"]);
    assert_eq!(next(&bob)["contact"], "alice");
    let (_, sentence) = alice.refused(&["rename", "bob", "bobby"]);
    assert!(sentence.contains("there are: robert"), "{sentence}");
}

#[test]
fn without_history_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let carol = Person::new(folder.path().join("carol"));
    carol.ok(&["init", "--no-history", "--name", "carol", "--relay", &relay.address]);
    let link = carol.invite("alice");
    let mut listener = carol.listen();
    alice.ok(&["join", &link, "carol"]);
    listener.until("connected");
    alice.ok(&["send", "carol", "a passing word"]);
    assert_eq!(listener.until("message")["text"], "a passing word");
    listener.kill();
    carol.ok(&["send", "alice", "a passing answer"]);
    assert!(history(&carol, "alice").is_empty());
    assert_eq!(history(&alice, "carol").len(), 1);
    for file in std::fs::read_dir(carol.dir()).unwrap().map(|file| file.unwrap().path()) {
        let bytes = if file.is_file() { std::fs::read(&file).unwrap() } else { Vec::new() };
        assert!(!bytes.windows(9).any(|window| window == b"a passing"), "{}", file.display());
    }
    drop(bob);
}

#[test]
fn a_kill_at_any_moment_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let texts = |items: &[Value]| -> Vec<String> {
        items.iter().map(|item| item["text"].as_str().unwrap().to_owned()).collect()
    };
    for round in 0..12_u64 {
        let mut command = alice.command(&["send", "bob", &format!("text {round}")]);
        let mut sending = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(round * 10));
        sending.kill().unwrap();
        sending.wait().unwrap();
        let listener = bob.listen();
        listener.kill();
    }
    alice.ok(&["send", "bob", "the last one"]);
    let mut his = texts(&history(&bob, "alice"));
    while his.last().is_none_or(|text| text != "the last one") {
        next(&bob);
        his = texts(&history(&bob, "alice"));
    }
    let hers = history(&alice, "bob");
    // All that was written down has come, once, in order.
    assert_eq!(his, texts(&hers));
    let mut known = his.clone();
    known.dedup();
    assert_eq!(known, his);
    assert!(hers.iter().all(|item| item["delivery"] != "unknown"), "{hers:?}");
}
