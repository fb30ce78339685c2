//! One of the two people of the demonstration: an agent with one connection.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use smp_agent::{Agent, AgentConfig, ConnectionId, Event, Events};
use smp_protocol::chat::{
    ChatEvent, ChatMessage, MessageContainer, Profile, SharedMessageId, decode_messages,
};

use crate::relays::parse_relays;

/// First pause before reconnecting: the demonstration's relay is back soon.
const RETRY: Duration = Duration::from_millis(100);

pub(super) struct Person {
    name: &'static str,
    agent: Agent,
    events: Events,
    connection: Option<ConnectionId>,
}

impl Person {
    pub(super) async fn create(name: &'static str, dir: &Path, relay: &str) -> anyhow::Result<Self> {
        let mut config = AgentConfig::new(dir, parse_relays(&[relay.to_owned()])?);
        config.timeouts.retry_first = RETRY;
        let (agent, events) = Agent::open(config).await?;
        Ok(Self { name, agent, events, connection: None })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) async fn invite(&mut self) -> anyhow::Result<String> {
        let (connection, link) = self.agent.create_invitation().await?;
        self.connection = Some(connection);
        Ok(link.to_string())
    }

    pub(super) async fn join(&mut self, link: &str) -> anyhow::Result<()> {
        self.connection = Some(self.agent.join(link, &self.profile()).await?);
        Ok(())
    }

    pub(super) async fn until_connected(&mut self, timeout: Duration) -> anyhow::Result<()> {
        loop {
            match self.event(timeout).await.context("They did not connect")? {
                Event::Confirmation { connection, .. } => {
                    self.agent.connection(connection).accept(&self.profile()).await?
                }
                Event::Connected { .. } => return Ok(()),
                _ => {}
            }
        }
    }

    pub(super) async fn security_code(&self) -> anyhow::Result<String> {
        let code = self.agent.connection(self.connection()?).security_code().await?;
        Ok(code.context("there is no security code yet")?.to_string())
    }

    pub(super) async fn send(&self, text: &str) -> anyhow::Result<()> {
        let id = SharedMessageId::generate(&mut rand::rng());
        let message = ChatMessage::new(Some(id), ChatEvent::MessageNew(MessageContainer::text(text)));
        self.agent.connection(self.connection()?).send(&message.encode()).await?;
        Ok(())
    }

    /// The next text.
    pub(super) async fn receive(&mut self, timeout: Duration) -> anyhow::Result<String> {
        loop {
            let Event::Message { body, .. } =
                self.event(timeout).await.context("A message did not arrive")?
            else {
                continue;
            };
            for message in decode_messages(&body).into_iter().flatten() {
                if let ChatEvent::MessageNew(container) = message.event {
                    return Ok(container.content.display_text());
                }
            }
        }
    }

    /// The next `count` texts.
    pub(super) async fn receive_all(
        &mut self,
        count: usize,
        timeout: Duration,
    ) -> anyhow::Result<Vec<String>> {
        let mut texts = Vec::with_capacity(count);
        while texts.len() < count {
            texts.push(self.receive(timeout).await?);
        }
        Ok(texts)
    }

    pub(super) async fn close(self) {
        self.agent.shutdown().await;
    }

    async fn event(&mut self, timeout: Duration) -> anyhow::Result<Event> {
        let Ok(delivery) = tokio::time::timeout(timeout, self.events.next()).await else {
            bail!("{} saw nothing for {} s", self.name, timeout.as_secs());
        };
        let delivery = delivery?.context("the agent stopped")?;
        delivery.done().await?;
        match delivery.event {
            Event::ConnectionFailed { error, .. } => Err(error.into()),
            event => Ok(event),
        }
    }

    fn connection(&self) -> anyhow::Result<ConnectionId> {
        self.connection.context("not connected yet")
    }

    fn profile(&self) -> Vec<u8> {
        ChatMessage::new(None, ChatEvent::Info(Profile::new(self.name))).encode()
    }
}
