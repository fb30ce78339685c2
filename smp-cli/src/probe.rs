//! `Probe`: a look at one relay: whether it answers, how fast, in which version, and whether it makes queues.

use std::time::Duration;

use serde_json::{Value, json};
use smp_agent::NetworkSettings;
use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::address::RelayAddress;
use smp_protocol::command::{Command, NewQueue, QueueRequest, SubscriptionMode};
use smp_protocol::error::ErrorType;
use smp_protocol::id::EntityId;
use smp_protocol::message::BrokerMessage;
use smp_transport::client::{ClientConfig, ClientError, RelayClient};
use smp_transport::identity::{CertificateDer, validity};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::network::isolation;

/// How long each of a relay's hosts may take to be connected to, and each answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// A certificate that ends within this time is said.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// A relay that was looked at.
pub(crate) struct Probe {
    /// Its address, without the password.
    pub(crate) relay: String,
    pub(crate) outcome: Result<Reached, Problem>,
}

/// A relay that answers.
pub(crate) struct Reached {
    /// TCP, TLS and the handshake together.
    connect: Duration,
    /// A `PING` and its answer.
    answer: Duration,
    version: u16,
    /// In seconds since 1970.
    certificate_until: Option<i64>,
    /// How long it took to make a queue and to delete it, or why it makes none.
    queue: Result<Duration, Problem>,
}

/// Something that is wrong, and what to do.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) reason: String,
    pub(crate) advice: String,
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        Self { reason: error.to_string(), advice: error.advice() }
    }
}

impl Probe {
    /// Looks at a relay of ours. The queue that it is asked for is deleted again.
    pub(crate) async fn of(address: &RelayAddress, network: &NetworkSettings) -> Self {
        let relay = address.without_password().to_string();
        let outcome = match network.hosts(address) {
            Some(address) => reach(&address, network).await.map_err(Problem::from),
            None => Err(Problem {
                reason: "the relay has no onion host".to_owned(),
                advice: "take another relay, or allow other hosts: --onion=preferred".to_owned(),
            }),
        };
        Self { relay, outcome }
    }

    /// Whether it can be used for new contacts.
    pub(crate) fn is_good(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|reached| reached.queue.is_ok())
    }

    /// For programs.
    pub(crate) fn fields(&self) -> Value {
        match &self.outcome {
            Err(problem) => json!({
                "relay": self.relay, "reached": false, "reason": problem.reason, "advice": problem.advice,
            }),
            Ok(reached) => {
                let (queue, reason, advice) = match &reached.queue {
                    Ok(time) => (Some(millis(*time)), None, None),
                    Err(problem) => (None, Some(&problem.reason), Some(&problem.advice)),
                };
                json!({
                    "relay": self.relay,
                    "reached": true,
                    "connect_ms": millis(reached.connect),
                    "answer_ms": millis(reached.answer),
                    "version": reached.version,
                    "certificate_until": reached.certificate_until,
                    "makes_queues": reached.queue.is_ok(),
                    "queue_ms": queue,
                    "reason": reason,
                    "advice": advice,
                })
            }
        }
    }

    /// For people, in one line for each finding.
    pub(crate) fn sentence(&self) -> String {
        let relay = &self.relay;
        match &self.outcome {
            Err(problem) => format!("{relay}\n  not reached: {}", problem.sentence()),
            Ok(reached) => {
                let queue = match &reached.queue {
                    Ok(time) => format!("makes queues ({} ms)", millis(*time)),
                    Err(problem) => format!("makes no queues: {}", problem.sentence()),
                };
                let certificate = match reached.ends_soon(OffsetDateTime::now_utc().unix_timestamp()) {
                    Some(days) => {
                        format!("\n  its certificate ends in {days} days; its operator has to renew it")
                    }
                    None => String::new(),
                };
                format!(
                    "{relay}\n  reached in {} ms, answers in {} ms, version {}\n  {queue}{certificate}",
                    millis(reached.connect),
                    millis(reached.answer),
                    reached.version,
                )
            }
        }
    }
}

impl Problem {
    pub(crate) fn sentence(&self) -> String {
        match self.advice.as_str() {
            "" => format!("{}.", self.reason),
            advice => format!("{}; {advice}.", self.reason),
        }
    }
}

impl Reached {
    /// The days until the certificate ends, if they are few.
    fn ends_soon(&self, now: i64) -> Option<i64> {
        let left = self.certificate_until?.saturating_sub(now);
        (left < i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX)).then_some(left / (24 * 3600))
    }
}

async fn reach(address: &RelayAddress, network: &NetworkSettings) -> Result<Reached, ClientError> {
    let config = ClientConfig {
        dialler: network.dialler(true, isolation()),
        connect_timeout: TIMEOUT,
        response_timeout: TIMEOUT,
        ..ClientConfig::default()
    };
    let begun = Instant::now();
    // Nothing comes by itself.
    let (client, _) = RelayClient::connect(address, config).await?;
    let connect = begun.elapsed();
    let begun = Instant::now();
    client.send(None, EntityId::empty(), Command::Ping).await?;
    let answer = begun.elapsed();
    let leaf = client.side().relay_chain.leaf();
    let until = validity(&CertificateDer::from(leaf)).ok();
    let queue = queue(address, &client).await;
    let version = client.session().parameters.version.0;
    client.close();
    Ok(Reached { connect, answer, version, certificate_until: until.map(|until| *until.end()), queue })
}

/// Makes a queue and deletes it.
async fn queue(address: &RelayAddress, client: &RelayClient) -> Result<Duration, Problem> {
    let key = PrivateAuthKey::from(Ed25519PrivateKey::generate(&mut rand::rng()));
    let new = Command::New(Box::new(NewQueue {
        auth_key: key.public_key().into(),
        dh_key: X25519PrivateKey::generate(&mut rand::rng()).public_key().into(),
        password: address.password.clone(),
        subscription: SubscriptionMode::OnlyCreate,
        request: Some(QueueRequest::Messaging(None)),
        notifier: None,
    }));
    let begun = Instant::now();
    let ids = match client.send(Some(&key), EntityId::empty(), new).await {
        Ok(BrokerMessage::QueueIds(ids)) => ids,
        Ok(_) => {
            return Err(Problem {
                reason: "the relay answers something else than it was asked".to_owned(),
                advice: "tell its operator".to_owned(),
            });
        }
        Err(ClientError::Relay(ErrorType::Auth)) => {
            return Err(Problem {
                reason: "the relay refuses".to_owned(),
                advice: "it may want a password, or another one: smp://FINGERPRINT:PASSWORD@HOST; ask its operator"
                    .to_owned(),
            });
        }
        Err(error) => return Err(error.into()),
    };
    client.send(Some(&key), ids.recipient_id.clone(), Command::Delete).await?;
    Ok(begun.elapsed())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
