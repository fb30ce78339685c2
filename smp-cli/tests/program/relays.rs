//! Relays of an identity, and the ways to them.

use crate::common::{Person, TestRelay, connected};

fn objects(lines: &[u8]) -> Vec<serde_json::Value> {
    std::str::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn relays_are_added_tested_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let one = TestRelay::start(&folder.path().join("one"));
    let mut two = TestRelay::start(&folder.path().join("two"));
    let alice = Person::create("alice", folder.path().join("alice"), &one);
    let settings = alice.dir().join("settings.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("# of mine\n{text}")).unwrap();
    let (_, sentence) = alice.refused(&["relay", "remove", &one.address]);
    assert!(sentence.contains("only relay"), "{sentence}");
    alice.refused(&["relay", "add", "smp://nothing@localhost"]);
    alice.ok(&["relay", "add", &two.address]);
    let (_, sentence) = alice.refused(&["relay", "add", &two.address]);
    assert!(sentence.contains("already"), "{sentence}");
    assert_eq!(alice.ok(&["relay", "list"]).lines().count(), 2);
    assert!(std::fs::read_to_string(&settings).unwrap().starts_with("# of mine\n"));

    let tested = alice.run(&["--json", "relay", "test"]);
    let objects_of = objects(&tested.stdout);
    assert_eq!((tested.status.code(), objects_of.len()), (Some(0), 2), "{objects_of:?}");
    for object in &objects_of {
        assert_eq!((&object["reached"], &object["makes_queues"]), (&true.into(), &true.into()), "{object}");
        assert!(
            object["version"].as_u64().unwrap() >= 15 && object["certificate_until"].is_i64(),
            "{object}"
        );
    }
    assert!(alice.ok(&["relay", "test", &one.address]).contains("makes queues"));
    two.down();
    let tested = alice.run(&["--json", "relay", "test"]);
    let objects_of = objects(&tested.stdout);
    assert_eq!(tested.status.code(), Some(1));
    let down = objects_of.iter().find(|object| object["reached"] == false).unwrap();
    assert!(!down["advice"].as_str().unwrap().is_empty(), "{down}");
    // A wrong fingerprint is told from a relay that is off.
    let other = two.address.split('@').next().unwrap().to_owned();
    let wrong = format!("{other}@{}", one.address.rsplit('@').next().unwrap());
    let run = alice.run(&["relay", "test", &wrong]);
    let sentence = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.code() == Some(1) && sentence.contains("fingerprint"), "{sentence}");

    alice.ok(&["relay", "remove", &two.address]);
    assert_eq!(alice.ok(&["relay", "list"]).lines().count(), 1);
    alice.invite("bob");
}

#[test]
fn options_say_how_relays_are_reached() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, _bob) = connected(folder.path(), &relay);
    // Nobody listens there: whoever goes through it goes nowhere.
    let nowhere = ["--proxy", "socks5://127.0.0.1:1"];
    let (_, sentence) = alice.refused(&["invite", nowhere[0], nowhere[1]]);
    assert!(sentence.contains("proxy"), "{sentence}");
    let (code, sentence) = alice.refused(&["invite", "--proxy", "tor"]);
    assert!(code == 2 && sentence.contains("socks5://HOST:PORT"), "{sentence}");
    let (_, sentence) = alice.refused(&["invite", "--onion"]);
    assert!(sentence.contains("--proxy socks5://"), "{sentence}");
    let (_, sentence) = alice.refused(&["invite", "--onion", nowhere[0], nowhere[1]]);
    assert!(!sentence.is_empty());
    // Through another relay, and there is none: it waits, and goes when it need not.
    let output = alice.run(&["send", "--via", "always", "--timeout", "1", "bob", "hidden"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    alice.ok(&["send", "--via", "never", "bob", "open"]);

    // The settings count for all runs, and an option replaces them.
    let settings = alice.dir().join("settings.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{text}\n[network]\nproxy = \"socks5://127.0.0.1:1\"\n")).unwrap();
    alice.refused(&["invite"]);
    alice.ok(&["--proxy", "none", "invite"]);
    let carol = Person::new(folder.path().join("carol"));
    carol.ok(&["init", "--name", "carol", "--relay", &relay.address, nowhere[0], nowhere[1]]);
    carol.refused(&["invite"]);

    // A process that others ask goes its own way.
    std::fs::write(&settings, &text).unwrap();
    let _listener = alice.listen();
    let (_, sentence) = alice.refused(&["send", "--via", "always", "bob", "hidden"]);
    assert!(sentence.contains("smp listen"), "{sentence}");
    alice.ok(&["send", "bob", "there"]);
}
