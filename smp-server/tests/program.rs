//! The program: `smp-server init`, `start`, `address`, and what happens when it is killed.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "program/killed/mod.rs"]
mod killed;
#[path = "program/missing.rs"]
mod missing;

use std::{
    borrow::Cow,
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use smp_crypto::{BoxKey, Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::{
    address::{Password, RelayAddress},
    body::ReceivedBody,
    command::{self, MessageFlags, NewQueue, QueueRequest, SubscriptionMode},
    id::EntityId,
    message::{BrokerMessage, QueueIds},
};
use smp_transport::client::{ClientConfig, ClientError, RelayClient};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smp-server"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SMP_SERVER_")) {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

fn text(dir: &Path) -> &str {
    dir.to_str().unwrap()
}

fn init(dir: &Path, more: &[&str]) -> Output {
    let output = run(&[&["init", "--dir", text(dir)], more].concat());
    assert!(output.status.success(), "{output:?}");
    output
}

/// The one sentence that a failing command says.
#[track_caller]
fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let mut errors = text.lines().filter(|line| line.starts_with("error: "));
    let error = errors.next().unwrap_or_else(|| panic!("{text}")).to_owned();
    assert_eq!(errors.next(), None);
    error
}

struct Started {
    process: Child,
    address: RelayAddress,
}

/// Where a started relay's log goes, in its directory.
const LOG: &str = "log";

/// Waits until the log has this, as often as that.
fn wait_for_log(dir: &Path, wanted: &str, times: usize) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let log = fs::read_to_string(dir.join(LOG)).unwrap();
        if log.matches(wanted).count() >= times {
            return log;
        }
        assert!(Instant::now() < deadline, "no {wanted} in {log}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts the relay on a port that the system chooses, unless `port` is given.
fn start(dir: &Path, port: u16) -> Started {
    start_on(dir, port, &[])
}

/// As [`start`], with more arguments.
fn start_with(dir: &Path, more: &[&str]) -> Started {
    start_on(dir, 0, more)
}

fn start_on(dir: &Path, port: u16, more: &[&str]) -> Started {
    let listen = SocketAddr::from(([127, 0, 0, 1], port)).to_string();
    let mut process = program(&[&["start", "--dir", text(dir), "--listen", &listen], more].concat())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(dir.join(LOG)).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Started { address: line.trim().parse().unwrap(), process }
}

impl Started {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("still running");
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn init_says_what_to_keep_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let relay = dir.path().join("relay");
    let output = init(&relay, &["--host", "relay.example", "--port", "7777", "--random-password"]);
    let said = String::from_utf8(output.stdout).unwrap();
    for word in ["smp://", "@relay.example:7777", "Back up", "ca.key", "smp-server start"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let address = said.lines().find(|line| line.contains("smp://")).unwrap().trim();
    let shown = run(&["address", "--dir", text(&relay)]);
    assert_eq!(String::from_utf8(shown.stdout).unwrap().trim(), address);

    let ipv6 = init(&dir.path().join("ipv6"), &["--host", "2001:db8::7", "--port", "7777"]);
    assert!(String::from_utf8(ipv6.stdout).unwrap().contains("=@[2001:db8::7]:7777\n"));

    let before = fs::read(relay.join("identity/ca.key")).unwrap();
    let error = error(&run(&["init", "--dir", text(&relay)]));
    assert!(error.contains("nothing was changed"), "{error}");
    assert_eq!(fs::read(relay.join("identity/ca.key")).unwrap(), before);
}

#[test]
fn what_cannot_work_is_said_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let relay = dir.path().join("relay");
    let missing = error(&run(&["start", "--dir", text(&relay)]));
    assert!(missing.contains("smp-server init"), "{missing}");

    init(&relay, &[]);
    let config = relay.join("smp-server.toml");
    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, "[store]\nkind = \"sqlite\"\ndurability = \"always\"\n").unwrap();
    let bad = error(&run(&["start", "--dir", text(&relay)]));
    assert!(bad.contains("smp-server.toml, line 3") && bad.contains("always"), "{bad}");
    fs::write(&config, &good).unwrap();

    let bad =
        program(&["start", "--dir", text(&relay)]).env("SMP_SERVER_QUEUES__QUOTA", "0").output().unwrap();
    assert!(error(&bad).contains("queues.quota"), "{bad:?}");
    let bad =
        program(&["start", "--dir", text(&relay)]).env("SMP_SERVER_QUEUES__QOUTA", "1").output().unwrap();
    assert!(error(&bad).contains("environment"), "{bad:?}");

    let started = start(&relay, 0);
    let taken = format!("127.0.0.1:{}", started.address.port_or_default());
    let other = dir.path().join("other");
    init(&other, &[]);
    let in_use = error(&run(&["start", "--dir", text(&other), "--listen", &taken]));
    assert!(in_use.contains("in use") && in_use.contains(&taken), "{in_use}");
    let second = error(&run(&["start", "--dir", text(&relay), "--listen", "127.0.0.1:0"]));
    assert!(second.contains("another smp-server"), "{second}");
    drop(started);

    fs::remove_file(relay.join("identity/server.key")).unwrap();
    let lost = error(&run(&["start", "--dir", text(&relay), "--listen", "127.0.0.1:0"]));
    assert!(lost.contains("server.key"), "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_running_relay_can_be_restored() {
    let dir = tempfile::tempdir().unwrap();
    let relay = dir.path().join("relay");
    init(&relay, &["--password", "s3cret"]);
    let mut started = start(&relay, 0);
    let (client, _events) = connect(&started.address).await;
    let queue = try_create(&client, Some("s3cret")).await.unwrap();
    for number in 0..5 {
        client.send(None, EntityId::from(&queue.ids.sender_id), message(number)).await.unwrap();
    }
    let copy = dir.path().join("copy");
    let said = run(&["backup", text(&copy), "--dir", text(&relay)]);
    assert!(said.status.success(), "{said:?}");
    assert!(String::from_utf8(said.stdout).unwrap().contains("ca.key"));
    for name in ["smp-server.toml", "identity/ca.key", "identity/server.key", "data/smp-server.sqlite"] {
        let mode = fs::metadata(copy.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    let again = error(&run(&["backup", text(&copy), "--dir", text(&relay)]));
    assert!(again.contains("exists already"), "{again}");
    let nowhere = error(&run(&["backup", text(&relay.join("smp-server.toml/copy")), "--dir", text(&relay)]));
    assert_eq!(nowhere.matches("os error").count(), 1, "{nowhere}");
    // A message that comes after the copy is not in it.
    client.send(None, EntityId::from(&queue.ids.sender_id), message(5)).await.unwrap();
    let occupied = error(&run(&["restore", text(&copy), "--dir", text(&relay)]));
    assert!(occupied.contains("exists already"), "{occupied}");
    started.signal("-KILL");
    started.exit_code();

    let second = dir.path().join("second");
    let database = copy.join("data/smp-server.sqlite");
    let good = fs::read(&database).unwrap();
    let mut bad = good.clone();
    bad[8192..16384].fill(0xaa);
    fs::write(&database, bad).unwrap();
    let damaged = error(&run(&["restore", text(&copy), "--dir", text(&second)]));
    assert!(damaged.contains("nothing was restored"), "{damaged}");
    assert!(!second.join("smp-server.toml").exists());
    let left: Vec<_> = fs::read_dir(second.join("data")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    fs::write(&database, good).unwrap();
    assert!(run(&["restore", text(&copy), "--dir", text(&second)]).status.success());
    let restored = start(&second, started.address.port_or_default());
    assert_eq!(restored.address, started.address);
    assert_eq!(drain(&restored.address, &queue).await, [0, 1, 2, 3, 4]);
    let none =
        error(&run(&["restore", text(&dir.path().join("none")), "--dir", text(&dir.path().join("x"))]));
    assert!(none.contains("is not a copy"), "{none}");
}

#[test]
fn signals_stop_it_with_success() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &[]);
    for signal in ["-TERM", "-INT"] {
        let mut started = start(dir.path(), 0);
        started.signal(signal);
        assert_eq!(started.exit_code(), Some(0), "{signal}");
    }
}

#[test]
fn the_service_manager_is_told_when_it_is_ready_and_when_it_stops() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &[]);
    let socket = dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut process = program(&["start", "--dir", text(dir.path()), "--listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", &socket)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let said = |expected: &str| {
        let mut buffer = [0; 200];
        let length = manager.recv(&mut buffer).unwrap();
        assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap().trim(), expected);
    };
    said("READY=1");
    Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    said("STOPPING=1");
    assert!(process.wait().unwrap().success());
}

#[test]
fn status_shows_how_a_running_relay_is_and_says_when_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &[]);
    let none = error(&run(&["status", "--dir", text(dir.path())]));
    assert!(none.contains("not running") && none.contains("smp-server start"), "{none}");

    let mut started = start(dir.path(), 0);
    let mode = fs::metadata(dir.path().join("control.sock")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let output = run(&["status", "--dir", text(dir.path()), "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["process"], started.process.id());
    assert_eq!(status["connections"], 0);
    assert_eq!(status["store"]["durability"], "fsync");
    assert!(status["memory_bytes"].as_u64().unwrap() > 0);
    let shown = String::from_utf8(run(&["status", "--dir", text(dir.path())]).stdout).unwrap();
    for name in ["running for", "connections", "subscriptions", "queues", "messages held", "memory"] {
        assert!(shown.lines().any(|line| line.starts_with(name)), "{name} in {shown}");
    }

    // Remains of a killed relay do not disturb the next one, which tidies up when it stops.
    started.signal("-KILL");
    started.exit_code();
    let none = error(&run(&["status", "--dir", text(dir.path())]));
    assert!(none.contains("not running"), "{none}");
    let mut started = start(dir.path(), 0);
    assert!(run(&["status", "--dir", text(dir.path())]).status.success());
    started.signal("-TERM");
    assert_eq!(started.exit_code(), Some(0));
    assert!(!dir.path().join("control.sock").exists());
}

/// A client that is turned away before TLS sees a relay that seems to be down; the operator has to learn why.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_warned_of_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &[]);
    let config = dir.path().join("smp-server.toml");
    let settings = fs::read_to_string(&config).unwrap();
    fs::write(&config, settings.replace("# max_connections = 20000", "max_connections = 1")).unwrap();
    let started = start(dir.path(), 0);
    let shown = String::from_utf8(run(&["status", "--dir", text(dir.path())]).stdout).unwrap();
    assert!(!shown.contains("limit reached"), "{shown}");
    let (client, _events) = connect(&started.address).await;
    create(&client).await;
    for _ in 0..3 {
        assert!(RelayClient::connect(&started.address, ClientConfig::default()).await.is_err());
    }
    let log = wait_for_log(dir.path(), "limits.max_connections (1) is reached", 1);
    assert!(log.contains("connections refused") && log.contains("raise it"), "{log}");
    assert_eq!(log.matches("is reached").count(), 1, "once a minute: {log}");
    let output = run(&["status", "--dir", text(dir.path()), "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let refused = &status["refused"][0];
    assert_eq!(refused["setting"], "limits.max_connections");
    assert!(refused["count"].as_u64().unwrap() >= 3, "{refused}");
    let shown = String::from_utf8(run(&["status", "--dir", text(dir.path())]).stdout).unwrap();
    assert!(
        shown.lines().any(|line| line.starts_with("limit reached     limits.max_connections: ")),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_makes_it_read_its_settings_again_and_a_bad_file_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &["--password", "old-s3cret"]);
    let mut started = start(dir.path(), 0);
    let address = started.address.clone();
    let (client, _events) = connect(&address).await;
    assert!(try_create(&client, Some("new-s3cret")).await.is_err());
    assert!(try_create(&client, Some("old-s3cret")).await.is_ok());

    let config = dir.path().join("smp-server.toml");
    let good = fs::read_to_string(&config).unwrap().replace("old-s3cret", "new-s3cret");
    let good = good.replace("# level = \"info\"", "level = \"debug\"");
    fs::write(&config, good.replace("# quota = 128", "quota = 64")).unwrap();
    started.signal("-HUP");
    let log = wait_for_log(dir.path(), "after a restart", 1);
    assert!(log.contains("reloaded: queues.create_password, log.level"), "{log}");
    assert!(log.contains("after a restart: queues.quota"), "{log}");
    assert!(try_create(&client, Some("old-s3cret")).await.is_err());
    assert!(try_create(&client, Some("new-s3cret")).await.is_ok());

    for broken in [good.replace("new-s3cret", "never s3cret"), good + "new_queues = perhaps\n"] {
        fs::write(&config, broken).unwrap();
        started.signal("-HUP");
    }
    let log = wait_for_log(dir.path(), "nothing was reloaded", 1);
    assert!(!log.contains("s3cret"), "{log}");
    assert!(try_create(&client, Some("new-s3cret")).await.is_ok());
    started.signal("-TERM");
    assert_eq!(started.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_up_and_the_address_stays() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &[]);
    let mut started = start(dir.path(), 0);
    wait_for_log(dir.path(), "ca.key is on this machine", 1);
    let (old, _events) = connect(&started.address).await;
    let key = dir.path().join("identity/ca.key");
    let away = dir.path().join("away.key");
    fs::rename(&key, &away).unwrap();
    let leaf = dir.path().join("identity/server.crt");
    let before = fs::read(&leaf).unwrap();

    let missing = error(&run(&["cert", "rotate", "--dir", text(dir.path())]));
    assert!(missing.contains("--ca-key"), "{missing}");
    let foreign = tempfile::tempdir().unwrap();
    init(foreign.path(), &[]);
    let foreign = foreign.path().join("identity/ca.key");
    let foreign = error(&run(&["cert", "rotate", "--dir", text(dir.path()), "--ca-key", text(&foreign)]));
    assert!(foreign.contains("does not belong"), "{foreign}");
    assert_eq!(fs::read(&leaf).unwrap(), before);

    let rotated = run(&["cert", "rotate", "--dir", text(dir.path()), "--ca-key", text(&away)]);
    let said = String::from_utf8(rotated.stdout).unwrap();
    assert!(
        rotated.status.success() && said.contains(&format!("kill -HUP {}", started.process.id())),
        "{said}"
    );
    assert_ne!(fs::read(&leaf).unwrap(), before);
    assert!(!key.exists(), "the key of the authority stays where it is");
    started.signal("-HUP");
    let log = wait_for_log(dir.path(), "reloaded: the certificate", 1);
    assert_eq!(log.matches("ca.key is on this machine").count(), 1, "{log}");
    let (new, _events) = connect(&started.address).await;
    for client in [old, new] {
        assert!(try_create(&client, None).await.is_ok());
    }

    // Certificates of another relay are not taken up while this one has its address.
    let other = tempfile::tempdir().unwrap();
    init(other.path(), &[]);
    for name in ["ca.crt", "server.crt", "server.key", "fingerprint"] {
        fs::copy(other.path().join("identity").join(name), dir.path().join("identity").join(name)).unwrap();
    }
    started.signal("-HUP");
    wait_for_log(dir.path(), "another relay", 1);
    assert!(try_create(&connect(&started.address).await.0, None).await.is_ok());
    started.signal("-TERM");
    assert_eq!(started.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_blocks_unblocks_and_deletes_a_queue() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &[]);
    let mut started = start(dir.path(), 0);
    let (client, _events) = connect(&started.address).await;
    let queue = create(&client).await;
    let id = smp_crypto::base64url::encode_unpadded(queue.ids.sender_id.as_bytes());
    let on = |more: &[&str]| run(&[more, &["--dir", text(dir.path())]].concat());
    let said = |more: &[&str]| {
        let output = on(more);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let answered = || async {
        match client.send(None, EntityId::from(&queue.ids.sender_id), message(1)).await {
            Ok(_) => "OK".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let ordered = said(&["block", &id, "--reason", "spam", "--notice", "7d"]);
    assert_eq!(ordered, "blocked: reason=spam,notice={\"ttl\":604800}\n");
    assert!(answered().await.contains("BLOCKED"), "{}", answered().await);
    assert!(said(&["block", &id, "--reason", "content"]).contains("before: reason=spam"));
    assert!(said(&["block", &id, "--reason", "content"]).contains("nothing to do"));
    assert_eq!(said(&["unblock", &id]), "unblocked (before: reason=content)\n");
    assert!(said(&["unblock", &id]).contains("nothing to do"));
    assert_eq!(answered().await, "OK");
    assert!(error(&on(&["delete", &id])).contains("--yes"));
    assert_eq!(said(&["delete", &id, "--yes"]), "deleted, with 1 message\n");
    for arguments in [&["unblock", id.as_str()][..], &["block", "-hAA", "--reason", "spam"]] {
        assert!(error(&on(arguments)).contains("no queue with this ID"));
    }
    for (arguments, wanted) in [
        (&["block", id.as_str()][..], "--reason"),
        (&["block", id.as_str(), "--reason", "fun"], "spam, content"),
        (&["block", "no ID", "--reason", "spam"], "neither an ID"),
        (&["block", id.as_str(), "--reason", "spam", "--notice", "soon"], "not a duration"),
    ] {
        let output = on(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && errors.contains(wanted), "{errors}");
    }
    let log = fs::read_to_string(dir.path().join(LOG)).unwrap();
    assert!(log.contains("blocked by the operator") && !log.contains(&id), "{log}");
    started.signal("-TERM");
    assert_eq!(started.exit_code(), Some(0));
    assert!(error(&on(&["unblock", &id])).contains("not running"));
}

struct Queue {
    key: PrivateAuthKey,
    ids: QueueIds,
    box_key: BoxKey,
}

async fn connect(address: &RelayAddress) -> (RelayClient, smp_transport::client::RelayEvents) {
    RelayClient::connect(address, ClientConfig::default()).await.unwrap()
}

async fn create(client: &RelayClient) -> Queue {
    try_create(client, None).await.unwrap()
}

async fn try_create(client: &RelayClient, password: Option<&str>) -> Result<Queue, ClientError> {
    let key: PrivateAuthKey = Ed25519PrivateKey::generate(&mut rand::rng()).into();
    let dh = X25519PrivateKey::generate(&mut rand::rng());
    let new = command::Command::New(Box::new(NewQueue {
        auth_key: key.public_key().into(),
        dh_key: dh.public_key().into(),
        password: password.map(|password| Password::new(password).unwrap()),
        subscription: SubscriptionMode::OnlyCreate,
        request: Some(QueueRequest::Messaging(None)),
        notifier: None,
    }));
    match client.send(Some(&key), EntityId::empty(), new).await? {
        BrokerMessage::QueueIds(ids) => {
            Ok(Queue { box_key: dh.agree(&ids.dh_key.0).box_key(), key, ids: *ids })
        }
        other => panic!("{other:?}"),
    }
}

fn message(number: u32) -> command::Command<'static> {
    let flags = MessageFlags { notification: false };
    command::Command::Send(flags, Cow::Owned(number.to_be_bytes().to_vec()))
}

/// Takes everything out of a queue and returns the numbers.
async fn drain(address: &RelayAddress, queue: &Queue) -> Vec<u32> {
    let (client, mut events) = connect(address).await;
    let recipient = || EntityId::from(&queue.ids.recipient_id);
    let content = client.send(Some(&queue.key), recipient(), command::Command::QueueInfo).await.unwrap();
    let BrokerMessage::QueueInfo(info) = content else { panic!("{content:?}") };
    let mut numbers = Vec::new();
    if info.size == 0 {
        return numbers;
    }
    client.send(Some(&queue.key), recipient(), command::Command::Subscribe).await.unwrap();
    let mut next = Some(events.recv().await.unwrap().message.unwrap());
    while let Some(BrokerMessage::Message(id, body)) = next {
        match ReceivedBody::open(&queue.box_key, &id, &body).unwrap() {
            ReceivedBody::Message { body, .. } => {
                numbers.push(u32::from_be_bytes(body.as_ref().try_into().unwrap()));
            }
            ReceivedBody::Quota { .. } => {}
        }
        let ack = command::Command::Acknowledge(id);
        next = match client.send(Some(&queue.key), recipient(), ack).await.unwrap() {
            BrokerMessage::Ok => None,
            message => Some(message),
        };
    }
    numbers
}
