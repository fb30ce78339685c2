//! The other direction of the webhook: a signed request sends a message to a contact.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::{Value, json};
use smp_protocol::chat::{MessageContent, SharedMessageId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::signature::{SIGNATURE, Secret, TIMESTAMP};
use super::webhook::read;
use crate::session::{Identity, SendOptions};
use crate::text::unix_millis;

/// Connections at once; further ones wait.
const MAX_CONNECTIONS: usize = 16;
/// From the first byte of a connection to its last.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A message that is to be sent.
#[derive(Deserialize)]
struct Message {
    /// The contact's name, or its number as text.
    contact: String,
    text: String,
}

/// Sends what signed requests ask for, until it is dropped.
pub(super) struct Receiver {
    listener: TcpListener,
    identity: Arc<Identity>,
    secret: Secret,
}

impl Receiver {
    /// Listens on an address of this machine.
    pub(super) async fn open(
        address: SocketAddr,
        identity: Arc<Identity>,
        secret: Secret,
    ) -> anyhow::Result<Self> {
        if !address.ip().is_loopback() {
            bail!(
                "{address} can be reached from other machines, unencrypted: listen on 127.0.0.1, and have a proxy there that speaks TLS"
            );
        }
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("{address} cannot be listened on"))?;
        Ok(Self { listener, identity, secret })
    }

    /// The address, with the port that was chosen.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    pub(super) async fn serve(self) {
        let (receiver, slots) = (Arc::new(self), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
        let mut connections = JoinSet::new();
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            match receiver.listener.accept().await {
                Ok((stream, _)) => {
                    let receiver = receiver.clone();
                    connections.spawn(async move {
                        let _ = tokio::time::timeout(CONNECTION_TIMEOUT, receiver.answer_one(stream)).await;
                        drop(slot);
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn answer_one(&self, stream: TcpStream) -> hyper::Result<()> {
        let service = service_fn(async |request| {
            let (status, body) = self.answer(request).await;
            let response =
                Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
            let response = response.body(body.to_string()).unwrap_or_default();
            Ok::<_, Infallible>(response)
        });
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(CONNECTION_TIMEOUT).keep_alive(false);
        server.serve_connection(TokioIo::new(stream), service).await
    }

    async fn answer(&self, request: Request<Incoming>) -> (StatusCode, Value) {
        let refuse = |status, reason: &str| (status, json!({ "error": reason }));
        if request.method() != Method::POST {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, "POST a message");
        }
        let given = |name: &str| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (signature, time) = (given(SIGNATURE), given(TIMESTAMP));
        let Ok(body) = read(request.into_body()).await else {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the message is too long");
        };
        if !self.secret.verify(&signature, &time, &body, unix_millis() / 1000) {
            return refuse(StatusCode::UNAUTHORIZED, "the signature is missing, wrong, or too old");
        }
        let Ok(message) = serde_json::from_slice::<Message>(&body) else {
            return refuse(StatusCode::BAD_REQUEST, "a message is {\"contact\": NAME, \"text\": TEXT}");
        };
        match self.send(&message).await {
            Ok(item) => (StatusCode::OK, json!({ "itemId": item })),
            Err(error) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &format!("{error:#}")),
        }
    }

    async fn send(&self, message: &Message) -> anyhow::Result<i64> {
        let book = self.identity.book();
        let by_number = match message.contact.parse() {
            Ok(number) => book.by_number(number).await?,
            Err(_) => None,
        };
        let contact = match by_number {
            Some(contact) => contact,
            None => self.identity.contact(&message.contact).await?,
        };
        let id = SharedMessageId::generate(&mut rand::rng());
        let content = MessageContent::text(&message.text);
        self.identity.send_content(&contact, id, content, SendOptions::default()).await
    }
}
