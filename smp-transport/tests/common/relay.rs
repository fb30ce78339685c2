//! A relay of a few lines, made of our own server role.

#![allow(clippy::unwrap_used, dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smp_protocol::command::Command;
use smp_protocol::id::{CorrelationId, EntityId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::transmission::{BlockContent, read_commands, write_message};
use smp_transport::client::{ClientConfig, ClientError, RelayClient, RelayEvents};
use smp_transport::connection::{BlockReader, BlockWriter, Connection, RelaySide};
use tokio::sync::mpsc;

use crate::common::{acceptor, identity, pipe};

/// Something for the client: correlation ID, entity ID, message.
pub(crate) type Answer = (CorrelationId, EntityId, BrokerMessage<'static>);

/// A command as the relay got it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) correlation_id: CorrelationId,
    pub(crate) entity_id: EntityId,
    pub(crate) command: Command<'static>,
}

impl Received {
    pub(crate) fn answer(&self, message: BrokerMessage<'static>) -> Answer {
        (self.correlation_id.clone(), self.entity_id.clone(), message)
    }
}

/// A client's relay, played by the test: commands come in by one channel, messages go out by another.
pub(crate) struct TestRelay {
    pub(crate) commands: mpsc::UnboundedReceiver<Received>,
    answers: Option<mpsc::UnboundedSender<Vec<Answer>>>,
    /// How many blocks the client has sent.
    pub(crate) blocks: Arc<AtomicUsize>,
}

impl TestRelay {
    pub(crate) fn start(connection: Connection<RelaySide>) -> Self {
        let Connection { session, reader, writer, .. } = connection;
        let (to_test, commands) = mpsc::unbounded_channel();
        let (answers, to_send) = mpsc::unbounded_channel();
        let blocks = Arc::new(AtomicUsize::new(0));
        tokio::spawn(read(reader, session.parameters.clone(), to_test, blocks.clone()));
        tokio::spawn(write(writer, session.parameters, to_send));
        Self { commands, answers: Some(answers), blocks }
    }

    pub(crate) async fn command(&mut self) -> Received {
        self.commands.recv().await.unwrap()
    }

    /// Sends messages together.
    pub(crate) fn send(&self, answers: Vec<Answer>) {
        self.answers.as_ref().unwrap().send(answers).unwrap();
    }

    /// Closes the connection after everything that was sent.
    pub(crate) fn close(&mut self) {
        self.answers = None;
    }

    pub(crate) fn blocks(&self) -> usize {
        self.blocks.load(Ordering::SeqCst)
    }
}

async fn read(
    mut reader: BlockReader,
    session: smp_protocol::session::SessionParameters,
    to_test: mpsc::UnboundedSender<Received>,
    blocks: Arc<AtomicUsize>,
) {
    while let Ok(block) = reader.read_block().await {
        blocks.fetch_add(1, Ordering::SeqCst);
        for command in read_commands(&block, &session) {
            let command = command.unwrap();
            let _ = to_test.send(Received {
                correlation_id: command.correlation_id,
                entity_id: command.entity_id,
                command: command.command.into_owned(),
            });
        }
    }
}

async fn write(
    mut writer: BlockWriter,
    session: smp_protocol::session::SessionParameters,
    mut to_send: mpsc::UnboundedReceiver<Vec<Answer>>,
) {
    let mut content = BlockContent::new();
    while let Some(answers) = to_send.recv().await {
        for (correlation_id, entity_id, message) in answers {
            let write = |content: &mut BlockContent| {
                content.push(|out| write_message(&session, &correlation_id, &entity_id, &message, out))
            };
            if write(&mut content).is_err() {
                writer.write_block(content.as_bytes()).await.unwrap();
                content.clear();
                write(&mut content).unwrap();
            }
        }
        writer.write_block(content.as_bytes()).await.unwrap();
        content.clear();
        writer.flush().await.unwrap();
    }
    let _ = writer.close().await;
}

/// A client that is connected to a relay played by the test.
pub(crate) async fn client(config: ClientConfig) -> (RelayClient, RelayEvents, TestRelay) {
    let (client, events, relay) = client_and_connection(config).await;
    (client, events, TestRelay::start(relay))
}

pub(crate) async fn client_and_connection(
    config: ClientConfig,
) -> (RelayClient, RelayEvents, Connection<RelaySide>) {
    let identity = identity();
    let (ours, theirs) = pipe();
    let acceptor = acceptor(&identity);
    let (client, relay) = tokio::join!(
        RelayClient::connect_over(ours, identity.fingerprint(), config),
        acceptor.accept(theirs)
    );
    let (client, events): (RelayClient, RelayEvents) =
        client.unwrap_or_else(|error: ClientError| panic!("{error}"));
    (client, events, relay.unwrap())
}
