//! Relays and agents in this process, on loopback ports and temporary directories.

use smp_agent::{
    Agent, AgentConfig, AgentError, ConnectionId, Delivery, Event, Events, MessageId, RelayAddress,
};
use smp_server::config::{Config, StoreKind};
use smp_server::{Relay, RunningRelay, init};
use smp_transport::surroundings::Surroundings;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

/// Nothing here takes that long, unless something hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Waits for something that must happen.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(TIMEOUT, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen in {TIMEOUT:?}"),
    }
}

/// A relay that can be stopped and started again.
pub(crate) struct TestRelay {
    config: Config,
    running: Option<RunningRelay>,
    address: RelayAddress,
    _dir: TempDir,
}

impl TestRelay {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A relay that speaks the oldest version only, in which senders cannot secure queues.
    pub(crate) async fn start_old() -> Self {
        Self::start_with(|config| config.server.max_version = 6).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = init::local::embedded(dir.path(), &Surroundings::machine()).unwrap();
        config.store.kind = StoreKind::Sqlite;
        change(&mut config);
        let running = Relay::start(config.clone()).await.unwrap();
        config.server.listen = running.local_addrs().to_vec();
        let address = running.address().clone();
        Self { config, running: Some(running), address, _dir: dir }
    }

    pub(crate) fn address(&self) -> RelayAddress {
        self.address.clone()
    }

    /// Ends it as if its process had been killed.
    pub(crate) async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill().await;
        }
    }

    /// Starts it again, at the same address.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        let started = soon("restart of the relay", async {
            loop {
                match Relay::start(self.config.clone()).await {
                    Ok(running) => break running,
                    // Its connections may be closing still.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        self.running = Some(started.await);
    }
}

/// An agent with its events.
pub(crate) struct Peer {
    pub(crate) agent: Agent,
    events: Events,
    config: AgentConfig,
    _dir: TempDir,
}

/// Settings that do not make tests slow.
pub(crate) fn config(dir: &std::path::Path, relays: &[&TestRelay]) -> AgentConfig {
    let mut config = AgentConfig::new(dir, relays.iter().map(|relay| relay.address()));
    config.timeouts.retry_first = Duration::from_millis(20);
    config.timeouts.retry_longest = Duration::from_millis(200);
    config.timeouts.command = Duration::from_secs(10);
    config
}

impl Peer {
    pub(crate) async fn open(relays: &[&TestRelay]) -> Self {
        Self::open_with(relays, |_| {}).await
    }

    pub(crate) async fn open_with(relays: &[&TestRelay], change: impl FnOnce(&mut AgentConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path(), relays);
        change(&mut config);
        let (agent, events) = Agent::open(config.clone()).await.unwrap();
        Self { agent, events, config, _dir: dir }
    }

    /// Drops the agent wherever it is, and opens it again.
    pub(crate) async fn crash(self) -> Self {
        let Self { agent, events, config, _dir } = self;
        drop((agent, events));
        let (agent, events) = soon("end of the agent", async {
            loop {
                match Agent::open(config.clone()).await {
                    Ok(opened) => break opened,
                    Err(AgentError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
                    Err(error) => panic!("{error}"),
                }
            }
        })
        .await;
        Self { agent, events, config, _dir }
    }

    /// Where it keeps everything.
    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        self.config.data_dir.clone()
    }

    /// Stops the agent in good order. Returns what is needed to open it again.
    pub(crate) async fn stop(self) -> (AgentConfig, TempDir) {
        self.agent.shutdown().await;
        (self.config, self._dir)
    }

    pub(crate) async fn reopen((config, _dir): (AgentConfig, TempDir)) -> Self {
        let (agent, events) = Agent::open(config.clone()).await.unwrap();
        Self { agent, events, config, _dir }
    }

    /// The next event that is kept, and is done with it.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            let delivery = soon("next event", self.events.next()).await.unwrap().expect("agent is open");
            delivery.done().await.unwrap();
            if delivery.event.connection().is_some() {
                return delivery.event.clone();
            }
        }
    }

    /// The next event of any kind; done with it only if asked.
    pub(crate) async fn next_any(&mut self, done: bool) -> Event {
        let delivery = soon("next event", self.events.next()).await.unwrap().expect("agent is open");
        if done {
            delivery.done().await.unwrap();
        }
        delivery.event.clone()
    }

    /// The next event of any kind, which is not done.
    pub(crate) async fn next_delivery(&mut self) -> Delivery {
        soon("next event", self.events.next()).await.unwrap().expect("agent is open")
    }

    /// Waits for an event, and is done with those before it.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next_any(true).await;
            if wanted(&event) {
                return event;
            }
        }
    }

    /// The next event of a connection within a short time; None if there is none.
    pub(crate) async fn next_of(&mut self, connection: ConnectionId) -> Option<Event> {
        let wanted = self.until(|event| event.connection() == Some(connection));
        timeout(Duration::from_millis(200), wanted).await.ok()
    }

    /// The next message, whatever else happens before.
    pub(crate) async fn message(&mut self) -> (MessageId, Vec<u8>) {
        match self.until(|event| matches!(event, Event::Message { .. })).await {
            Event::Message { id, body, .. } => (id, body),
            _ => unreachable!(),
        }
    }

    /// The next messages' texts.
    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            texts.push(String::from_utf8(self.message().await.1).unwrap());
        }
        texts
    }

    pub(crate) async fn sent(&mut self, id: MessageId) {
        self.until(|event| matches!(event, Event::Sent { id: sent, .. } if *sent == id)).await;
    }
}

/// Makes an invitation, joins and accepts it, until both sides are connected.
pub(crate) async fn connect(alice: &mut Peer, bob: &mut Peer) -> (ConnectionId, ConnectionId) {
    let (a, link) = alice.agent.create_invitation().await.unwrap();
    let b = bob.agent.join(&link.to_string(), b"bob").await.unwrap();
    finish(alice, bob).await;
    (a, b)
}

/// Accepts, until both sides are connected.
pub(crate) async fn finish(alice: &mut Peer, bob: &mut Peer) {
    match alice.until(|event| event.connection().is_some()).await {
        Event::Confirmation { connection, info } => {
            assert_eq!(info, b"bob");
            alice.agent.connection(connection).accept(b"alice").await.unwrap();
        }
        event => panic!("{event:?}"),
    }
    let is_told = |event: &Event| event.connection().is_some() && !matches!(event, Event::LinkShown { .. });
    match bob.until(is_told).await {
        Event::Info { info, .. } => assert_eq!(info, b"alice"),
        event => panic!("{event:?}"),
    }
    for peer in [alice, bob] {
        match peer.until(|event| event.connection().is_some()).await {
            Event::Connected { .. } => {}
            event => panic!("{event:?}"),
        }
    }
}

/// One message there and one back.
pub(crate) async fn exchange(one: &mut Peer, other: &mut Peer, (a, b): (ConnectionId, ConnectionId)) {
    one.agent.connection(a).send(b"there").await.unwrap();
    assert_eq!(other.texts(1).await, ["there"]);
    other.agent.connection(b).send(b"back").await.unwrap();
    assert_eq!(one.texts(1).await, ["back"]);
}

/// `0` to the count before `end`, as texts.
pub(crate) fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}
