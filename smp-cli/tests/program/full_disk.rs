//! A person whose disk is full goes on receiving, and is told what to free.

#[path = "../../../tests/support/small_disk.rs"]
mod small_disk;

use std::io::Write as _;
use std::process::Stdio;

use crate::common::{Listener, Person, TestRelay};
use small_disk::SmallDisk;

/// Large enough for an identity, its reserve (an eighth) and some texts.
const SIZE_MIB: u32 = 8;
/// Texts of one round. A relay holds 128.
const ROUND: usize = 50;

/// Texts of some length that begin with a number.
fn texts(round: usize) -> Vec<String> {
    (0..ROUND).map(|number| format!("{round}.{number} {}", "x".repeat(3000))).collect()
}

fn send(from: &Person, to: &str, texts: &[String]) {
    let mut command = from.command(&["send", to, "--lines"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(texts.join("\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// The next texts, and whether word of the full disk came among them.
fn receive(listener: &mut Listener) -> (Vec<String>, bool) {
    let mut texts = Vec::new();
    let mut is_told = false;
    while texts.len() < ROUND {
        let object = listener.next();
        match object["event"].as_str().unwrap() {
            "message" => texts.push(object["text"].as_str().unwrap().to_owned()),
            "storage_failed" => {
                let reason = object["reason"].as_str().unwrap();
                assert!(reason.contains("disk is full"), "{reason}");
                is_told = true;
            }
            _ => {}
        }
    }
    (texts, is_told)
}

#[test]
fn a_full_disk_costs_no_text_and_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("small"), SIZE_MIB) else {
        return println!("skipped: a small file system can be mounted by root only");
    };
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", disk.0.join("alice"), &relay);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    let link = alice.invite("bob");
    let mut listener = alice.listen();
    bob.ok(&["join", &link]);
    listener.until("connected");

    disk.fill();
    let mut round = 0;
    let mut is_told = false;
    while !is_told {
        assert!(round < 100, "the disk is not full");
        let texts = texts(round);
        send(&bob, "alice", &texts);
        let (received, told) = receive(&mut listener);
        assert!(received == texts, "round {round}: {} came", received.len());
        is_told = told;
        round += 1;
    }
    let output = alice.run(&["send", "bob", "no space for it"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("free at least") && said.contains(&*disk.0.to_string_lossy()), "{said}");
    let output = alice.run(&["contacts"]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("Your disk: the disk is full") && said.contains("free at least"), "{said}");

    // A program that begins with a full disk receives too.
    assert!(listener.kill().is_empty());
    send(&bob, "alice", &texts(round));
    let mut listener = alice.listen();
    assert!(receive(&mut listener).0 == texts(round));

    disk.free().unwrap();
    listener.until("storage_recovered");
    alice.ok(&["send", "bob", "space again"]);
    assert!(bob.ok(&["listen", "--count", "1"]).contains("space again"));
}
