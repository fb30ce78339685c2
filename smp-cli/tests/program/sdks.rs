//! Echo bots on the public SDKs, as their registries have them, with a person at the other end of a relay; and again after the daemon and
//! the bot were killed.
//!
//! They are installed into `target/bots`. Where a tool or the network is missing, a test says so and passes, unless `SMP_TEST_BOTS=required`; those of
//! crates.io are compiled with it only.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::bot_command::serve;
use crate::bots::Daemon;
use crate::common::{Listener, Person, TestRelay};

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

/// Waits for a message that ends like this.
fn see(listener: &mut Listener, end: &str) {
    while !listener.until("message")["text"].as_str().unwrap().ends_with(end) {}
}

/// Alice talks with the bot, then both the bot and the daemon are killed, and she goes on.
fn echoes(sdk: &str, ready: Result<(), String>, bot: impl Fn() -> Command) {
    echoes_and(sdk, ready, bot, |_, _, _| {});
}

/// The same, and then something more with the port of the daemon, alice, and what she sees.
fn echoes_and(
    sdk: &str,
    ready: Result<(), String>,
    bot: impl Fn() -> Command,
    more: impl FnOnce(&str, &Person, &mut Listener),
) {
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
    let answered = |listener: &mut Listener, text: &str| see(listener, &format!("echo {text}"));
    alice.ok(&["send", "--timeout", "60", "Echo Bot", "one"]);
    answered(&mut listener, "one");
    // The bot is away, and what comes waits for it.
    drop(running);
    alice.ok(&["send", "--timeout", "60", "--receipt", "Echo Bot", "two"]);
    daemon.kill();
    alice.ok(&["send", "--timeout", "60", "Echo Bot", "three"]);
    let daemon = Daemon::start(&owner, &[]);
    let running = Bot::start(&mut bot(), daemon.port());
    answered(&mut listener, "two");
    answered(&mut listener, "three");
    drop(running);
    more(daemon.port(), &alice, &mut listener);
}

#[test]
fn of_npm() {
    let place = installed().join("npm");
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(&place)?;
        for file in ["package.json", "echo.mjs", "bridge.mjs"] {
            std::fs::copy(sources().join("npm").join(file), place.join(file))?;
        }
        Ok(())
    };
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--silent",
        "--prefer-offline",
        "--fetch-retries=1",
        "--fetch-timeout=20000",
    ])
    .current_dir(&place);
    let ready = copy().map_err(|error| error.to_string()).and_then(|()| install(&mut [npm]));
    let node = |script: &str| {
        let mut node = Command::new("node");
        node.arg(script).current_dir(&place);
        node
    };
    // A bridge of one conversation to a webhook.
    let bridge = |port: &str, alice: &Person, listener: &mut Listener| {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let mut bridge = node("bridge.mjs");
        bridge.envs([("CONTACT", "alice"), ("WEBHOOK_URL", &url), ("LISTEN_PORT", "0")]);
        let bridge = Bot::start(&mut bridge, port);
        alice.ok(&["send", "--timeout", "60", "Echo Bot", "over the bridge"]);
        let (_, posted) = serve(&server, "200 OK", "{}");
        assert_eq!(serde_json::from_str::<Value>(&posted).unwrap()["text"], "over the bridge");
        let mut stream = TcpStream::connect(&bridge.address).unwrap();
        let body = r#"{"text":"and back","username":"matrix"}"#;
        let length = body.len();
        write!(stream, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        see(listener, "matrix: and back");
    };
    echoes_and("simplex-chat of npm", ready, || node("echo.mjs"), bridge);
}

#[test]
fn of_pypi() {
    let place = installed().join("python");
    let mut environment = Command::new("python3");
    environment.args(["-m", "venv"]).arg(&place);
    let mut pip = Command::new(place.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--retries=1", "--timeout=20", "-r"]);
    pip.arg(sources().join("python/requirements.txt"));
    let ready = install(&mut [environment, pip]);
    let python = |script: &str| {
        let mut python = Command::new(place.join("bin/python"));
        python.arg(sources().join("python").join(script));
        python
    };
    // A job says how it has ended.
    let notify = |port: &str, _: &Person, listener: &mut Listener| {
        let mut notify = python("notify.py");
        notify.args(["alice", "the tests have failed"]).env("BOT_PORT", port);
        assert!(notify.status().unwrap().success());
        see(listener, "the tests have failed");
    };
    echoes_and("simplex-chat-py of PyPI", ready, || python("echo.py"), notify);
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
