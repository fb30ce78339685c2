//! Troubles of a contact are shown as long as they last, and `smp send` says so.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;
use std::process::Stdio;

use crate::common::{Person, TestRelay, connected};
use serde_json::{Value, json};

/// The line of `smp --json contacts` about the only contact.
fn listed(person: &Person) -> Value {
    serde_json::from_str(&person.ok(&["--json", "contacts"])).unwrap()
}

fn kinds(person: &Person) -> Vec<Value> {
    let listed = listed(person);
    listed["troubles"].as_array().unwrap().iter().map(|trouble| trouble["kind"].clone()).collect()
}

/// Sends each of these lines by one process. Returns its exit code and what it printed.
fn send_lines(from: &Person, to: &str, lines: &[String], args: &[&str]) -> (Option<i32>, Vec<Value>) {
    let mut command = from.command(&[&["--json", "send", to, "--lines"], args].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn numbered(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("text {number}")).collect()
}

#[test]
fn a_full_queue_keeps_texts_and_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    // Many texts, one process.
    let (code, printed) = send_lines(&alice, "bob", &numbered(100), &[]);
    assert_eq!(code, Some(0));
    let lines: Vec<&Value> =
        printed.iter().filter(|it| it["event"] == "sent").map(|it| &it["line"]).collect();
    assert_eq!(lines, (1..=100).map(|number| json!(number)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    // The queue holds 128. An hour would be too long for this test: the rest is not waited for.
    let (code, printed) = send_lines(&alice, "bob", &numbered(40), &["--timeout", "3600"]);
    assert_eq!(code, Some(3));
    assert!(printed.iter().any(|it| it["event"] == "queued" && it["troubles"][0]["kind"] == "full"));
    assert_eq!(kinds(&alice), ["full"]);
    for _ in 0..2 {
        let output = alice.run(&["send", "--timeout", "3600", "bob", "one more"]);
        assert_eq!(output.status.code(), Some(3));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("kept") && said.contains("holds no more"), "{said}");
    }
    // Nothing is lost, and the state ends by itself.
    let mut hers = alice.listen();
    bob.ok(&["listen", "--count", "142", "--for", "120"]);
    while !kinds(&alice).is_empty() {}
    drop(hers.until("relay_up"));
}

#[test]
fn a_relay_that_is_down_is_a_state_of_its_contacts() {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    assert!(kinds(&alice).is_empty());
    relay.down();
    let output = alice.run(&["send", "--timeout", "1", "bob", "kept"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    // Not for a blip of seconds.
    while kinds(&alice).is_empty() {}
    let line = listed(&alice);
    assert_eq!(line["waiting"], 1);
    let trouble = &line["troubles"][0];
    assert_eq!(trouble["kind"], "own_relay_down", "both receive there: {line}");
    assert!(
        trouble["since"].as_i64().unwrap() > 0
            && relay.address.contains(&trouble["relay"].as_str().unwrap()[..20])
    );
    let said = alice.ok(&["contacts"]);
    assert!(said.contains("your relay smp://") && said.contains("since"), "{said}");
    relay.up();
    let texts = bob.ok(&["listen", "--for", "1"]);
    assert_eq!(texts, "");
    // It ends by itself, without `listen`.
    assert!(kinds(&alice).is_empty());
    let sent = alice.run(&["send", "bob", "behind it"]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert_eq!(bob.ok(&["listen", "--count", "2", "--for", "60"]).lines().count(), 2);
}

#[test]
fn a_text_that_is_sent_while_the_encryption_is_renewed_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    };
    let backup = folder.path().join("backup");
    copy(alice.dir(), &backup);
    for number in 0..3 {
        alice.ok(&["send", "bob", &format!("before {number}")]);
    }
    assert_eq!(bob.ok(&["listen", "--count", "3", "--for", "60"]).lines().count(), 3);
    std::fs::remove_dir_all(alice.dir()).unwrap();
    copy(&backup, alice.dir());
    // Her old copy uses numbers again: his side proposes new keys.
    alice.ok(&["send", "bob", "from the past"]);
    while kinds(&bob).iter().all(|kind| kind != "renewing") {
        bob.run(&["listen", "--for", "1"]);
    }
    for text in ["one", "two"] {
        let output = bob.run(&["send", "--timeout", "3600", "alice", text]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("kept") && said.contains("renewed"), "{said}");
    }
    assert_eq!(listed(&bob)["waiting"], 2);
    let mut hers = alice.listen();
    let mut his = bob.listen();
    for text in ["one", "two"] {
        assert_eq!(hers.until("message")["text"], text);
    }
    drop(his.until("relay_up"));
    bob.ok(&["send", "alice", "three"]);
    assert_eq!(hers.until("message")["text"], "three");
}
