//! Files without a contact.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rand::RngExt as _;
use serde_json::Value;

use crate::common::{Person, TestFileRelay, TestRelay};

/// Kills of each command in a run without `SMP_KILLS`.
const KILLS: u32 = 4;

/// Somebody without an identity, in a directory of their own.
struct Anybody {
    dir: PathBuf,
}

impl Anybody {
    fn new(dir: PathBuf) -> Self {
        std::fs::create_dir_all(&dir).unwrap();
        Self { dir }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Person::new(self.dir.join("none")).command(args);
        command.current_dir(&self.dir);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(&[&["--json"], args].concat());
        assert!(output.status.success(), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn write(&self, name: &str, length: usize) -> Vec<u8> {
        let content: Vec<u8> =
            (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
        std::fs::write(self.dir.join(name), &content).unwrap();
        content
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap()
}

#[test]
fn files_go_by_link_and_by_description() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) =
        (TestFileRelay::start(&folder.path().join("1")), TestFileRelay::start(&folder.path().join("2")));
    let alice = Anybody::new(folder.path().join("alice"));
    let bob = Anybody::new(folder.path().join("bob"));
    for (name, length) in [("small.txt", 100), ("large.bin", 2_500_000)] {
        let content = alice.write(name, length);
        let relays = ["--relay", &one.address, "--relay", &other.address];
        let sent = alice.ok(&[&["file", "send", name][..], &relays].concat());
        let link = text(&sent, "link");
        assert!(link.starts_with("simplex:/file#/?desc=") && link.len() < 1_100, "{link}");
        let received = bob.ok(&["file", "receive", link]);
        assert_eq!(std::fs::read(bob.dir.join(text(&received, "file"))).unwrap(), content);
        // Once more, by the description: nothing is replaced.
        let description = alice.dir.join(sent["recipients"][0].as_str().unwrap());
        let again = bob.ok(&["file", "receive", description.to_str().unwrap()]);
        assert_ne!(again["file"], received["file"]);
        let refused = alice.refused(&[&["file", "send", name][..], &relays].concat());
        assert!(refused.contains("already") && refused.contains("--out"), "{refused}");
        assert!(one.chunks() + other.chunks() > 0);
        alice.ok(&["file", "delete", &format!("{name}.xftp")]);
        assert_eq!(one.chunks() + other.chunks(), 0);
        let gone = bob.refused(&["file", "receive", link]);
        assert!(gone.contains("deleted, or is older"), "{gone}");
    }
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestFileRelay::start(&folder.path().join("relay"));
    let alice = Anybody::new(folder.path().join("alice"));
    alice.write("a.txt", 10);
    let sentence = alice.refused(&["file", "send", "a.txt"]);
    assert!(sentence.contains("--relay xftp://"), "{sentence}");
    let sentence = alice.refused(&["file", "send", "missing.txt", "--relay", &relay.address]);
    assert!(sentence.contains("missing.txt"), "{sentence}");
    let sentence = alice.refused(&["file", "send", "a.txt", "--relay", "smp://x@a"]);
    assert!(sentence.contains("xftp://FINGERPRINT"), "{sentence}");
    let sentence = alice.refused(&["file", "send", "a.txt", "--relay", &relay.address, "--recipients", "0"]);
    assert!(sentence.contains("1 to 128"), "{sentence}");
    let nobody = relay.address.rsplit_once(':').unwrap().0.to_owned() + ":1";
    let sentence = alice.refused(&["file", "send", "a.txt", "--relay", &nobody, "--out", "x"]);
    assert!(sentence.contains("run the same command again"), "{sentence}");
    let sentence = alice.refused(&["file", "receive", "a.txt"]);
    assert!(sentence.contains("a.txt"), "{sentence}");
    let sentence = alice.refused(&["file", "receive", "https://simplex.chat/contact#/?v=1"]);
    assert!(sentence.contains("smp join"), "{sentence}");
    let sentence = alice.refused(&["file", "delete", "."]);
    assert!(sentence.contains("sender.xftp"), "{sentence}");
    let sent = alice.ok(&["file", "send", "a.txt", "--relay", &relay.address]);
    let sentence = alice.refused(&["file", "receive", text(&sent, "sender")]);
    assert!(sentence.contains("must not be passed on"), "{sentence}");
}

#[test]
fn file_relays_of_an_identity_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let smp = TestRelay::start(&folder.path().join("smp"));
    let relay = TestFileRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &smp);
    alice.ok(&["relay", "add", &relay.address]);
    let (_, sentence) = alice.refused(&["relay", "add", &relay.address]);
    assert!(sentence.contains("already"), "{sentence}");
    assert!(alice.ok(&["relay", "list"]).lines().any(|line| line.contains("(for files)")));
    assert!(alice.ok(&["relay", "test"]).contains("a file relay, reached"));
    let file = folder.path().join("a.txt");
    std::fs::write(&file, "hello").unwrap();
    let out = folder.path().join("out");
    alice.ok(&["file", "send", file.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!(relay.chunks(), 1);
    alice.ok(&["relay", "remove", &relay.address]);
    assert_eq!(alice.ok(&["relay", "list"]).lines().count(), 1);
    alice.invite("bob");
}

/// The most memory of its own that a process had while it ran, in KiB.
#[cfg(target_os = "linux")]
fn memory_of(mut child: Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let own = own.and_then(|own| own.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(own.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    most
}

/// `SMP_FILE_MIB` in the environment is its size.
#[cfg(target_os = "linux")]
#[test]
fn a_large_file_needs_little_memory() {
    const LIMIT: u64 = 32 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let relay = TestFileRelay::start(&folder.path().join("relay"));
    let alice = Anybody::new(folder.path().join("alice"));
    let mebibytes: u64 = std::env::var("SMP_FILE_MIB").map_or(24, |size| size.parse().unwrap());
    let file = std::fs::File::create(alice.dir.join("large")).unwrap();
    file.set_len(mebibytes << 20).unwrap();
    let sending = memory_of(alice.spawn(&["file", "send", "large", "--relay", &relay.address]));
    let receive = ["file", "receive", "large.xftp/recipient.xftp", "--to", "received"];
    let receiving = memory_of(alice.spawn(&receive));
    println!("{mebibytes} MiB: {sending} KiB to send, {receiving} KiB to receive");
    assert_eq!(std::fs::metadata(alice.dir.join("received")).unwrap().len(), mebibytes << 20);
    assert!(sending < LIMIT && receiving < LIMIT, "{sending} and {receiving} KiB");
}

#[test]
fn commands_that_are_killed_go_on_and_the_file_arrives_whole_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestFileRelay::start(&folder.path().join("relay"));
    let alice = Anybody::new(folder.path().join("alice"));
    let bob = Anybody::new(folder.path().join("bob"));
    let content = alice.write("a.bin", 5_000_000);
    let sender = alice.dir.join("a.bin.xftp/sender.xftp");
    let send = ["file", "send", "a.bin", "--relay", &relay.address];
    let kills = std::env::var("SMP_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    // A send that ends before its kill is begun anew, in the same directory.
    let mut link = None;
    for _ in 0..kills {
        let mut child = alice.spawn(&send);
        std::thread::sleep(std::time::Duration::from_millis(rand::rng().random_range(5..600)));
        child.kill().unwrap();
        child.wait().unwrap();
        if sender.exists() {
            break;
        }
    }
    if !sender.exists() {
        link = Some(text(&alice.ok(&send), "link").to_owned());
    }
    let from =
        link.unwrap_or_else(|| alice.dir.join("a.bin.xftp/recipient.xftp").to_str().unwrap().to_owned());
    let inbox = bob.dir.join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let receive = ["file", "receive", from.as_str(), "--to", "inbox"];
    let visible = || {
        let entries = std::fs::read_dir(&inbox).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter(|name| !name.to_string_lossy().starts_with('.')).collect::<Vec<_>>()
    };
    for _ in 0..kills {
        let mut child = bob.spawn(&receive);
        std::thread::sleep(std::time::Duration::from_millis(rand::rng().random_range(5..600)));
        child.kill().unwrap();
        child.wait().unwrap();
        for name in visible() {
            assert_eq!(std::fs::read(inbox.join(&name)).unwrap(), content, "what is visible is whole");
        }
        if !visible().is_empty() {
            break;
        }
    }
    if visible().is_empty() {
        bob.ok(&receive);
    }
    assert_eq!(visible(), ["a.bin"]);
    assert_eq!(std::fs::read(inbox.join("a.bin")).unwrap(), content);
    alice.ok(&["file", "delete", "a.bin.xftp"]);
}
