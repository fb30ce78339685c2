//! The program as its users run it, and a relay for it.
#![allow(clippy::expect_used)]

mod file_relay;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use smp_server::init::local;
use smp_server::{Relay, RunningRelay};
use smp_transport::surroundings::Surroundings;

pub(crate) use file_relay::TestFileRelay;

/// A relay in this process, on a port that it keeps over restarts.
pub(crate) struct TestRelay {
    runtime: tokio::runtime::Runtime,
    dir: PathBuf,
    running: Option<RunningRelay>,
    pub(crate) address: String,
}

impl TestRelay {
    pub(crate) fn start(dir: &Path) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let created = local::standalone(dir, &Surroundings::machine()).unwrap();
        let address = created.address.to_string();
        let mut relay = Self { runtime, dir: dir.to_owned(), running: None, address };
        relay.up();
        relay
    }

    pub(crate) fn up(&mut self) {
        let config = local::settings(&self.dir).unwrap();
        self.running = Some(self.runtime.block_on(Relay::start(config)).unwrap());
    }

    pub(crate) fn down(&mut self) {
        if let Some(relay) = self.running.take() {
            self.runtime.block_on(relay.kill());
        }
    }
}

/// Somebody with a data directory of their own.
pub(crate) struct Person {
    dir: PathBuf,
}

impl Person {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(crate) fn create(name: &str, dir: PathBuf, relay: &TestRelay) -> Self {
        let person = Self { dir };
        person.ok(&["init", "--name", name, "--relay", &relay.address]);
        person
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smp"));
        command
            .env_remove("SMP_DATA_DIR")
            .env_remove("SMP_PASSPHRASE")
            .arg("--data-dir")
            .arg(&self.dir)
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Standard output of a run that must succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The exit code and the sentence of a run that must not succeed: one line on standard error, and nothing else.
    pub(crate) fn refused(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{args:?} succeeded");
        assert!(output.stdout.is_empty(), "{args:?}: {:?}", output.stdout);
        (output.status.code().unwrap(), error)
    }

    /// The invitation link, for a contact of this name.
    pub(crate) fn invite(&self, contact: &str) -> String {
        self.invite_with(&["invite", contact])
    }

    pub(crate) fn invite_with(&self, args: &[&str]) -> String {
        let line = self.ok(&[&["--json"], args].concat());
        let invitation: serde_json::Value = serde_json::from_str(&line).unwrap();
        invitation["link"].as_str().unwrap().to_owned()
    }

    /// `smp --json listen` in the background.
    pub(crate) fn listen(&self) -> Listener {
        // Bounded: a test that waits for what never comes fails.
        let mut command = self.command(&["--json", "listen", "--for", "900"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut listener = Listener { child, lines, passed_over: Vec::new() };
        // From here on nobody else can use the directory.
        let up = listener.until("relay_up");
        listener.passed_over.push(up);
        listener
    }
}

/// The texts of messages among these objects.
pub(crate) fn texts<'a>(objects: impl Iterator<Item = &'a serde_json::Value>) -> Vec<String> {
    let messages = objects.filter(|object| object["event"] == "message");
    messages.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

pub(crate) struct Listener {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    passed_over: Vec<serde_json::Value>,
}

impl Listener {
    /// The next object about this event; others are kept for later.
    pub(crate) fn until(&mut self, event: &str) -> serde_json::Value {
        if let Some(index) = self.passed_over.iter().position(|object| object["event"] == event) {
            return self.passed_over.remove(index);
        }
        loop {
            let line = self.lines.next().expect("the listener ended").unwrap();
            let object: serde_json::Value = serde_json::from_str(&line).unwrap();
            if object["event"] == event {
                return object;
            }
            self.passed_over.push(object);
        }
    }

    /// The next object, whatever it is about.
    pub(crate) fn next(&mut self) -> serde_json::Value {
        if !self.passed_over.is_empty() {
            return self.passed_over.remove(0);
        }
        let line = self.lines.next().expect("the listener ended").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Ends it as Ctrl-C does, when it is done with what it has printed.
    pub(crate) fn interrupt(mut self) {
        let process = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
        self.child.wait().unwrap();
    }

    /// SIGKILL. Returns the texts that it printed and that nobody asked for.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let printed = self.lines.by_ref().map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        self.passed_over.extend(printed);
        texts(self.passed_over.iter())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two people who are connected, under their names.
pub(crate) fn connected(folder: &Path, relay: &TestRelay) -> (Person, Person) {
    let alice = Person::create("alice", folder.join("alice"), relay);
    let bob = Person::create("bob", folder.join("bob"), relay);
    let link = alice.invite("bob");
    let mut listener = alice.listen();
    bob.ok(&["join", &link]);
    listener.until("connected");
    (alice, bob)
}
