//! The process that stays in the background.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::common::{Person, TestRelay};

/// `smp daemon`, once it serves.
fn daemon(person: &Person, args: &[&str]) -> Child {
    let args = [&["--json", "daemon"], args].concat();
    let mut child = person.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"serving\"")), "it ended");
    child
}

#[test]
fn a_daemon_makes_its_identity_serves_commands_and_keeps_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::new(folder.path().join("alice"));
    let (_, sentence) = alice.refused(&["daemon", "--create-profile", "alice"]);
    assert!(sentence.contains("--relay"), "{sentence}");
    let mut serving = daemon(&alice, &["--create-profile", "alice", "--relay", &relay.address]);
    let link = alice.invite("bob");
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    assert_eq!(bob.ok(&["join", "--timeout", "60", &link]).trim(), "alice");
    assert_eq!(alice.ok(&["send", "bob", "hello"]), "sent\n");
    bob.ok(&["send", "--receipt", "--timeout", "60", "alice", "there"]);
    assert!(alice.ok(&["history", "bob"]).contains("there"));
    let process = nix::unistd::Pid::from_raw(serving.id().try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(serving.wait().unwrap().success());
    // The second start finds the identity, and nobody has seen the message yet.
    let mut serving = daemon(&alice, &["--create-profile", "alice"]);
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(alice.ok(&["listen", "--count", "1", "--for", "60"]).contains("there"));
}
