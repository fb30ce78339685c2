//! Every scenario, tiny, against relays of ours in processes of their own.

#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::{Duration, Instant};

/// Runs the program with these arguments and returns the JSON that it prints.
fn run(arguments: &[&str]) -> serde_json::Value {
    let output =
        Command::new(env!("CARGO_BIN_EXE_smp-bench")).arg("--json").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn figure(outcome: &serde_json::Value, name: &str) -> f64 {
    let figures = outcome["figures"].as_array().unwrap();
    let found = figures.iter().find(|figure| figure["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {outcome}"))["value"].as_f64().unwrap()
}

const SMALL: &[&str] = &["--pairs", "4", "--connections", "2", "--seconds", "0.2", "--warm-up", "0.1"];

fn with(first: &[&'static str], rest: &[&'static str]) -> Vec<&'static str> {
    [first, rest].concat()
}

#[test]
fn every_scenario_runs() {
    let begin = Instant::now();
    let relay = "--relay=sqlite-os";
    for version in ["9", "11", "19"] {
        let outcome = &run(&with(&["throughput", "--version", version], SMALL))[0];
        assert_eq!(outcome["version"].to_string(), version);
        assert!(figure(outcome, "delivered") > 0.0);
        assert!(figure(outcome, "CPU of the relay") > 0.0);
    }
    let outcome = &run(&with(&["throughput", relay, "--auth", "ed25519"], SMALL))[0];
    assert!(figure(outcome, "delivered") > 0.0);
    let outcome = &run(&with(&["latency", "--rate", "50"], SMALL))[0];
    assert!(figure(outcome, "received p50") <= figure(outcome, "received p99"));
    let outcome = &run(&["offline", relay, "--queues", "6", "--messages", "3"])[0];
    assert!(figure(outcome, "sent") > 0.0 && figure(outcome, "read") > 0.0);
    assert!(figure(&run(&["create", "--queues", "50"])[0], "created") > 0.0);
    let outcome = &run(&["subscribe", relay, "--queues", "50", "--connections", "3"])[0];
    assert!(figure(outcome, "subscribed") > 0.0);
    for subscribed in [&[][..], &["--subscribed"]] {
        let idle = with(&["idle", "--connections", "20", "--seconds", "0.1"], subscribed);
        assert!(figure(&run(&idle)[0], "connected") > 0.0);
    }
    let proxy = ["proxy", relay, "--queues", "5", "--messages", "2", "--connections", "2"];
    assert!(figure(&run(&proxy)[0], "sent") > 0.0);
    let small = ["restart", relay, "--queues", "50", "--full", "3", "--messages", "2", "--times", "2"];
    assert!(figure(&run(&small)[0], "first answer") > 0.0);
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn the_limit_is_measured() {
    let outcomes = run(&["limit", "--seconds", "0.2", "--connections", "2"]);
    assert!(figure(&outcomes[0], "echoed") > 0.0);
    assert!(figure(&outcomes[1], "messages on all cores") > 0.0);
    assert!(figure(&outcomes[2], "synced") > 0.0);
}

#[test]
fn two_relays_are_compared() {
    let small = with(&["compare", "memory", "sqlite-fsync", "--rounds", "2", "throughput"], SMALL);
    let compared = run(&small);
    assert_eq!(compared["b"], "sqlite-fsync");
    let figures = compared["figures"].as_array().unwrap();
    assert!(
        figures.iter().any(|figure| figure["name"] == "delivered" && figure["ratio"].as_f64() > Some(0.0))
    );
}

#[test]
fn what_cannot_be_measured_is_said() {
    let failing = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_smp-bench")).args(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let nobody = "--relay=smp://tmJ4adaRel6G5gDls7oz4uREc6BhVHmRqI3VwjRE5Bs=@127.0.0.1:1";
    assert!(failing(&["create", nobody]).contains("cannot reach 127.0.0.1:1"));
    assert!(failing(&["create", "--relay=somewhere"]).contains("sqlite-fsync"));
    assert!(failing(&["restart", "--relay=memory"]).contains("memory store"));
    assert!(failing(&["throughput", "--window", "1000"]).contains("--window"));
}
