//! A client of one relay: one TLS session, many requests at once.
//!
//! [`RelayClient::connect`] gives a client, which can be cloned and shared, and the stream of what the relay sends on its
//! own. Requests are written in the order in which they were made, as many in a block as there are, but at most one about
//! each queue: a second one waits for the next block, and others pass it. Answers find their requests by correlation IDs. When the connection ends, every request that waits gets the reason, and
//! [`RelayEvents::recv`] returns it too. Nothing is tried again: that is for the caller to decide.
//!
//! ```no_run
//! use smp_protocol::command::Command;
//! use smp_protocol::id::EntityId;
//! use smp_transport::client::{ClientConfig, RelayClient};
//!
//! # async fn example(address: smp_protocol::address::RelayAddress) -> Result<(), Box<dyn std::error::Error>> {
//! let (client, mut events) = RelayClient::connect(&address, ClientConfig::default()).await?;
//! tokio::spawn(async move {
//!     while let Ok(event) = events.recv().await {
//!         println!("{:?}", event.message);
//!     }
//! });
//! client.send(None, EntityId::empty(), Command::Ping).await?;
//! # Ok(())
//! # }
//! ```

mod advice;
mod authorize;
mod config;
mod dial;
mod error;
mod in_flight;
mod pending;
mod proxied;
mod queue;
mod reading;
mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smp_crypto::PrivateAuthKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::command::Command;
use smp_protocol::error::ErrorType;
use smp_protocol::id::{CorrelationId, EntityId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::session::AgreedSession;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::connection::{ClientSide, Connection, ConnectorSettings, RelayConnector};
use crate::tls::ByteStream;
use authorize::Authorizer;
use pending::Pending;
use queue::WriteQueue;

pub use config::{ClientConfig, MAX_AGREED_KEYS, MAX_EVENTS, MAX_IN_FLIGHT, MAX_QUEUED_BYTES};
pub use error::{Attempt, ClientError};
pub use proxied::{ProxiedRelay, SendPath};

/// The answer to a request; never [`BrokerMessage::Error`], which is [`ClientError::Relay`].
pub type Response = BrokerMessage<'static>;

/// A request with everything that can be said about it.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The key of the queue; `None` for commands that need no authorization.
    pub key: Option<&'a PrivateAuthKey>,
    /// The queue, link or session that it is about; empty for commands that have none.
    pub entity_id: EntityId,
    /// The command.
    pub command: Command<'a>,
    /// The correlation ID, 24 bytes, if something depends on it. It is also a nonce: never give one twice.
    pub correlation_id: Option<CorrelationId>,
    /// How long the answer may take once the request was written, if not [`ClientConfig::response_timeout`].
    pub timeout: Option<Duration>,
}

impl<'a> Request<'a> {
    /// A request with a random correlation ID and the usual timeout.
    pub fn new(
        key: Option<&'a PrivateAuthKey>,
        entity_id: impl Into<EntityId>,
        command: Command<'a>,
    ) -> Self {
        Self { key, entity_id: entity_id.into(), command, correlation_id: None, timeout: None }
    }
}

/// Something that the relay sent on its own, or an answer for which nobody waits any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayEvent {
    /// The queue or service that it is about.
    pub entity_id: EntityId,
    /// The message, or why it cannot be read.
    pub message: Result<BrokerMessage<'static>, ErrorType>,
    /// Whether it is the answer to a request that was given up: handle it as if it had come on its own.
    pub late: bool,
}

/// A connection to a relay. Clones share it; it is closed when the last one is dropped.
#[derive(Clone)]
pub struct RelayClient(Arc<Handle>);

/// The stream of events that the relay sends on its own, in order.
pub struct RelayEvents {
    events: mpsc::Receiver<RelayEvent>,
    shared: Arc<Shared>,
}

struct Handle {
    shared: Arc<Shared>,
    side: ClientSide,
}

struct Shared {
    config: ClientConfig,
    authorizer: Authorizer,
    pending: Pending,
    /// Free places for requests in flight.
    places: Arc<Semaphore>,
    /// Requests to be written.
    queue: WriteQueue,
    /// Free bytes in it.
    queued: Arc<Semaphore>,
    stop: CancellationToken,
    events: mpsc::WeakSender<RelayEvent>,
}

impl RelayClient {
    /// Connects to a relay: tries the hosts of its address in order; without a port in the address 5223, then 443.
    ///
    /// # Errors
    /// [`ClientError::WrongRelay`], [`ClientError::Version`], [`ClientError::OnionOnly`], [`ClientError::NotAllowed`], or
    /// [`ClientError::Unreachable`] with what happened at each host.
    pub async fn connect(
        address: &RelayAddress,
        config: ClientConfig,
    ) -> Result<(Self, RelayEvents), ClientError> {
        let connector = connector(address.fingerprint, &config)?;
        let connection = dial::dial(address, &connector, &config).await?;
        Ok(Self::start(connection, config))
    }

    /// Connects over a stream that leads to a relay.
    ///
    /// # Errors
    /// [`ClientError::WrongRelay`] (with the host `stream`), [`ClientError::Version`] or [`ClientError::Connection`].
    pub async fn connect_over(
        stream: impl ByteStream,
        fingerprint: [u8; 32],
        config: ClientConfig,
    ) -> Result<(Self, RelayEvents), ClientError> {
        let connection = connector(fingerprint, &config)?
            .connect(stream)
            .await
            .map_err(|error| ClientError::from_connecting(error, "stream"))?;
        Ok(Self::start(connection, config))
    }

    fn start(connection: Connection<ClientSide>, config: ClientConfig) -> (Self, RelayEvents) {
        let Connection { session, side, reader, writer } = connection;
        let (to_application, events) = mpsc::channel(MAX_EVENTS);
        let shared = Arc::new(Shared {
            config,
            authorizer: Authorizer::new(session),
            pending: Pending::default(),
            places: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            queue: WriteQueue::default(),
            queued: Arc::new(Semaphore::new(MAX_QUEUED_BYTES)),
            stop: CancellationToken::new(),
            events: to_application.downgrade(),
        });
        let spawner = &shared.config.surroundings.spawner;
        spawner.spawn(writing::write_requests(shared.clone(), writer));
        spawner.spawn(reading::read_answers(shared.clone(), reader, to_application));
        let events = RelayEvents { events, shared: shared.clone() };
        (Self(Arc::new(Handle { shared, side })), events)
    }

    /// Sends a command and waits for the answer.
    ///
    /// If the future is dropped the request may have been sent; its answer then comes as a late event.
    ///
    /// # Errors
    /// [`ClientError::Relay`] if the relay answers with an error; see the other variants.
    pub async fn send(
        &self,
        key: Option<&PrivateAuthKey>,
        entity_id: impl Into<EntityId>,
        command: Command<'_>,
    ) -> Result<Response, ClientError> {
        self.request(Request::new(key, entity_id, command)).await
    }

    /// Sends a request and waits for the answer, as [`send`](Self::send) does.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn request(&self, request: Request<'_>) -> Result<Response, ClientError> {
        self.0.queue(request).await?.answer().await
    }

    /// Sends requests together, in order, and waits for all answers. They are in the order of the requests.
    pub async fn send_many(
        &self,
        requests: impl IntoIterator<Item = Request<'_>>,
    ) -> Vec<Result<Response, ClientError>> {
        let mut queued = Vec::new();
        for request in requests {
            queued.push(self.0.queue(request).await);
        }
        let mut answers = Vec::with_capacity(queued.len());
        for request in queued {
            answers.push(match request {
                Ok(in_flight) => in_flight.answer().await,
                Err(error) => Err(error),
            });
        }
        answers
    }

    /// The agreement of the handshake: version, session ID, the relay's key.
    #[must_use]
    pub fn session(&self) -> &AgreedSession {
        self.0.shared.authorizer.session()
    }

    /// The client's side of the connection: certificates, service.
    #[must_use]
    pub fn side(&self) -> &ClientSide {
        &self.0.side
    }

    /// Why the connection has ended; `None` while it has not.
    #[must_use]
    pub fn ended(&self) -> Option<ClientError> {
        self.0.shared.pending.ended()
    }

    /// Closes the connection, for all clones. Requests that wait get [`ClientError::Closed`].
    pub fn close(&self) {
        self.0.shared.end(ClientError::Closed);
    }
}

impl RelayEvents {
    /// Waits for the next event. Cancel safe.
    ///
    /// Keep receiving, in a task that does not itself wait for answers: when [`MAX_EVENTS`] events wait, answers wait
    /// behind them. Drop this if no events are wanted.
    ///
    /// # Errors
    /// Why the connection ended, once all events before that have been received.
    pub async fn recv(&mut self) -> Result<RelayEvent, ClientError> {
        match self.events.recv().await {
            Some(event) => Ok(event),
            None => Err(self.shared.reason()),
        }
    }
}

impl Shared {
    fn correlation_id(&self) -> CorrelationId {
        CorrelationId::generate(&mut self.config.surroundings.randomness.rng())
    }

    /// Ends the connection for this reason, unless it has ended before.
    fn end(&self, reason: ClientError) {
        self.pending.end(reason);
        self.places.close();
        self.queued.close();
        self.stop.cancel();
    }

    /// Why it has ended.
    fn reason(&self) -> ClientError {
        self.pending.ended().unwrap_or(ClientError::Closed)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.end(ClientError::Closed);
    }
}

fn connector(fingerprint: [u8; 32], config: &ClientConfig) -> Result<RelayConnector, ClientError> {
    let settings = ConnectorSettings {
        surroundings: config.surroundings.clone(),
        versions: config.versions,
        proxy: config.proxy,
        service: config.service.clone(),
        handshake_timeout: config.connect_timeout,
        block_timeout: config.block_timeout,
    };
    RelayConnector::new(fingerprint, settings).map_err(ClientError::Connection)
}

impl fmt::Debug for RelayClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayClient").field("ended", &self.ended().is_some()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RelayEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayEvents").finish_non_exhaustive()
    }
}
