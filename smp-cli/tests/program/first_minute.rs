//! From nothing to a contact.

use crate::common::{Person, TestRelay};

#[test]
fn the_program_alone_says_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::new(folder.path().join("alice"));
    assert!(alice.ok(&[]).contains("smp init"));
    assert!(!alice.dir().exists());
    let (code, sentence) = alice.refused(&["init", "--name", "alice"]);
    assert!(code == 1 && sentence.contains("--relay smp://"), "{sentence}");
    for name in ["@bob", "#team", "O'Brien", "-v", ""] {
        let (_, sentence) = alice.refused(&["init", &format!("--name={name}"), "--relay", &relay.address]);
        assert!(sentence.contains("--name"), "{sentence}");
    }
    alice.ok(&["init", "--name", "alice", "--relay", &relay.address]);
    let next = alice.ok(&[]);
    assert!(next.contains("You are alice") && next.contains("smp invite NAME"), "{next}");
}

#[test]
fn wrong_arguments_get_a_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = Person::new(folder.path().join("nobody"));
    for (args, suggestion) in [(["lisen", "-v"], "listen"), (["send", "--timeuot"], "--timeout")] {
        let output = nobody.run(&args);
        assert_eq!(output.status.code(), Some(2));
        let sentence = String::from_utf8(output.stderr).unwrap();
        assert!(sentence.contains(suggestion), "{sentence}");
    }
    // A program gets an object.
    let output = nobody.run(&["lisen", "--json"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &error["event"]), (Some(2), &"error".into()));
    assert!(output.stderr.is_empty() && error["message"].as_str().unwrap().contains("'listen'"), "{error}");
    let help = nobody.ok(&["--help"]);
    assert!(help.contains("Exit codes") && help.contains("  3  not done yet"), "{help}");
}

#[test]
fn shells_and_man_know_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = Person::new(folder.path().join("nobody"));
    for shell in ["bash", "zsh", "fish"] {
        let script = nobody.ok(&["completions", shell]);
        assert!(script.contains("invite") && script.contains("contacts"), "{shell}");
    }
    let pages = folder.path().join("man");
    nobody.ok(&["man", pages.to_str().unwrap()]);
    for page in ["smp.1", "smp-invite.1", "smp-send.1"] {
        assert!(std::fs::read_to_string(pages.join(page)).unwrap().contains(".TH"), "{page}");
    }
}

#[test]
fn a_picture_of_a_code_is_joined() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    let picture = folder.path().join("code.png");
    let picture = picture.to_str().unwrap();
    alice.ok(&["invite", "bob", "--qr", picture]);
    let mut listener = alice.listen();
    assert_eq!(bob.ok(&["join", picture]), "alice\n");
    listener.until("connected");
    std::fs::write(picture, "no picture").unwrap();
    let (_, sentence) = bob.refused(&["join", picture]);
    assert!(sentence.contains("cannot be read as a picture"), "{sentence}");
}
