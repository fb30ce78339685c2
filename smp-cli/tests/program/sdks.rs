//! Bots on the public SDKs, as their registries have them, with a person at the other end of a relay: one that echoes, also after the daemon and
//! the bot were killed, one that tells how a job has ended, and a bridge to a webhook.
//!
//! They are installed into `target/bots`. Where a tool or the network is missing, a test says so and passes, unless `SMP_TEST_BOTS=required`; those of
//! crates.io are compiled with it only.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::bot_command::serve;
use crate::bot_tls::{Certificate, TOKEN};
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

/// Sets the daemon that a bot is for.
fn at<'a>(daemon: &Daemon, bot: &'a mut Command) -> &'a mut Command {
    bot.env("BOT_URL", format!("ws://localhost:{}", daemon.port())).env("BOT_PORT", daemon.port())
}

/// The bot, once it has said its address.
struct Bot {
    child: Child,
    address: String,
}

impl Bot {
    fn start(command: &mut Command, daemon: &Daemon) -> Self {
        let mut child = at(daemon, command).stdout(Stdio::piped()).spawn().unwrap();
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

/// The user of the daemon, and a contact who sees what the bots write.
struct Scene {
    folder: tempfile::TempDir,
    _relay: TestRelay,
    owner: Person,
    daemon: Daemon,
    alice: Person,
    listener: Listener,
}

/// The name of the contact.
const ALICE: &str = "Alice A";

impl Scene {
    /// Alice talks with the bot, then both the bot and the daemon are killed, and she goes on. None if the SDK is not there.
    fn echoes(sdk: &str, ready: Result<(), String>, name: &str, bot: impl Fn() -> Command) -> Option<Self> {
        if let Err(reason) = ready {
            assert!(std::env::var_os(WANTED).is_none(), "{sdk}: {reason}");
            eprintln!("{sdk} cannot be installed here, and is not tried: {reason}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let relay = TestRelay::start(&folder.path().join("relay"));
        let owner = Person::create(name, folder.path().join("bot"), &relay);
        let alice = Person::create(ALICE, folder.path().join("alice"), &relay);
        let daemon = Daemon::start(&owner, &[]);
        let running = Bot::start(&mut bot(), &daemon);
        alice.ok(&["join", "--timeout", "120", &running.address]);
        let listener = alice.listen();
        let mut scene = Self { folder, _relay: relay, owner, daemon, alice, listener };
        scene.send("one");
        scene.see("echo one");
        // The bot is away, and what comes waits for it.
        drop(running);
        scene.alice.ok(&["send", "--timeout", "60", "--receipt", "Echo Bot", "two"]);
        scene.daemon.end();
        scene.send("three");
        scene.daemon = Daemon::start(&scene.owner, &[]);
        let running = Bot::start(&mut bot(), &scene.daemon);
        scene.see("echo two");
        scene.see("echo three");
        scene.ends(running);
        Some(scene)
    }

    /// A bot ends with the daemon, so that whatever looks after it starts it again.
    fn ends(&mut self, mut bot: Bot) {
        self.daemon.end();
        assert!(!bot.child.wait().unwrap().success());
        self.daemon = Daemon::start(&self.owner, &[]);
    }

    fn send(&self, text: &str) {
        self.alice.ok(&["send", "--timeout", "60", "Echo Bot", text]);
    }

    /// Waits until alice has a message that ends like this.
    fn see(&mut self, end: &str) {
        while !self.listener.until("message")["text"].as_str().unwrap().ends_with(end) {}
    }

    /// A job says how it has ended.
    fn notified_by(&mut self, notify: &mut Command) {
        assert!(
            at(&self.daemon, notify).args([ALICE, "the tests", "have failed"]).status().unwrap().success()
        );
        self.see("the tests have failed");
    }

    /// The same over TLS, with a token, at a daemon of its own.
    fn notified_over_tls_by(&mut self, notify: &mut Command) {
        let certificate = Certificate::write(self.folder.path(), "tls");
        let token = self.folder.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        self.daemon.end();
        let args = [&certificate.args()[..], &["--bot-token-file", token.to_str().unwrap()]].concat();
        self.daemon = Daemon::start(&self.owner, &args);
        let trusted = &certificate.files[0];
        at(&self.daemon, notify)
            .env("BOT_URL", format!("wss://bot:{TOKEN}@localhost:{}", self.daemon.port()));
        notify.env("NODE_EXTRA_CA_CERTS", trusted).env("SSL_CERT_FILE", trusted);
        assert!(notify.args([ALICE, "the tests", "have failed"]).status().unwrap().success());
        self.see("the tests have failed");
    }

    /// A bridge of the conversation to a webhook.
    fn bridged_by(&mut self, bridge: &mut Command) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        bridge.envs([("CONTACT", ALICE), ("WEBHOOK_URL", &url), ("LISTEN_PORT", "0")]);
        let bridge = Bot::start(bridge, &self.daemon);
        self.send("over the bridge");
        let (_, posted) = serve(&server, "200 OK", "{}");
        let posted: Value = serde_json::from_str(&posted).unwrap();
        assert_eq!(posted, json!({ "text": "over the bridge", "username": ALICE }));
        for (body, status) in [("nonsense", "400"), (r#"{"text":"and back","username":"matrix"}"#, "200")] {
            let mut stream = TcpStream::connect(&bridge.address).unwrap();
            let length = body.len();
            write!(stream, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).unwrap();
            assert!(answer.contains(status), "{body}: {answer}");
        }
        self.see("matrix: and back");
        self.ends(bridge);
    }
}

#[test]
fn of_npm() {
    let place = installed().join("typescript");
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(&place)?;
        for file in ["package.json", "tsconfig.json", "echo.ts", "notify.ts", "bridge.ts"] {
            std::fs::copy(sources().join("typescript").join(file), place.join(file))?;
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
    ]);
    let mut build = Command::new("npm");
    build.args(["run", "--silent", "build"]);
    for step in [&mut npm, &mut build] {
        step.current_dir(&place);
    }
    let ready = copy().map_err(|error| error.to_string()).and_then(|()| install(&mut [npm, build]));
    let node = |script: &str| {
        let mut node = Command::new("node");
        node.arg(script).current_dir(&place);
        node
    };
    let echo = || node("built/echo.js");
    let Some(mut scene) = Scene::echoes("simplex-chat of npm", ready, "Echo Bot", echo) else { return };
    scene.bridged_by(&mut node("built/bridge.js"));
    scene.notified_over_tls_by(&mut node("built/notify.js"));
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
    let echo = || python("echo.py");
    let Some(mut scene) = Scene::echoes("simplex-chat-py of PyPI", ready, "Echo Bot", echo) else { return };
    scene.bridged_by(&mut python("bridge.py"));
    scene.notified_over_tls_by(&mut python("notify.py"));
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

/// A bot of crates.io.
fn compiled(name: &str) -> Command {
    Command::new(installed().join("rust/debug").join(name))
}

#[test]
fn simploxide_of_crates_io() {
    // It names the user as it likes.
    let echo = || compiled("echo-simploxide");
    let Some(mut scene) = Scene::echoes("simploxide-client", compile(), "me", echo) else { return };
    scene.bridged_by(&mut compiled("bridge"));
}

#[test]
fn simplex_chat_of_crates_io() {
    let echo = || compiled("echo-simplex-chat");
    let Some(mut scene) = Scene::echoes("simplex-chat of crates.io", compile(), "Echo Bot", echo) else {
        return;
    };
    scene.notified_by(&mut compiled("notify"));
}
