//! An identity moves to another machine in a file.

use crate::common::{Person, TestRelay, connected};
use std::path::{Path, PathBuf};

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, format!("{text}\n")).unwrap();
    file
}

#[test]
fn an_identity_goes_on_where_it_was_imported() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let code = alice.ok(&["verify", "bob"]);
    alice.ok(&["verify", "bob", code.trim()]);
    alice.ok(&["send", "bob", "before"]);
    let file = folder.path().join("alice.smp");
    let file = file.to_str().unwrap();
    let pass = written(folder.path(), "pass", "a passphrase");
    let pass = ["--archive-passphrase-file", pass.to_str().unwrap()];
    let other = written(folder.path(), "other", "another one");
    let (_, sentence) = alice.refused(&["export", file]);
    assert!(sentence.contains("SMP_ARCHIVE_PASSPHRASE"), "{sentence}");
    assert!(!Path::new(file).exists());
    assert!(alice.ok(&["export", file, pass[0], pass[1]]).contains(file));
    let (_, sentence) = alice.refused(&["export", file, pass[0], pass[1]]);
    assert!(sentence.contains("--replace"), "{sentence}");
    alice.ok(&["export", file, pass[0], pass[1], "--replace"]);
    // Later texts are not in it.
    alice.ok(&["send", "bob", "between"]);
    bob.ok(&["listen", "--count", "2"]);
    bob.ok(&["send", "alice", "an answer"]);
    alice.ok(&["listen", "--count", "1"]);

    // A file that is there is not overwritten, and an archive that does not open makes nothing.
    for taken in [alice.dir(), folder.path()] {
        let (_, sentence) = Person::new(taken.to_owned()).refused(&["import", file, pass[0], pass[1]]);
        assert!(sentence.contains("--data-dir"), "{sentence}");
    }
    let machine = folder.path().join("machine");
    let moved = Person::new(machine.join("alice"));
    let (_, sentence) = moved.refused(&["import", file, pass[0], other.to_str().unwrap()]);
    assert!(sentence.contains("not opened by this passphrase"), "{sentence}");
    let (_, sentence) = moved.refused(&["import", pass[1], pass[0], pass[1]]);
    assert!(sentence.contains("no archive"), "{sentence}");
    assert!(std::fs::read_dir(&machine).unwrap().next().is_none());
    assert!(moved.ok(&["import", file, pass[0], pass[1]]).contains("You are alice"));
    assert_eq!(std::fs::read_dir(&machine).unwrap().count(), 1);

    // The history is there, new keys are agreed, and what is missing is said.
    let history = moved.ok(&["history", "bob"]);
    assert!(history.contains("before") && !history.contains("between"), "{history}");
    let mut his = bob.listen();
    let mut hers = moved.listen();
    hers.until("gap");
    while hers.until("encryption")["state"] != "ok" {}
    moved.ok(&["send", "--timeout", "60", "bob", "from the new machine"]);
    while his.until("message")["text"] != "from the new machine" {}
    bob.ok(&["send", "--timeout", "60", "alice", "welcome"]);
    while hers.until("message")["text"] != "welcome" {}
    let listed: serde_json::Value = serde_json::from_str(&moved.ok(&["--json", "contacts"])).unwrap();
    assert_eq!((&listed["contact"], &listed["verified"]), (&"bob".into(), &false.into()), "{listed}");
}

#[test]
fn an_encrypted_identity_is_opened_by_24_words_and_stays_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let (old, new) = (written(folder.path(), "old", "old"), written(folder.path(), "new", "new"));
    let (old, new) =
        (["--passphrase-file", old.to_str().unwrap()], ["--passphrase-file", new.to_str().unwrap()]);
    alice.ok(&["passphrase", "set", old[0], old[1]]);
    let file = folder.path().join("alice.smp");
    let file = file.to_str().unwrap();
    let line = alice.ok(&["--json", "export", file, "--recovery-phrase", old[0], old[1]]);
    let exported: serde_json::Value = serde_json::from_str(&line).unwrap();
    let words = exported["recovery_phrase"].as_str().unwrap().to_owned();
    assert_eq!(words.split(' ').count(), 24);
    let moved = Person::new(folder.path().join("moved"));
    let phrase = written(folder.path(), "words", &words);
    let phrase = ["--recovery-phrase-file", phrase.to_str().unwrap()];
    // Nobody is there to choose a passphrase, and without one it would not be encrypted any more.
    let (_, sentence) = moved.refused(&["import", file, phrase[0], phrase[1]]);
    assert!(sentence.contains("--passphrase-file"), "{sentence}");
    assert!(!moved.dir().exists());
    let mut wrong = moved.command(&["import", file, "--recovery-phrase", new[0], new[1]]);
    let output = wrong.env("SMP_RECOVERY_PHRASE", "one two").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("24 words"));
    moved.ok(&["import", file, phrase[0], phrase[1], new[0], new[1]]);
    moved.refused(&["contacts"]);
    moved.refused(&["contacts", old[0], old[1]]);
    assert!(moved.ok(&["contacts", new[0], new[1]]).contains("bob"));
    drop(bob);
}
