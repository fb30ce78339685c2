//! An identity that is encrypted under a passphrase is there with it only.

use crate::common::{Person, TestRelay, connected};
use std::path::{Path, PathBuf};

fn written(folder: &Path, passphrase: &str) -> PathBuf {
    let file = folder.join(passphrase);
    std::fs::write(&file, format!("{passphrase}\n")).unwrap();
    file
}

/// Whether some bytes are in the files of a person.
fn is_found(dir: &Path, marker: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => is_found(&path, marker),
            // A socket is no file to be read.
            false => {
                std::fs::read(&path).unwrap_or_default().windows(marker.len()).any(|part| part == marker)
            }
        }
    })
}

#[test]
fn an_identity_is_encrypted_changed_and_decrypted() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let (one, two) = (written(folder.path(), "one"), written(folder.path(), "two"));
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    assert!(is_found(alice.dir(), b"SQLite format 3"));
    let (code, error) = alice.refused(&["passphrase", "remove", "--passphrase-file", one]);
    assert!(code == 1 && error.contains("not encrypted"), "{error}");

    alice.ok(&["passphrase", "set", "--passphrase-file", one]);
    assert!(!is_found(alice.dir(), b"SQLite format 3"));
    let (code, error) = alice.refused(&["contacts"]);
    assert!(code == 1 && error.contains("--passphrase-file") && error.lines().count() == 1, "{error}");
    let (_, error) = alice.refused(&["contacts", "--passphrase-file", two]);
    assert!(error.contains("not opened by this passphrase"), "{error}");
    assert!(alice.ok(&["contacts", "--passphrase-file", one]).contains("bob"));
    let output = alice.command(&["contacts"]).env("SMP_PASSPHRASE", "one").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    alice.ok(&["send", "--passphrase-file", one, "bob", "hello"]);
    assert!(bob.ok(&["listen", "--count", "1"]).contains("hello"));

    alice.ok(&["passphrase", "change", "--passphrase-file", one, "--new-passphrase-file", two]);
    alice.refused(&["contacts", "--passphrase-file", one]);
    assert!(alice.ok(&["contacts", "--passphrase-file", two]).contains("bob"));

    alice.ok(&["passphrase", "remove", "--passphrase-file", two]);
    assert!(alice.ok(&["contacts"]).contains("bob"));
    let (_, error) = alice.refused(&["contacts", "--passphrase-file", two]);
    assert!(error.contains("not encrypted"), "{error}");
}

#[test]
fn a_new_identity_is_encrypted_from_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let file = written(folder.path(), "secret");
    let file = file.to_str().unwrap();
    let alice = Person::new(folder.path().join("alice"));
    alice.ok(&["init", "--name", "alice", "--relay", &relay.address, "--passphrase-file", file]);
    alice.refused(&["contacts"]);
    alice.ok(&["invite", "somebody", "--passphrase-file", file]);
    assert!(alice.ok(&["contacts", "--passphrase-file", file]).contains("somebody"));
    assert!(!is_found(alice.dir(), b"SQLite format 3"));
}
