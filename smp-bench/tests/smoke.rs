//! Every scenario, tiny, against relays of ours in processes of their own.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use smp_server::init::local;
use smp_transport::surroundings::Surroundings;

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
    let slow = ["slow-link", relay, "--queues", "60", "--up", "2000", "--down", "20000", "--delay", "10"];
    let outcome = &run(&slow)[0];
    // As many acknowledgements as there are queues would be as many blocks if none gathered while the link is busy.
    assert!(figure(outcome, "blocks sent") < 50.0, "{outcome}");
    assert_eq!(figure(outcome, "ACK answered after 20 s"), 0.0);
    assert!(figure(outcome, "slowest PING of another connection") > 0.0);

    let agents = ["agent", relay, "--connections", "2", "--seconds", "0.2", "--idle", "3"];
    assert!(figure(&run(&agents)[0], "messages") > 0.0);
    let small = ["restart", relay, "--queues", "50", "--full", "3", "--messages", "2", "--times", "2"];
    assert!(figure(&run(&small)[0], "first answer") > 0.0);
}

/// A relay that the program knows by its address only, started by a shell that writes down its process ID.
struct Foreign {
    dir: tempfile::TempDir,
    address: String,
    start: String,
}

impl Foreign {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let relay = dir.path().join("relay");
        let created = local::standalone(&relay, &Surroundings::machine()).unwrap();
        let port = created.address.port.unwrap();
        let start = format!(
            "{} relay --dir {} --listen 127.0.0.1:{port} >/dev/null 2>&1 & echo $! >{}",
            env!("CARGO_BIN_EXE_smp-bench"),
            relay.display(),
            Self::pid_file(dir.path()).display(),
        );
        let relay = Self { dir, address: created.address.to_string(), start };
        assert!(Command::new("sh").args(["-c", &relay.start]).status().unwrap().success());
        let listens = (0..4_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(listens, "the relay does not start");
        relay
    }

    fn pid_file(dir: &Path) -> PathBuf {
        dir.join("pid")
    }

    /// Until it has let go of its files and of its port.
    fn kill(&self) -> String {
        let pid_file = Self::pid_file(self.dir.path());
        format!(
            "P=$(cat {}); kill -9 $P; while ls /proc/$P/fd 2>&1 | grep -q '^[0-9]'; do :; done",
            pid_file.display()
        )
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = Command::new("sh").args(["-c", &self.kill()]).status();
    }
}

#[test]
fn a_relay_that_was_started_otherwise_is_restarted_by_a_command() {
    let relay = Foreign::start();
    let command = format!("{}; {}", relay.kill(), relay.start);
    let small = ["--queues", "50", "--full", "3", "--messages", "2", "--times", "2"];
    let arguments = [&["restart", "--relay", &relay.address, "--command", &command][..], &small].concat();
    assert!(figure(&run(&arguments)[0], "first answer") > 0.0);
    let broken = ["restart", "--relay", &relay.address, "--command", "exit 3", "--queues", "5"];
    let output = Command::new(env!("CARGO_BIN_EXE_smp-bench")).args(broken).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("exit status: 3"));
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
    assert!(failing(&["restart", "--relay=sqlite-os", "--command=true"]).contains("--command"));
    assert!(failing(&["throughput", "--window", "1000"]).contains("--window"));
}
