//! Echo bots on the public SDKs, as their registries have them, with a person at the other end of a relay; and again after the daemon and
//! the bot were killed.
//!
//! They are installed into `target/bots`. Where a tool or the network is missing, a test says so and passes, unless `SMP_TEST_BOTS=required`; those of
//! crates.io are compiled with it only.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::bots::Daemon;
use crate::common::{Person, TestRelay};

/// The variable that has all of them tried.
const WANTED: &str = "SMP_TEST_BOTS";

/// The sources of the bots.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bots")
}

/// The place that SDKs are installed into.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bots")
}

/// Runs the steps of an installation. Says why if one of them does not succeed.
fn install(steps: &mut [Command]) -> Result<(), String> {
    for step in steps {
        let output = step.output().map_err(|error| format!("{step:?}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{step:?}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    Ok(())
}

/// The bot, once it has said its address.
struct Bot {
    child: Child,
    address: String,
}

impl Bot {
    fn start(command: &mut Command, port: &str) -> Self {
        let mut child = command.env("BOT_PORT", port).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        let said = lines.find_map(|line| line.strip_prefix("address ").map(str::to_owned));
        // Otherwise it waits when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: said.unwrap() }
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Alice talks with the bot, then both the bot and the daemon are killed, and she goes on.
fn echoes(sdk: &str, ready: Result<(), String>, bot: impl Fn() -> Command) {
    if let Err(reason) = ready {
        assert!(std::env::var_os(WANTED).is_none(), "{sdk}: {reason}");
        eprintln!("{sdk} cannot be installed here, and is not tried: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let owner = Person::create("Echo Bot", folder.path().join("bot"), &relay);
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let daemon = Daemon::start(&owner, &[]);
    let running = Bot::start(&mut bot(), daemon.port());
    alice.ok(&["join", "--timeout", "120", &running.address]);
    let mut listener = alice.listen();
    let mut answered = |text: &str| {
        let wanted = format!("echo {text}");
        while !listener.until("message")["text"].as_str().unwrap().ends_with(&wanted) {}
    };
    alice.ok(&["send", "--timeout", "60", "Echo Bot", "one"]);
    answered("one");
    // The bot is away, and what comes waits for it.
    drop(running);
    alice.ok(&["send", "--timeout", "60", "--receipt", "Echo Bot", "two"]);
    daemon.kill();
    alice.ok(&["send", "--timeout", "60", "Echo Bot", "three"]);
    let daemon = Daemon::start(&owner, &[]);
    let _running = Bot::start(&mut bot(), daemon.port());
    answered("two");
    answered("three");
}

#[test]
fn of_npm() {
    let place = installed().join("npm");
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(&place)?;
        for file in ["package.json", "echo.mjs"] {
            std::fs::copy(sources().join("npm").join(file), place.join(file))?;
        }
        Ok(())
    };
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent", "--prefer-offline"]).current_dir(&place);
    let ready = copy().map_err(|error| error.to_string()).and_then(|()| install(&mut [npm]));
    echoes("simplex-chat of npm", ready, || {
        let mut node = Command::new("node");
        node.arg("echo.mjs").current_dir(&place);
        node
    });
}

#[test]
fn of_pypi() {
    let place = installed().join("python");
    let mut environment = Command::new("python3");
    environment.args(["-m", "venv"]).arg(&place);
    let mut pip = Command::new(place.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]);
    pip.arg(sources().join("python/requirements.txt"));
    let ready = install(&mut [environment, pip]);
    echoes("simplex-chat-py of PyPI", ready, || {
        let mut python = Command::new(place.join("bin/python"));
        python.arg(sources().join("python/echo.py"));
        python
    });
}

/// Both at once: they share most of what is compiled.
fn compile() -> Result<(), String> {
    static COMPILED: std::sync::OnceLock<Result<(), String>> = std::sync::OnceLock::new();
    let compile = || {
        if std::env::var_os(WANTED).is_none() {
            return Err(format!("they compile for minutes, which they do with {WANTED}=required"));
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet"]).current_dir(sources().join("rust"));
        cargo.env("CARGO_TARGET_DIR", installed().join("rust"));
        install(&mut [cargo])
    };
    COMPILED.get_or_init(compile).clone()
}

#[test]
fn simploxide_of_crates_io() {
    echoes("simploxide-client", compile(), || Command::new(installed().join("rust/debug/echo-simploxide")));
}

#[test]
fn simplex_chat_of_crates_io() {
    echoes("simplex-chat of crates.io", compile(), || {
        Command::new(installed().join("rust/debug/echo-simplex-chat"))
    });
}
