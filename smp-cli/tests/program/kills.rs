//! Commands that are killed, or interrupted, at random moments.
//!
//! `SMP_KILLS` is the least number of kills, with each command once at least, and `SMP_SEED` repeats a run.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use smp_agent::{Agent, AgentConfig};
use smp_protocol::address::RelayAddress;

use crate::common::{Person, TestRelay, connected};

/// Pause between two looks at something that is to happen.
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);
/// How long a command is taken to last before it was run.
const FIRST_GUESS: f64 = 0.15;

type Step = fn(&mut World);

/// Each command that writes.
const STEPS: [(&str, Step); 21] = [
    ("init", World::init),
    ("invite", World::invite),
    ("join", World::join),
    ("send", World::send),
    ("reply", World::reply),
    ("edit", World::edit),
    ("delete", World::delete),
    ("react", World::react),
    ("rename", World::rename),
    ("mute", World::mute),
    ("disappear", World::disappear),
    ("remove", World::remove),
    ("address", World::address),
    ("accept", World::accept),
    ("rotate", World::rotate),
    ("sync", World::sync),
    ("export and import", World::archive),
    ("passphrase", World::passphrase),
    ("relay", World::relay),
    ("chat", World::chat),
    ("listen", World::listen),
];

#[test]
fn a_command_that_is_killed_at_any_moment_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let seed = std::env::var("SMP_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    let kills = std::env::var("SMP_KILLS").map_or(0, |kills| kills.parse().unwrap());
    println!("SMP_SEED={seed}");
    let (alice, bob) = connected(folder.path(), &relay);
    let erin = Person::create("erin", folder.path().join("erin"), &relay);
    erin.ok(&["invite", "guest"]);
    let bobs_listener = Background::start(&bob);
    let mut world = World {
        folder: folder.path().to_owned(),
        relay: relay.address.clone(),
        alice,
        bob,
        erin,
        rng: StdRng::seed_from_u64(seed),
        lasts: HashMap::new(),
        kills: 0,
        ended: 0,
        acknowledged: Vec::new(),
        shown: HashMap::new(),
    };
    world.send();
    world.listen();
    for round in 0.. {
        let (name, step) = STEPS[round % STEPS.len()];
        if round >= STEPS.len() && world.kills >= kills {
            break;
        }
        println!("{name}");
        step(&mut world);
    }
    world.finish();
    println!("{} kills, {} of commands that had ended by themselves", world.kills, world.ended);
    drop(bobs_listener);
}

/// The agent has the connection, and a kill keeps the book from knowing of it.
#[test]
fn a_join_that_was_killed_between_agent_and_book_is_one_join() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    let _listener = Background::start(&alice);
    let link = alice.invite("bob");
    bob.ok(&["contacts"]);
    let joins = async {
        let address: RelayAddress = relay.address.parse().unwrap();
        let agent = AgentConfig::new(bob.dir().join("agent"), [address]);
        let (agent, _events) = Agent::open(agent).await.unwrap();
        agent
            .join(&link, br#"{"event":"x.info","params":{"profile":{"displayName":"bob","fullName":""}}}"#)
            .await
            .unwrap();
        agent.shutdown().await;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(joins);
    assert_eq!(bob.ok(&["join", &link, "host"]), "host\n");
    assert_eq!(bob.ok(&["contacts"]), "host  connected\n");
}

/// `smp listen` without anybody who looks.
struct Background(Child);

impl Background {
    fn start(person: &Person) -> Self {
        let mut command = person.command(&["listen"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGINT);
        let _ = self.0.wait();
    }
}

struct World {
    folder: PathBuf,
    relay: String,
    alice: Person,
    /// Receives all the time.
    bob: Person,
    /// Has an invitation that nobody uses.
    erin: Person,
    rng: StdRng,
    /// How long commands last, in seconds, as far as is known.
    lasts: HashMap<&'static str, f64>,
    kills: usize,
    /// Kills that came too late.
    ended: usize,
    /// Texts of alice of which a command said that they were sent.
    acknowledged: Vec<String>,
    /// The IDs of texts that alice was shown.
    shown: HashMap<String, String>,
}

impl World {
    /// A word that is used once.
    fn word(&self, what: &str) -> String {
        format!("{what}{}", self.kills)
    }

    /// Kills a command at a random moment of its life. Returns its output.
    fn kill(&mut self, what: &'static str, mut command: Command) -> Output {
        let lasts = self.lasts.entry(what).or_insert(FIRST_GUESS);
        let moment = Duration::from_secs_f64(self.rng.random_range(0.0..*lasts));
        let signal = if self.rng.random_bool(0.5) { Signal::SIGKILL } else { Signal::SIGINT };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        sleep(moment);
        // It may have ended; it stays a child until it is waited for.
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        self.kills += 1;
        let is_ended = output.status.code().is_some();
        *self.lasts.get_mut(what).unwrap() *= if is_ended { 0.8 } else { 1.2 };
        self.ended += usize::from(is_ended);
        println!(
            "  {what}: {signal} after {} ms{}",
            moment.as_millis(),
            if is_ended { ", ended" } else { "" }
        );
        output
    }

    /// Kills a command of alice, and looks whether her files are whole.
    fn kill_alice(&mut self, what: &'static str, args: &[&str]) -> Output {
        let output = self.kill(what, self.alice.command(args));
        is_sound(&self.alice, None);
        output
    }

    fn init(&mut self) {
        let nina = Person::new(self.folder.join(self.word("nina")));
        let args = ["init", "--name", "nina", "--relay", &self.relay.clone()];
        self.kill("init", nina.command(&args));
        repeat(&nina, &args, &["already"]);
        is_sound(&nina, None);
    }

    fn invite(&mut self) {
        let name = self.word("guest");
        let args = ["--json", "invite", &name];
        let shown = self.kill_alice("invite", &args);
        let link = |output: &[u8]| {
            let first = output.split(|byte| *byte == b'\n').next()?;
            serde_json::from_slice::<Value>(first).ok()?.get("link").cloned()
        };
        let again = link(&repeat(&self.alice, &args, &[]).stdout);
        assert!(link(&shown.stdout).is_none_or(|shown| Some(shown) == again), "another link is shown");
        self.alice.ok(&["remove", &name, "--quiet"]);
    }

    fn join(&mut self) {
        let name = self.word("host");
        let link = self.bob.invite(&self.word("alice_"));
        let args = ["join", &link, &name, "--timeout", "0"];
        self.kill_alice("join", &args);
        repeat(&self.alice, &args, &["You joined this already"]);
        {
            let _listener = Background::start(&self.alice);
            wait_for(|| contact(&self.alice, &name)["status"] == "connected");
        }
        self.alice.ok(&["remove", &name]);
    }

    /// A text that may have been sent, and one that was.
    fn send(&mut self) {
        let text = self.word("text ");
        let output = self.kill_alice("send", &["send", "bob", &text]);
        if output.stdout == b"sent\n" {
            self.acknowledged.push(text);
        }
        let text = self.word("text again ");
        if self.alice.ok(&["send", "bob", &text]) == "sent\n" {
            self.acknowledged.push(text);
        }
    }

    fn reply(&mut self) {
        let number = item(&self.alice, |item| item["side"] == "theirs" && item["deleted"] == false);
        let text = self.word("answer ");
        let output = self.kill_alice("reply", &["reply", "bob", &number, &text]);
        if output.stdout == b"sent\n" {
            self.acknowledged.push(text);
        }
    }

    fn edit(&mut self) {
        self.send();
        let (number, text) = (self.own_item(), self.word("edited "));
        let old = self.acknowledged.pop();
        let args = ["edit", "bob", &number, &text];
        self.kill_alice("edit", &args);
        repeat(&self.alice, &args, &[]);
        assert!(old.is_some());
        self.acknowledged.push(text);
    }

    fn delete(&mut self) {
        self.send();
        let number = self.own_item();
        self.acknowledged.pop();
        let args = ["delete", "bob", &number];
        self.kill_alice("delete", &args);
        repeat(&self.alice, &args, &["was deleted"]);
    }

    fn react(&mut self) {
        let number = self.own_item();
        let args = ["react", "bob", &number, "👍"];
        self.kill_alice("react", &args);
        repeat(&self.alice, &args, &[]);
        let kept = history(&self.alice, "bob");
        let reactions =
            kept.iter().find(|item| item["item"] == number.parse::<i64>().unwrap()).unwrap()["reactions"]
                .clone();
        assert_eq!(reactions.as_array().unwrap().len(), 1, "{reactions}");
    }

    fn rename(&mut self) {
        self.kill_alice("rename", &["rename", "bob", "robert"]);
        repeat(&self.alice, &["rename", "bob", "robert"], &["no contact called “bob”"]);
        self.alice.ok(&["rename", "robert", "bob"]);
    }

    fn mute(&mut self) {
        self.kill_alice("mute", &["mute", "bob"]);
        self.alice.ok(&["mute", "bob", "off"]);
    }

    fn disappear(&mut self) {
        let args = ["disappear", "bob", "2w"];
        self.kill_alice("disappear", &args);
        repeat(&self.alice, &args, &[]);
    }

    fn remove(&mut self) {
        let name = self.word("guest");
        self.alice.ok(&["invite", &name]);
        let args = ["remove", &name];
        self.kill_alice("remove", &args);
        repeat(&self.alice, &args, &["no contact called"]);
    }

    fn address(&mut self) {
        self.kill_alice("address create", &["address", "create"]);
        repeat(&self.alice, &["address", "create"], &["already"]);
        let link = |person: &Person| person.ok(&["address", "show"]).lines().next().unwrap().to_owned();
        let before = link(&self.alice);
        self.kill_alice("address auto-accept", &["address", "auto-accept", "off"]);
        assert_eq!(link(&self.alice), before);
        self.kill_alice("address delete", &["address", "delete"]);
        repeat(
            &self.alice,
            &["address", "delete"],
            &["no contact address", "There is no", "smp address create"],
        );
    }

    fn accept(&mut self) {
        repeat(&self.alice, &["address", "create"], &["already"]);
        let link = self.alice.ok(&["address", "show"]).lines().next().unwrap().to_owned();
        let name = self.word("dave");
        let relay = self.relay.clone();
        let dave = Person::new(self.folder.join(&name));
        dave.ok(&["init", "--name", &name, "--relay", &relay]);
        assert_eq!(dave.run(&["join", &link, "--timeout", "0"]).status.code(), Some(3));
        let _his = Background::start(&dave);
        {
            let _hers = Background::start(&self.alice);
            wait_for(|| contact(&self.alice, &name)["status"] == "requested");
        }
        self.kill_alice("accept", &["accept", &name]);
        repeat(&self.alice, &["accept", &name], &["does not ask any more", "is connected already"]);
        {
            let _hers = Background::start(&self.alice);
            wait_for(|| contact(&self.alice, &name)["status"] == "connected");
        }
        self.alice.ok(&["remove", &name]);
    }

    fn rotate(&mut self) {
        self.kill_alice("rotate", &["rotate", "bob"]);
        repeat(&self.alice, &["rotate", "bob"], &["already"]);
        let _hers = Background::start(&self.alice);
        wait_for(|| contact(&self.alice, "bob")["rotations"] == Value::Array(Vec::new()));
    }

    fn sync(&mut self) {
        self.kill_alice("sync", &["sync", "bob", "--force"]);
        repeat(&self.alice, &["sync", "bob", "--force"], &["already", "being renewed"]);
        let _hers = Background::start(&self.alice);
        wait_for(|| contact(&self.alice, "bob")["encryption"] == "ok");
    }

    fn archive(&mut self) {
        let link = contact(&self.erin, "guest")["link"].clone();
        let file = self.folder.join("erin.archive");
        let file = file.to_str().unwrap();
        let secret = |mut command: Command| {
            command.env("SMP_ARCHIVE_PASSPHRASE", "to open it with");
            command
        };
        let export = secret(self.erin.command(&["export", file, "--replace"]));
        self.kill("export", export);
        is_sound(&self.erin, None);
        assert!(secret(self.erin.command(&["export", file, "--replace"])).output().unwrap().status.success());
        let moved = Person::new(self.folder.join(self.word("moved")));
        self.kill("import", secret(moved.command(&["import", file])));
        // It is there whole, or not at all.
        let again = secret(moved.command(&["import", file])).output().unwrap();
        let is_there = String::from_utf8_lossy(&again.stderr).contains("holds");
        assert!(again.status.success() || is_there, "{again:?}");
        is_sound(&moved, None);
        assert_eq!(contact(&moved, "guest")["link"], link);
    }

    fn passphrase(&mut self) {
        let (one, two) = (self.folder.join("one"), self.folder.join("two"));
        std::fs::write(&one, "the first one\n").unwrap();
        std::fs::write(&two, "the second one\n").unwrap();
        let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
        let erin = Person::new(self.erin.dir().to_owned());
        let set = ["passphrase", "set", "--passphrase-file", one];
        self.kill("passphrase set", erin.command(&set));
        repeat(&erin, &set, &["encrypted already"]);
        is_sound(&erin, Some(one));
        let change = ["passphrase", "change", "--passphrase-file", one, "--new-passphrase-file", two];
        self.kill("passphrase change", erin.command(&change));
        // Either is right, and not both.
        let is_right = |file: &str| erin.run(&["contacts", "--passphrase-file", file]).status.success();
        if is_right(one) {
            assert!(!is_right(two));
            erin.ok(&change);
        }
        is_sound(&erin, Some(two));
        let remove = ["passphrase", "remove", "--passphrase-file", two];
        self.kill("passphrase remove", erin.command(&remove));
        repeat(&erin, &remove, &["not encrypted"]);
        is_sound(&erin, None);
        assert!(contact(&erin, "guest")["link"].is_string());
    }

    fn relay(&mut self) {
        let (scheme, fingerprint) = self.relay.split_at("smp://".len());
        let first = if fingerprint.starts_with('A') { "B" } else { "A" };
        let other = format!("{scheme}{first}{}", &fingerprint[1..]);
        let erin = Person::new(self.erin.dir().to_owned());
        self.kill("relay add", erin.command(&["relay", "add", &other]));
        repeat(&erin, &["relay", "add", &other], &["among yours already"]);
        self.kill("relay remove", erin.command(&["relay", "remove", &other]));
        repeat(&erin, &["relay", "remove", &other], &["not among yours"]);
        assert_eq!(erin.ok(&["relay", "list"]).lines().count(), 1);
        is_sound(&erin, None);
    }

    fn chat(&mut self) {
        let text = self.word("said ");
        let pty = nix::pty::openpty(None, None).unwrap();
        let stdio = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut command = self.alice.command(&["chat", "bob"]);
        let mut child =
            command.env("TERM", "xterm").stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        let mut keyboard = std::fs::File::from(pty.master);
        keyboard.write_all(format!("{text}\r").as_bytes()).unwrap();
        let moment = Duration::from_secs_f64(self.rng.random_range(0.0..2.0 * FIRST_GUESS));
        sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        self.kills += 1;
        println!("  chat: SIGKILL after {} ms", moment.as_millis());
        is_sound(&self.alice, None);
    }

    fn listen(&mut self) {
        let text = self.word("to alice ");
        let sent = self.bob.run(&["send", "alice", &text]);
        assert!(matches!(sent.status.code(), Some(0 | 3 | 4)), "{sent:?}");
        let output = self.kill_alice("listen", &["--json", "listen", "--count", "1"]);
        self.note_shown(&output.stdout);
        while !self.shown.contains_key(&text) {
            let more = self.alice.ok(&["--json", "listen", "--count", "1"]);
            self.note_shown(more.as_bytes());
        }
    }

    /// A text that is shown again has the same ID.
    fn note_shown(&mut self, output: &[u8]) {
        for line in output.split(|byte| *byte == b'\n') {
            // The last line may have been cut off.
            let Ok(object) = serde_json::from_slice::<Value>(line) else { continue };
            if object["event"] == "message" {
                let (text, id) = (object["text"].to_string(), object["id"].to_string());
                let text = text.trim_matches('"').to_owned();
                assert_eq!(*self.shown.entry(text.clone()).or_insert_with(|| id.clone()), id, "{text}");
            }
        }
    }

    /// A message of alice that was not deleted.
    fn own_item(&self) -> String {
        item(&self.alice, |item| item["side"] == "ours" && item["deleted"] == false)
    }

    /// Both sides know the same in the end: all that was acknowledged, once, in order.
    fn finish(&mut self) {
        self.alice.ok(&["send", "bob", "the last one"]);
        let _hers = Background::start(&self.alice);
        let of = |person: &Person, contact: &str, side: &str| -> Vec<String> {
            let kept = history(person, contact);
            kept.iter().filter(|item| item["side"] == side).map(|item| item["text"].to_string()).collect()
        };
        wait_for(|| of(&self.bob, "alice", "theirs").last().is_some_and(|text| text == "\"the last one\""));
        let (hers, his) = (of(&self.alice, "bob", "ours"), of(&self.bob, "alice", "theirs"));
        assert_eq!(hers, his);
        let mut once: Vec<_> = his.iter().filter(|text| *text != "\"\"").collect();
        let count = once.len();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), count, "{his:?}");
        for text in &self.acknowledged {
            assert!(his.iter().any(|known| known.contains(text.as_str())), "{text} is lost: {his:?}");
        }
        assert_eq!(of(&self.alice, "bob", "theirs"), of(&self.bob, "alice", "ours"));
    }
}

/// Waits until it is so.
fn wait_for(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come");
        sleep(PAUSE);
    }
}

/// Its files open, and are whole.
fn is_sound(person: &Person, passphrase_file: Option<&str>) {
    let mut args = vec!["--json", "doctor"];
    args.extend(passphrase_file.iter().flat_map(|file| ["--passphrase-file", file]));
    let output = person.run(&args);
    let findings: Vec<Value> = String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for about in ["connections", "conversations"] {
        let finding = findings.iter().find(|finding| finding["about"] == about);
        assert!(finding.is_some_and(|finding| finding["ok"] == true), "{about}: {output:?}");
    }
}

/// Runs a command again, which is done now, or was done before: then one of these sentences says so.
fn repeat(person: &Person, args: &[&str], done: &[&str]) -> Output {
    let output = person.run(args);
    let sentence = String::from_utf8_lossy(&output.stderr).into_owned();
    let was_done = done.iter().any(|done| sentence.contains(done));
    assert!(matches!(output.status.code(), Some(0 | 3 | 4)) || was_done, "{args:?}: {output:?}");
    output
}

fn objects(person: &Person, args: &[&str]) -> Vec<Value> {
    let lines = person.ok(&[&["--json"], args].concat());
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The contact as it is listed, or null.
fn contact(person: &Person, name: &str) -> Value {
    objects(person, &["contacts"]).into_iter().find(|object| object["contact"] == name).unwrap_or_default()
}

fn history(person: &Person, contact: &str) -> Vec<Value> {
    objects(person, &["history", contact, "--limit", "10000"])
}

/// The number of the last item of the conversation with bob that is like this.
fn item(person: &Person, is_meant: impl Fn(&Value) -> bool) -> String {
    let kept = history(person, "bob");
    kept.iter().rev().find(|item| is_meant(item)).unwrap()["item"].to_string()
}
