//! Wrong input: each gets one sentence that says what to do, and an exit code, and loses nothing.

use crate::common::{Person, TestRelay, connected};

#[track_caller]
fn says(refusal: (i32, String), expected: &str) {
    let (code, sentence) = refusal;
    assert_ne!(code, 0);
    assert!(sentence.contains(expected), "{sentence}");
    assert_eq!(sentence.trim_end().lines().count(), 1, "{sentence}");
}

#[test]
fn links() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    let short = alice.invite("short");
    says(bob.refused(&["join", &short[..60]]), "copy the whole link again");
    let link = alice.invite_with(&["invite", "bob", "--full"]);
    says(bob.refused(&["join", "hello"]), "not a SimpleX link");
    says(bob.refused(&["join", "https://example.com/"]), "link");
    says(bob.refused(&["join", &link[..200]]), "copy the whole link again");
    says(bob.refused(&["join", &link.replace("x3dh", "x4dh")]), "link");
    says(alice.refused(&["join", &link]), "your own invitation");
    assert_eq!(bob.ok(&["contacts"]), "");
    assert!(alice.ok(&["contacts"]).contains("invited"));
}

#[test]
fn an_invitation_works_once() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    let carol = Person::create("carol", folder.path().join("carol"), &relay);
    let link = alice.invite("bob");
    let mut listener = alice.listen();
    bob.ok(&["join", &link]);
    listener.until("connected");
    let refused = carol.run(&["join", &link]);
    assert!(!refused.status.success());
    let sentence = String::from_utf8(refused.stderr).unwrap();
    assert!(sentence.contains("already used or has expired; ask for a new one"), "{sentence}");
    assert_eq!(carol.ok(&["contacts"]), "");
}

#[test]
fn a_link_that_was_joined_by_oneself() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    for (name, args) in [("a", ["invite"].as_slice()), ("b", &["invite", "--full"])] {
        let link = alice.invite_with(args);
        let joined = bob.run(&["join", &link, name, "--timeout", "1"]);
        assert_eq!(joined.status.code(), Some(3));
        says(bob.refused(&["join", &link, name]), "`smp listen` completes it");
        let mut hers = alice.listen();
        let mut his = bob.listen();
        hers.until("connected");
        his.until("connected");
        his.kill();
        says(bob.refused(&["join", &link]), "it is your contact");
    }
}

#[test]
fn relays() {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = TestRelay::start(&folder.path().join("relay"));
    let person = |name: &str| Person::new(folder.path().join(name));
    says(person("a").refused(&["init", "--name", "a", "--relay", "smp://x@y"]), "fingerprint");
    assert!(!person("a").dir().exists());

    // Another fingerprint at the same place.
    let (scheme, fingerprint) = relay.address.split_at("smp://".len());
    let first = if fingerprint.starts_with('A') { "B" } else { "A" };
    let other = format!("{scheme}{first}{}", &fingerprint[1..]);
    let stranger = person("b");
    stranger.ok(&["init", "--name", "b", "--relay", &other]);
    says(stranger.refused(&["invite"]), "does not match the fingerprint");

    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    relay.down();
    says(alice.refused(&["invite"]), "cannot be reached");
    relay.up();
    alice.ok(&["invite"]);
}

#[test]
fn directories_and_names() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, _bob) = connected(folder.path(), &relay);
    let nobody = Person::new(folder.path().join("nobody"));
    says(nobody.refused(&["contacts"]), "smp init");
    says(alice.refused(&["init", "--name", "x", "--relay", &relay.address]), "already");
    says(alice.refused(&["send", "carol", "hello"]), "there are: bob");
    says(alice.refused(&["invite", "bob"]), "already");
    // One shows what comes; it is named.
    let listener = alice.listen();
    says(alice.refused(&["listen"]), "`smp listen` (process ");
    listener.kill();
    alice.ok(&["contacts"]);
}

/// A tmpfs of two MiB stands for a full disk. Mounting needs root: the test says so where it is not.
#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
        .arg(&small)
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("skipped: a small file system can be mounted by root only");
        return;
    }
    let result = std::panic::catch_unwind(|| full_disk(folder.path(), &small));
    let unmounted = std::process::Command::new("umount").arg(&small).status().unwrap();
    assert!(unmounted.success());
    result.unwrap();
}

fn full_disk(folder: &std::path::Path, small: &std::path::Path) {
    let relay = TestRelay::start(&folder.join("relay"));
    let alice = Person::create("alice", small.join("alice"), &relay);
    let bob = Person::create("bob", folder.join("bob"), &relay);
    let link = alice.invite("bob");
    {
        let mut listener = alice.listen();
        bob.ok(&["join", &link]);
        listener.until("connected");
    }
    bob.ok(&["send", "alice", "before"]);
    let ballast = small.join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    drop(file);
    let output = alice.run(&["send", "bob", &"x".repeat(10_000)]);
    assert!(!output.status.success(), "{output:?}");
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert!(sentence.contains("disk is full"), "{sentence}");
    std::fs::remove_file(ballast).unwrap();
    let shown = alice.ok(&["listen", "--count", "1"]);
    assert!(shown.contains("before"), "{shown}");
    alice.ok(&["send", "bob", "after"]);
    assert!(bob.ok(&["listen", "--count", "1"]).contains("after"));
}

#[test]
fn a_qr_code_that_cannot_be_written_costs_no_invitation() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    says(alice.refused(&["invite", "bob", "--qr", "code.jpg"]), ".png or .svg");
    says(alice.refused(&["invite", "bob", "--qr", "/nowhere/code.png"]), "/nowhere/code.png");
    assert_eq!(alice.ok(&["contacts"]), "");
}

#[test]
fn a_text_that_cannot_be_printed_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    bob.ok(&["send", "alice", "hello"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let listener = alice.command(&["listen", "--count", "1"]).stdout(full).output().unwrap();
    assert_eq!(listener.status.code(), Some(1));
    says((1, String::from_utf8(listener.stderr).unwrap()), "standard output cannot be written");
    assert!(alice.ok(&["listen", "--count", "1"]).contains("hello"));
}

#[test]
fn fewer_messages_than_asked_for_are_not_a_success() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    assert_eq!(alice.run(&["listen", "--count", "1", "--for", "0.1"]).status.code(), Some(3));
    assert_eq!(alice.run(&["listen", "--for", "0.1"]).status.code(), Some(0));
    let output = alice.run(&["listen", "--for", "1e19"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("must be from 0 to"));
}

#[test]
fn paths_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let nobody = Person::new(folder.path().join(std::ffi::OsStr::from_bytes(b"no\xffbody")));
    says(nobody.refused(&["init", "--name", "x", "--relay", &relay.address]), "not valid UTF-8");
    assert!(!nobody.dir().exists());
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let picture = folder.path().join(std::ffi::OsStr::from_bytes(b"c\xffode.png"));
    for args in [["--json", "invite", "--qr"].as_slice(), &["invite", "--qr"]] {
        let output = alice.command(args).arg(&picture).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        std::fs::remove_file(&picture).unwrap();
    }
}
