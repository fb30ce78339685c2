//! Files in conversations.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::Value;

use crate::common::{Person, TestFileRelay, TestRelay, connected};

/// Kills in a run without `SMP_KILLS`.
const KILLS: u32 = 3;

fn content(length: u64) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

fn file(folder: &Path, name: &str, length: u64) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content(length)).unwrap();
    path
}

fn history(person: &Person, contact: &str) -> Vec<Value> {
    let lines = person.ok(&["--json", "history", contact, "--limit", "100"]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The numbers of messages with a file.
fn files(person: &Person, contact: &str) -> Vec<i64> {
    let items = history(person, contact).into_iter();
    let of_files = items.filter(|item| item["text"].as_str().is_some_and(|text| text.starts_with("[file")));
    of_files.map(|item| item["item"].as_i64().unwrap()).collect()
}

#[test]
fn a_file_goes_to_a_contact_and_is_received_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let smp = TestRelay::start(&folder.path().join("smp"));
    let relay = TestFileRelay::start(&folder.path().join("files"));
    let (alice, bob) = connected(folder.path(), &smp);
    let path = file(folder.path(), "report.pdf", 300_000);
    let path = path.to_str().unwrap();
    let (_, sentence) = alice.refused(&["send", "bob", "--file", path]);
    assert!(sentence.contains("smp relay add xftp://"), "{sentence}");
    alice.ok(&["relay", "add", &relay.address]);
    alice.refused(&["send", "bob", "--file", "/nothing/there"]);
    let sent = alice.ok(&["send", "bob", "--file", path, "as", "promised"]);
    assert_eq!(sent.trim(), "sent");
    assert!(!alice.dir().join("files").exists() || files_left(&alice) == 0);

    let mut listener = bob.listen();
    let message = listener.until("message");
    assert_eq!(message["text"], "[file report.pdf, 300 KB] as promised", "{message}");
    // All of the description is there when a text behind it is.
    alice.ok(&["send", "bob", "there"]);
    listener.until("message");
    // Another process asks the one that listens.
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let number = files(&bob, "alice")[0].to_string();
    let received = bob.ok(&["--json", "receive", "alice", &number, "--to", inbox.to_str().unwrap()]);
    let received: Value = serde_json::from_str(&received).unwrap();
    assert_eq!(
        (received["event"].as_str(), received["size"].as_u64()),
        (Some("file_received"), Some(300_000))
    );
    assert_eq!(std::fs::read(inbox.join("report.pdf")).unwrap(), content(300_000));
    listener.interrupt();
    let (_, sentence) = bob.refused(&["receive", "alice", &(number.parse::<i64>().unwrap() + 1).to_string()]);
    assert!(sentence.contains("not a message of alice with a file"), "{sentence}");

    // A picture comes as one, with what apps show of it before they have it.
    let picture = folder.path().join("view.png");
    image::RgbImage::from_fn(600, 400, |x, y| [x as u8, y as u8, 9].into()).save(&picture).unwrap();
    alice.ok(&["send", "bob", "--file", picture.to_str().unwrap()]);
    let mut listener = bob.listen();
    let message = listener.until("message");
    assert!(message["text"].as_str().unwrap().starts_with("[image, "), "{message}");
    listener.interrupt();

    let own = files(&alice, "bob")[0].to_string();
    alice.ok(&["delete", "bob", &own]);
    // That of the picture.
    assert_eq!(relay.chunks(), 1);
    let (_, sentence) = bob.refused(&["receive", "alice", &number, "--to", inbox.to_str().unwrap()]);
    assert!(!sentence.is_empty());
}

fn files_left(person: &Person) -> usize {
    std::fs::read_dir(person.dir().join("files")).map_or(0, Iterator::count)
}

#[test]
fn what_waits_is_sealed_and_goes_out_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let smp = TestRelay::start(&folder.path().join("smp"));
    let (alice, bob) = connected(folder.path(), &smp);
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "correct horse battery staple\n").unwrap();
    let with = ["--passphrase-file", secret.to_str().unwrap()];
    let alices = |args: &[&str]| alice.run(&[&with[..], args].concat());
    assert!(alices(&["passphrase", "set"]).status.success());
    // A file relay that is off.
    let relay = TestFileRelay::start(&folder.path().join("files"));
    let off = relay.address.rsplit_once(':').unwrap().0.to_owned() + ":1";
    assert!(alices(&["relay", "add", &off]).status.success());
    let path = file(folder.path(), "plan.txt", 100);
    let waits = alices(&["send", "bob", "--file", path.to_str().unwrap(), "for you alone"]);
    assert_eq!(waits.status.code(), Some(3), "{waits:?}");
    assert_eq!(files_left(&alice), 1);
    for entry in std::fs::read_dir(alice.dir().join("files")).unwrap() {
        let journal = std::fs::read(entry.unwrap().path().join("journal")).unwrap();
        for secret in [&b"for you alone"[..], b"plan.txt"] {
            assert!(!journal.windows(secret.len()).any(|bytes| bytes == secret));
        }
    }
    let refused = alices(&["passphrase", "remove"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("smp listen"), "{refused:?}");
    assert!(alices(&["relay", "remove", &off]).status.success());
    assert!(alices(&["relay", "add", &relay.address]).status.success());
    let mut listening = alice.command(&[&with[..], &["listen", "--for", "900"]].concat());
    let mut listening = listening.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let message = bob.listen().until("message");
    listening.kill().unwrap();
    listening.wait().unwrap();
    assert!(message["text"].as_str().unwrap().ends_with("for you alone"), "{message}");
}

#[test]
fn a_sender_that_is_killed_sends_the_file_once() {
    let folder = tempfile::tempdir().unwrap();
    let smp = TestRelay::start(&folder.path().join("smp"));
    let relay = TestFileRelay::start(&folder.path().join("files"));
    let (alice, bob) = connected(folder.path(), &smp);
    alice.ok(&["relay", "add", &relay.address]);
    let path = file(folder.path(), "a.bin", 2_000_000);
    let kills = std::env::var("SMP_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut begun = 0;
    for _ in 0..kills {
        let mut sending = alice.command(&["send", "bob", "--file", path.to_str().unwrap()]);
        let mut sending = sending.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(rand::rng().random_range(50..1_500)));
        sending.kill().unwrap();
        sending.wait().unwrap();
        begun += 1;
    }
    // Those that were taken over, and no others, arrive; each once.
    let mut listening = alice.listen();
    while files_left(&alice) > 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    alice.ok(&["send", "bob", "the end"]);
    let own = files(&alice, "bob").len();
    assert!(own <= begun);
    let mut bobs = bob.listen();
    while bobs.until("message")["text"] != "the end" {}
    assert_eq!(files(&bob, "alice").len(), own);
    for (n, number) in files(&bob, "alice").iter().enumerate() {
        let to = folder.path().join(format!("received-{n}"));
        bob.ok(&["receive", "alice", &number.to_string(), "--to", to.to_str().unwrap()]);
        assert_eq!(std::fs::read(to).unwrap(), content(2_000_000));
    }
    bobs.interrupt();
    listening.next();
}
