//! `bot`: many people who write to one bot at once, each of whom is answered.
//!
//! The bot is a client of `smp daemon --bot-api`, in this process, and so are all people, as connections of one agent; daemon and relay are
//! processes of their own. A latency is the time from the call that sends a message until the person has the answer.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use smp_agent::{Agent, ConnectionId, Event, Events};
use smp_protocol::chat::{
    ChatEvent, ChatMessage, ContactRequest, MessageContainer, Profile, SharedMessageId, decode_messages,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Subject, agent};
use crate::outcome::Outcome;
use crate::process;

/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_secs(600);
/// Connections that are made at the same time.
const MAKING: usize = 16;
/// Connections on which somebody writes at the same time.
const WRITING: usize = 64;
/// Events, or frames, that are taken together.
const TOGETHER: usize = 256;

/// Options of `bot`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// People who write
    #[arg(long, default_value_t = 1000)]
    pub contacts: usize,
    /// Messages of each
    #[arg(long, default_value_t = 10)]
    pub messages: usize,
    /// The program `smp` [default: the one beside this]
    #[arg(long, value_name = "PROGRAM")]
    pub program: Option<PathBuf>,
}

type Socket = WebSocketStream<TcpStream>;

/// The daemon, until it is dropped.
struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    async fn start(options: &Options, dir: &std::path::Path, relay: &str) -> Result<Self> {
        let beside = || Ok::<_, anyhow::Error>(std::env::current_exe()?.with_file_name("smp"));
        let program = options.program.clone().map_or_else(beside, Ok)?;
        let mut child = Command::new(&program)
            .args([
                "--json",
                "daemon",
                "--bot-api",
                "127.0.0.1:0",
                "--create-profile",
                "Bot",
                "--relay",
                relay,
            ])
            .arg("--data-dir")
            .arg(dir)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("{} cannot be started: build it, or name it with --program", program.display())
            })?;
        let stdout = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            let object: Value = serde_json::from_str(&line)?;
            if let Some(place) = object["bots"][0].as_str() {
                let address = place.trim_start_matches("ws://").to_owned();
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self { child, address });
            }
        }
        bail!("the daemon has ended")
    }

    /// The most memory that it has had, in bytes.
    fn peak(&self) -> Option<u64> {
        process::peak_bytes(self.child.id()?)
    }
}

async fn ask(socket: &mut Socket, command: &str) -> Result<Value> {
    socket.send(Message::text(json!({ "corrId": "ask", "cmd": command }).to_string())).await?;
    while let Some(frame) = socket.next().await {
        let frame: Value = serde_json::from_str(frame?.to_text()?)?;
        if frame["corrId"] == "ask" {
            return Ok(frame["resp"].clone());
        }
    }
    bail!("the daemon has ended")
}

/// The part of a frame that the bot looks at. Of the rest no tree is made: it would cost the machine more than the daemon needs to write it.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "corrId")]
    correlation: Option<IgnoredAny>,
    #[serde(borrow)]
    resp: Resp<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resp<'a> {
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    chat_items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    chat_info: ChatInfo,
    chat_item: ChatItem,
}

#[derive(Deserialize)]
struct ChatInfo {
    contact: Contact,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contact {
    contact_id: i64,
}

#[derive(Deserialize)]
struct ChatItem {
    meta: Meta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    item_text: String,
}

/// The kind of a frame, without a look at what is in it.
fn is_status(frame: &str) -> bool {
    frame.starts_with(r#"{"resp":{"type":"chatItemsStatusesUpdated""#)
}

/// Answers every message with its own words.
async fn answer(socket: Socket) -> Result<()> {
    let (mut sink, stream) = socket.split();
    // Frames that have come together are answered together.
    let mut stream = stream.ready_chunks(TOGETHER);
    while let Some(frames) = stream.next().await {
        for frame in frames {
            let frame = frame?;
            let text = frame.to_text()?;
            if is_status(text) {
                continue;
            }
            let frame: Frame<'_> = serde_json::from_str(text)?;
            ensure!(frame.resp.kind != "chatCmdError", "the bot was refused: {text}");
            // An answer to what it has sent has a number.
            if frame.resp.kind != "newChatItems" || frame.correlation.is_some() {
                continue;
            }
            for Item { chat_info, chat_item } in frame.resp.chat_items {
                let contact = chat_info.contact.contact_id;
                let messages =
                    json!([{ "msgContent": { "type": "text", "text": chat_item.meta.item_text } }]);
                let command = format!("/_send @{contact} json {messages}");
                let command = json!({ "corrId": "send", "cmd": command }).to_string();
                sink.feed(Message::text(command)).await?;
            }
        }
        sink.flush().await?;
    }
    bail!("the daemon has ended")
}

pub(super) async fn run(options: &Options, subject: &Subject) -> Result<Outcome> {
    let setting = format!("{} people, {} messages of each", options.contacts, options.messages);
    let mut outcome = Outcome::new("bot", &subject.target.name, 0, setting);
    let dir = tempfile::tempdir()?;
    let relay = subject.target.address.to_string();
    let daemon = Daemon::start(options, &dir.path().join("bot"), &relay).await?;
    let stream = TcpStream::connect(&daemon.address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = client_async(format!("ws://{}/", daemon.address), stream).await?;
    let created = ask(&mut socket, "/_address 1").await?;
    let link = created["connReqContact"].as_str().context("no address")?.to_owned();
    let settings = r#"/_address_settings 1 {"businessAddress":false,"autoAccept":{"acceptIncognito":false}}"#;
    ensure!(ask(&mut socket, settings).await?["type"] == "userContactLinkUpdated", "no address");
    let mut answering = tokio::spawn(answer(socket));

    let (people, mut events) = agent::open(&subject.target.address).await?;
    let connecting = connect(&people.agent, &mut events, &link, options.contacts);
    let begun = Instant::now();
    let connections = timeout(PATIENCE, connecting).await.context("connecting took too long")??;
    outcome.add("people connected", options.contacts as f64 / begun.elapsed().as_secs_f64(), "per s");

    let cpu = || {
        let daemon = daemon.child.id().and_then(process::cpu_time);
        let relay = subject.spawned.as_ref().and_then(|relay| process::cpu_time(relay.pid()));
        [daemon, relay, process::own_cpu_time()]
    };
    let before = cpu();
    let talking = talk(&people.agent, &mut events, &connections, options.messages);
    let (took, latencies) = tokio::select! {
        talked = timeout(PATIENCE, talking) => talked.context("not everybody was answered")??,
        ended = &mut answering => { ended??; bail!("the bot has ended") }
    };
    let count = latencies.len() as f64;
    outcome.add("answered messages", count / took.as_secs_f64(), "per s");
    outcome.add("latency p50", latencies.value_at_quantile(0.5) as f64 / 1000.0, "ms");
    outcome.add("latency p99", latencies.value_at_quantile(0.99) as f64 / 1000.0, "ms");
    let names = ["CPU of an answer, daemon", "CPU of an answer, relay", "CPU of an answer, people and bot"];
    for ((now, before), name) in cpu().into_iter().zip(before).zip(names) {
        let used = now.zip(before).map(|(now, before)| now.saturating_sub(before));
        outcome.add_some(name, used.map(|used| used.as_secs_f64() * 1000.0 / count), "ms");
    }
    outcome.add_some("memory of the daemon, at most", daemon.peak().map(|bytes| bytes as f64 / 1e6), "MB");
    Ok(outcome)
}

/// Has everybody ask, and waits until all were let in.
async fn connect(agent: &Agent, events: &mut Events, link: &str, count: usize) -> Result<Vec<ConnectionId>> {
    let ask = |number: usize| async move {
        let profile = Profile::new(format!("person {number}"));
        let info = ChatMessage::new(None, ChatEvent::Info(profile.clone())).encode();
        let request = ChatMessage::new(None, ChatEvent::Contact(ContactRequest::new(profile))).encode();
        anyhow::Ok(agent.ask(link, &info, &request).await?)
    };
    let asking = async {
        let mut asked = stream::iter(0..count).map(ask).buffer_unordered(MAKING);
        let mut connections = Vec::with_capacity(count);
        while let Some(connection) = asked.next().await {
            connections.push(connection?);
        }
        anyhow::Ok(connections)
    };
    let connected = async {
        let mut connected = HashSet::new();
        while connected.len() < count {
            let delivery = events.next().await?.context("the agent stopped")?;
            match &delivery.event {
                Event::Connected { connection, .. } => drop(connected.insert(*connection)),
                Event::ConnectionFailed { error, .. } => bail!("a connection failed: {error}"),
                _ => {}
            }
            drop(delivery.done_soon().await?);
        }
        anyhow::Ok(())
    };
    let (connections, ()) = tokio::try_join!(asking, connected)?;
    Ok(connections)
}

/// Has everybody write at once, and waits until each message was answered once.
async fn talk(
    agent: &Agent,
    events: &mut Events,
    connections: &[ConnectionId],
    messages: usize,
) -> Result<(Duration, Histogram<u64>)> {
    let begun = Instant::now();
    let sent: Arc<std::sync::Mutex<HashMap<String, Instant>>> = Arc::default();
    let mut writing = JoinSet::new();
    let places = Arc::new(tokio::sync::Semaphore::new(WRITING));
    for connection in connections {
        let (handle, sent, places) = (agent.connection(*connection), sent.clone(), places.clone());
        let connection = connection.number();
        writing.spawn(async move {
            let _place = places.acquire_owned().await?;
            for number in 0..messages {
                let text = format!("{connection} {number}");
                let event = ChatEvent::MessageNew(MessageContainer::text(text.clone()));
                let id = SharedMessageId::generate(&mut rand::rng());
                let body = ChatMessage::new(Some(id), event).encode();
                if let Ok(mut sent) = sent.lock() {
                    sent.insert(text, Instant::now());
                }
                let _ = handle.send(&body).await?;
            }
            anyhow::Ok(())
        });
    }
    let mut latencies = Histogram::new_with_bounds(1, 600_000_000, 3)?;
    let mut answered = HashSet::new();
    while answered.len() < connections.len() * messages {
        let deliveries = events.next_many(TOGETHER).await?;
        ensure!(!deliveries.is_empty(), "the agent stopped");
        for delivery in &deliveries {
            match &delivery.event {
                Event::Message { body, connection, .. } => {
                    for text in texts(body) {
                        let at = sent.lock().ok().and_then(|sent| sent.get(&text).copied());
                        let at = at.with_context(|| format!("`{text}` was never sent"))?;
                        ensure!(
                            text.starts_with(&format!("{} ", connection.number())),
                            "`{text}` came to another person"
                        );
                        ensure!(answered.insert(text.clone()), "`{text}` was answered twice");
                        latencies.saturating_record(u64::try_from(at.elapsed().as_micros())?);
                    }
                }
                Event::SendFailed { error, .. } => bail!("a message was not sent: {error}"),
                _ => {}
            }
            drop(delivery.done_soon().await?);
        }
    }
    let took = begun.elapsed();
    while let Some(written) = writing.join_next().await {
        written??;
    }
    Ok((took, latencies))
}

fn texts(body: &[u8]) -> Vec<String> {
    let text = |message: ChatMessage| match message.event {
        ChatEvent::MessageNew(container) => container.content.text,
        _ => None,
    };
    decode_messages(body).into_iter().flatten().filter_map(text).collect()
}
