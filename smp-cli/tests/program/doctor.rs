//! Findings, each with its next step; and contacts that move and are renewed.

use crate::common::{Person, TestRelay, connected};

/// The findings, and the exit code.
fn findings(person: &Person) -> (Vec<serde_json::Value>, i32) {
    let output = person.run(&["--json", "doctor"]);
    let lines = String::from_utf8(output.stdout).unwrap();
    let findings = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (findings, output.status.code().unwrap())
}

#[test]
fn each_finding_has_its_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, _bob) = connected(folder.path(), &relay);
    let about = |findings: &[serde_json::Value]| -> Vec<String> {
        findings.iter().map(|finding| finding["about"].as_str().unwrap().to_owned()).collect()
    };
    let all = ["relay", "clock", "connections", "conversations", "space", "waiting"];
    let (found, code) = findings(&alice);
    assert_eq!((about(&found), code), (all.map(str::to_owned).to_vec(), 0), "{found:?}");
    assert!(found.iter().all(|finding| finding["ok"] == true && finding["next"] == ""), "{found:?}");
    assert!(found[2]["bytes"].as_u64().unwrap() > 0 && found[4]["free_bytes"].is_u64());
    assert!(alice.ok(&["doctor"]).contains("makes queues"));
    // Beside a program that receives, too.
    let listener = alice.listen();
    assert_eq!(findings(&alice).1, 0);
    drop(listener);

    alice.ok(&["address", "create"]);
    relay.down();
    let output = alice.run(&["send", "--timeout", "1", "bob", "waits"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let (found, code) = findings(&alice);
    assert_eq!(code, 1);
    let of = |about: &str| found.iter().find(|finding| finding["about"] == about).unwrap();
    assert_eq!((&of("relay")["ok"], &of("relay")["reached"]), (&false.into(), &false.into()));
    assert!(of("relay")["next"].as_str().unwrap().contains("smp "), "{found:?}");
    assert_eq!(of("clock")["compared_with"], 0);
    assert!(of("waiting")["messages"].as_u64().unwrap() >= 1, "{found:?}");
}

#[test]
fn a_contact_moves_to_another_relay_and_gets_new_keys() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let other = TestRelay::start(&folder.path().join("other"));
    let (alice, bob) = connected(folder.path(), &relay);
    let mut hers = alice.listen();
    let mut his = bob.listen();
    alice.ok(&["send", "bob", "before"]);
    his.until("message");
    bob.ok(&["send", "alice", "before"]);
    hers.until("message");
    let (_, sentence) = alice.refused(&["rotate", "bob", "--relay", "nothing"]);
    assert!(sentence.contains("relay"), "{sentence}");
    alice.ok(&["rotate", "bob", "--relay", &other.address]);
    while hers.until("rotation")["stage"] != "completed" {}
    bob.ok(&["send", "alice", "to the new relay"]);
    while hers.until("message")["text"] != "to the new relay" {}

    let (_, sentence) = alice.refused(&["sync", "bob"]);
    assert!(sentence.contains("bob"), "{sentence}");
    alice.ok(&["sync", "bob", "--force"]);
    while hers.until("encryption")["state"] != "ok" {}
    alice.ok(&["send", "--timeout", "60", "bob", "with new keys"]);
    while his.until("message")["text"] != "with new keys" {}
}
