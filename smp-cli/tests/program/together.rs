//! Several commands on one data directory at once.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::common::{Person, TestRelay, connected};

#[test]
fn commands_work_while_another_one_listens() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let mut hers = alice.listen();
    let mut his = bob.listen();
    assert!(alice.ok(&["contacts"]).contains("bob"));
    assert_eq!(alice.ok(&["send", "bob", "one"]), "sent\n");
    assert_eq!(his.until("message")["text"], "one");
    bob.ok(&["send", "alice", "two"]);
    assert_eq!(hers.until("message")["text"], "two");
    let code = alice.ok(&["verify", "bob"]);
    assert_eq!(bob.ok(&["verify", "alice", code.trim()]).trim(), "The codes are equal: alice is verified.");
    let listed = bob.ok(&["--json", "contacts"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["verified"], true);

    // An invitation is made by the one, and joined by the other, while both listen; the QR code is drawn where it was asked for.
    let picture = folder.path().join("code.png");
    let invited = alice.run(&["--json", "invite", "bobby", "--qr", picture.to_str().unwrap()]);
    assert!(invited.status.success() && picture.exists(), "{invited:?}");
    let first = String::from_utf8(invited.stdout).unwrap().lines().next().unwrap().to_owned();
    let invitation: serde_json::Value = serde_json::from_str(&first).unwrap();
    // Standard input is the asking command's.
    let mut join = bob.command(&["join", "-", "ally"]);
    let mut join = join.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let link = invitation["link"].as_str().unwrap();
    std::io::Write::write_all(&mut join.stdin.take().unwrap(), format!("Join me: {link}\n").as_bytes())
        .unwrap();
    let joined = join.wait_with_output().unwrap();
    assert!(joined.status.success(), "{joined:?}");
    assert_eq!(String::from_utf8(joined.stdout).unwrap(), "ally\n");

    // Errors are the asking command's too.
    let (code, sentence) = alice.refused(&["send", "carol", "hello"]);
    assert_eq!(code, 1);
    assert!(sentence.contains("there are: bob"), "{sentence}");
    assert!(alice.ok(&["remove", "bobby"]).contains("removed"));
    assert_eq!(alice.ok(&["contacts"]).lines().count(), 1);
}

#[test]
fn nobody_else_can_ask_and_a_killed_one_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let socket = alice.dir().join("smp.sock");
    let running = alice.dir().join("running.json");
    let listener = alice.listen();
    for file in [&socket, &running] {
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            file.display()
        );
    }
    // Bytes that are no request end that connection only.
    for bytes in [b"".as_slice(), b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x03abc", b"\xff\xff\xff\xff"] {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        std::io::Write::write_all(&mut stream, bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
        assert!(answer.is_empty(), "{bytes:?}: {answer:?}");
    }
    assert!(alice.ok(&["contacts"]).contains("bob"));
    listener.kill();
    assert!(socket.exists() && running.exists());
    // The next ones find the directory free, and the one after them the socket of the next.
    alice.ok(&["send", "bob", "hello"]);
    let listener = alice.listen();
    alice.ok(&["send", "bob", "there"]);
    drop(listener);
    assert!(bob.ok(&["listen", "--count", "2", "--for", "60"]).contains("there"));
    assert!(!bob.dir().join("running.json").exists() && !bob.dir().join("smp.sock").exists());
}

#[test]
fn a_path_too_long_for_a_socket_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let deep = folder.path().join("x".repeat(100)).join("alice");
    std::fs::create_dir_all(deep.parent().unwrap()).unwrap();
    let alice = Person::create("alice", deep, &relay);
    alice.invite("bob");
    let _listener = alice.listen();
    assert!(alice.ok(&["contacts"]).contains("bob"));
}

#[test]
fn short_commands_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let sending: Vec<_> = (0..4)
        .map(|number| {
            alice.command(&["send", "bob", &format!("text {number}")]).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in sending {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(bob.ok(&["listen", "--count", "4", "--for", "60"]).lines().count(), 4);
}

#[test]
fn what_a_listener_took_and_could_not_send_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let mut listener = alice.listen();
    relay.down();
    listener.until("relay_down");
    let output = alice.run(&["send", "--timeout", "0.1", "bob", "later"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    relay.up();
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("later"));
}
