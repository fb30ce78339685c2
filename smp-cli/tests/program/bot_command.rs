//! A bot that is a command.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::common::{Person, TestRelay, connected};

/// `smp bot --exec`, and the objects that it prints.
fn bot(person: &Person, args: &[&str]) -> (Child, impl Iterator<Item = Value> + use<>) {
    let args = [&["--json", "bot"], args].concat();
    let mut child = person.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut objects = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert!(objects.any(|object| object["event"] == "serving"));
    (child, objects)
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn each_message_runs_a_command_whose_output_is_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let command = r#"text=$(cat); case $text in
        fail) exit 3 ;;
        slow) sleep 600 & sleep 600 ;;
        long) yes ;;
        quiet) ;;
        *) printf '%s said %s' "$SMP_CONTACT" "$text" ;;
    esac"#;
    let (child, mut objects) = bot(&bob, &["--exec", command, "--timeout", "1", "--max-output", "100"]);
    let mut listener = alice.listen();
    // No shell reads what somebody writes.
    alice.ok(&["send", "bob", "hello $(id) `id` '"]);
    let answer = listener.until("message");
    assert!(answer["text"].as_str().unwrap().ends_with("alice said hello $(id) `id` '"), "{answer}");
    for (text, reason) in [("fail", "exit status: 3"), ("slow", "longer than 1 s")] {
        alice.ok(&["send", "bob", text]);
        let told = objects.find(|object| object["event"] == "not_answered").unwrap();
        assert!(told["item"].is_i64(), "{reason}: {told}");
    }
    alice.ok(&["send", "bob", "quiet"]);
    alice.ok(&["send", "bob", "long"]);
    let answer = listener.until("message");
    assert!(answer["text"].as_str().unwrap().ends_with(&"y\n".repeat(50).trim_end()), "{answer}");
    kill(child);
}

#[test]
fn a_killed_bot_answers_each_message_once() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let runs = folder.path().join("runs");
    let command = format!("cat >> {0}; echo >> {0}; echo done", runs.display());
    for round in 0..4 {
        alice.ok(&["send", "bob", &format!("round {round}")]);
        let (child, mut objects) = bot(&bob, &["--exec", &command]);
        // Killed as soon as it has answered, or right away.
        if round % 2 == 0 {
            objects.find(|object| object["event"] == "answered");
        }
        kill(child);
    }
    let (child, _objects) = bot(&bob, &["--exec", &command]);
    let answers = alice.ok(&["listen", "--count", "4", "--for", "60"]);
    assert_eq!(answers.matches("done").count(), 4, "{answers}");
    assert_eq!(alice.run(&["--json", "listen", "--count", "1", "--for", "1"]).status.code(), Some(3));
    assert!(std::fs::read_to_string(&runs).unwrap().contains("round 3"));
    kill(child);
}
