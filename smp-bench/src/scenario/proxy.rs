//! `proxy`: messages that go through one relay to another, as apps send to relays that they do not know.
//!
//! Each is sealed with a key of its own before the clock starts. Answers are opened: only `OK` of the destination counts.

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use smp_crypto::{BoxKey, X25519PrivateKey, X25519PublicKey};
use smp_protocol::command::{Command, MessageFlags};
use smp_protocol::id::{CorrelationId, EntityId, SessionId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::proxy::{open_answer, seal_content};
use smp_protocol::session::{AgreedSession, SessionParameters};
use smp_protocol::transmission::{BlockContent, read_messages};
use smp_protocol::version::SmpVersion;

use super::Subject;
use super::many::{clean_up, connect, create_queues, timed};
use super::sending::body;
use crate::driver::{BlockCounts, Link, Preparer, Queue, Ready, Target, exchange};
use crate::outcome::Outcome;
use crate::process;

/// Options of `proxy`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The relay that the messages are for: an address or a mode
    #[arg(long, default_value = "memory")]
    pub destination: String,
    /// Queues at the destination
    #[arg(long, default_value_t = 128)]
    pub queues: usize,
    /// Messages to each, at most 100
    #[arg(long, default_value_t = 50)]
    pub messages: usize,
    /// Connections to the proxy
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Unanswered messages on each connection
    #[arg(long, default_value_t = 16)]
    pub window: usize,
}

/// The session of proxy and destination.
#[derive(Clone)]
struct Forwarding {
    session: AgreedSession,
    key: X25519PublicKey,
}

/// A message, and what opens its answer.
struct Sealed {
    request: Ready,
    id: CorrelationId,
    secret: BoxKey,
}

pub(super) async fn run(options: &Options, subject: &mut Subject) -> Result<Outcome> {
    ensure!((1..=100).contains(&options.messages), "--messages must be 1 to 100");
    let proxy = &subject.target;
    let destination = &subject.other.as_ref().context("no destination was given")?.target;
    let queues = create_queues(destination, options.queues, options.connections).await?;
    let links = connect(proxy, queues.len(), &BlockCounts::default()).await?;
    let version = links.first().map_or(0, |link| link.session.parameters.version.0);
    let body = body()?;
    let each = links.into_iter().zip(queues.clone());
    let each = each.map(|(link, queues)| (link, queues, proxy.clone(), destination.clone(), body.clone()));
    let messages = options.messages;
    let (prepared, _) =
        timed(each.collect(), move |(mut link, queues, proxy, destination, body)| async move {
            let forwarding = introduce(&mut link, &proxy, &destination).await?;
            let sealed = prepare(&link, &forwarding, &queues, &body, messages)?;
            Ok((link, forwarding, sealed))
        })
        .await?;
    let cpu = |target: &Target| target.pid.and_then(process::cpu_time);
    let before = [cpu(proxy), cpu(destination)];
    let window = options.window;
    let (links, took) = timed(prepared, move |(link, forwarding, sealed)| async move {
        send(link, &forwarding, sealed, window).await
    })
    .await?;
    let after = [cpu(proxy), cpu(destination)];
    drop(links);
    clean_up(destination, &queues).await?;

    let total = (options.queues * options.messages) as f64;
    let setting = format!(
        "to {}: {} messages to each of {} queues, {} connections, window {}",
        destination.name,
        options.messages,
        options.queues,
        queues.len(),
        options.window
    );
    let mut outcome = Outcome::new("proxy", &proxy.name, version, setting);
    outcome.add("sent", total / took.as_secs_f64(), "msg/s");
    for (name, (after, before)) in
        ["CPU of the proxy", "CPU of the destination"].into_iter().zip(after.into_iter().zip(before))
    {
        let used = || Some(after?.saturating_sub(before?).as_secs_f64() * 1e6 / total);
        outcome.add_some(name, used(), "us/msg");
    }
    Ok(outcome)
}

/// Has the proxy connect to the destination, whose key must be signed by the identity in its address.
async fn introduce(link: &mut Link, proxy: &Target, destination: &Target) -> Result<Forwarding> {
    let relay = Box::new(destination.address.without_password());
    let command = Command::ProxySession { relay, password: proxy.address.password.clone() };
    let request = Preparer::new(&link.session).transmission(None, &EntityId::empty(), &command)?;
    let mut answer = None;
    exchange(link, &[request], 1, |incoming| {
        match incoming.message {
            BrokerMessage::ProxySessionKey { session_id, versions, key } => {
                answer = Some((session_id, versions, key));
            }
            BrokerMessage::Error(error) => bail!(
                "the proxy answers PRXY with {error} (does it refuse private addresses? ours does, without \
                 proxy.allow_private_hosts)"
            ),
            other => bail!("the proxy answers PRXY with {}", other.tag().name()),
        }
        Ok(())
    })
    .await?;
    let (id, versions, key) = answer.context("the proxy does not answer PRXY")?;
    ensure!(
        key.chain.relay_fingerprint() == Some(destination.address.fingerprint) && key.chain.is_linked(),
        "the proxy has connected to another relay"
    );
    let leaf_key = key.chain.leaf_key().context("the destination's certificate cannot be read")?;
    let Ok(key) = key.signed_key.verify_x25519(&leaf_key) else {
        bail!("the destination's key is not signed by it")
    };
    let Some(version) = versions.compatible(&destination.versions) else { bail!("no version in common") };
    Ok(Forwarding { session: forwarded_session(id, version, key), key })
}

fn forwarded_session(id: SessionId, version: SmpVersion, key: X25519PublicKey) -> AgreedSession {
    AgreedSession {
        parameters: SessionParameters { version, id },
        versions: SmpVersion::SUPPORTED,
        proxy: false,
        secret: None,
        relay_key: Some(key),
    }
}

fn prepare(
    link: &Link,
    forwarding: &Forwarding,
    queues: &[Queue],
    body: &[u8],
    messages: usize,
) -> Result<Vec<Sealed>> {
    let (mut outer, inner) = (Preparer::new(&link.session), Preparer::new(&forwarding.session));
    let mut all = Vec::with_capacity(queues.len() * messages);
    for queue in queues {
        let sender = inner.ready(&queue.sender)?;
        for _ in 0..messages {
            let id = outer.next_id();
            let send = Command::Send(MessageFlags::default(), body.into());
            let transmission =
                inner.transmission_with(&id, Some(&sender), &(&queue.sender_id).into(), &send)?;
            let mut content = BlockContent::new();
            content.push(|out| out.extend_from_slice(&transmission.bytes))?;
            let key = X25519PrivateKey::generate(&mut rand::rng());
            let secret = key.agree(&forwarding.key).box_key();
            let command = Command::ProxyForward {
                version: forwarding.session.parameters.version,
                key: key.public_key().into(),
                transmission: seal_content(&secret, &id, content.as_bytes())?.into(),
            };
            let session = EntityId::new(forwarding.session.parameters.id.as_bytes())?;
            let request = outer.transmission_with(&id, None, &session, &command)?;
            all.push(Sealed { request, id, secret });
        }
    }
    Ok(all)
}

async fn send(mut link: Link, forwarding: &Forwarding, sealed: Vec<Sealed>, window: usize) -> Result<Link> {
    let (requests, secrets): (Vec<_>, Vec<_>) =
        sealed.into_iter().map(|sealed| (sealed.request, (sealed.id, sealed.secret))).unzip();
    exchange(&mut link, &requests, window, |incoming| match incoming.message {
        BrokerMessage::ProxyResponse(response) => {
            let number = incoming.request.and_then(|number| usize::try_from(number).ok());
            let (id, secret) = number.and_then(|number| secrets.get(number)).context("a strange answer")?;
            let Ok(content) = open_answer(secret, id, &response) else { bail!("an answer cannot be opened") };
            for answer in read_messages(&content, &forwarding.session.parameters) {
                match answer.message {
                    Ok(BrokerMessage::Ok) => {}
                    Ok(BrokerMessage::Error(error)) => bail!("the destination answers SEND with {error}"),
                    _ => bail!("the destination's answer to SEND cannot be read"),
                }
            }
            Ok(())
        }
        BrokerMessage::Error(error) => bail!("the proxy answers PFWD with {error}"),
        other => bail!("the proxy answers PFWD with {}", other.tag().name()),
    })
    .await?;
    Ok(link)
}
