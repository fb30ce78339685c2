//! The webhook: each message is posted, signed, and what the server answers is the answer.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use smp_chat::{Contact, KeptItem};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use super::signature::{SIGNATURE, Secret, TIMESTAMP};
use crate::text::unix_millis;

/// Longest answer of the server in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// A server of this machine that is told of messages.
pub(super) struct Webhook {
    uri: Uri,
    secret: Secret,
}

/// The answer of the server: both may be missing.
#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    reply: Option<String>,
}

/// A message that was not posted.
pub(super) enum NotPosted {
    /// The server does not want it.
    Refused(StatusCode),
    /// It may be posted later.
    Later(anyhow::Error),
}

impl Webhook {
    /// The server at a URL. Messages are private, so it is one of this machine: whoever wants another puts a program before it that
    /// encrypts.
    pub(super) fn new(url: &str, secret: Secret) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("“{url}” is no URL"))?;
        let is_local = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if uri.scheme_str() != Some("http") || !is_local {
            bail!(
                "“{url}” is not on this machine: messages would cross the network. Use http://localhost:PORT/…, and a proxy there that speaks TLS"
            );
        }
        Ok(Self { uri, secret })
    }

    /// Posts a message. Returns the server's reply, empty if there is none.
    pub(super) async fn post(
        &self,
        contact: &Contact,
        kept: &KeptItem,
        text: &str,
        time: Duration,
    ) -> Result<String, NotPosted> {
        let body = json!({
            "contactId": contact.id,
            "contact": contact.name,
            "itemId": kept.number,
            "at": kept.item.at,
            "text": text,
        });
        let posting = self.send(body.to_string());
        let answered = tokio::time::timeout(time, posting).await;
        let late = |_| anyhow!("it did not answer within {} s", time.as_secs_f64());
        let (status, answer) = answered.map_err(late).flatten().map_err(NotPosted::Later)?;
        match status.as_u16() {
            200..300 => {}
            408 | 429 | 500.. => return Err(NotPosted::Later(anyhow!("it answered {status}"))),
            _ => return Err(NotPosted::Refused(status)),
        }
        // Anything but an object with a reply is no reply.
        let answer: Answer = serde_json::from_slice(&answer).unwrap_or_default();
        Ok(answer.reply.unwrap_or_default())
    }

    async fn send(&self, body: String) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let (host, port) = (self.uri.host().unwrap_or_default(), self.uri.port_u16().unwrap_or(80));
        let stream = match host.trim_matches(['[', ']']).parse() {
            Ok(ip) => TcpStream::connect(SocketAddr::new(ip, port)).await,
            Err(_) => TcpStream::connect((host, port)).await,
        };
        let stream = stream.with_context(|| format!("{} cannot be reached", self.uri))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let time = (unix_millis() / 1000).to_string();
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(header::HOST, self.uri.authority().map_or(host, |authority| authority.as_str()))
            .header(header::CONTENT_TYPE, "application/json")
            .header(SIGNATURE, self.secret.sign(&time, body.as_bytes()))
            .header(TIMESTAMP, time)
            .body(body)?;
        let connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let response = sender.send_request(request).await?;
        let answer = (response.status(), read(response.into_body()).await?);
        drop(connection);
        Ok(answer)
    }
}

/// Reads a body of at most [`MAX_ANSWER`] bytes.
pub(super) async fn read(mut body: Incoming) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await
    {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > MAX_ANSWER {
            bail!("the body is longer than {MAX_ANSWER} bytes");
        }
    }
    Ok(bytes)
}
