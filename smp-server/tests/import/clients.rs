//! The old relay's clients at the new one.

use std::{borrow::Cow, time::Duration};

use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey};
use smp_protocol::{
    body::ReceivedBody,
    command::{Command, MessageFlags},
    error::ErrorType,
    key::SenderAuthKey,
    message::BrokerMessage,
};
use smp_transport::client::{ClientConfig, ClientError, RelayClient, RelayEvents};

use crate::support::{Copy, SAMPLES, SampleQueue, expected_messages, reachable};

/// How long something may take that should happen at once.
const SOON: Duration = Duration::from_secs(10);

struct Client {
    relay: RelayClient,
    events: RelayEvents,
}

impl Client {
    async fn send(
        &self,
        queue: &SampleQueue,
        key: Option<&PrivateAuthKey>,
        command: Command<'_>,
    ) -> Result<BrokerMessage<'static>, ClientError> {
        self.relay.send(key, queue.sender(), command).await
    }

    async fn next(&mut self) -> BrokerMessage<'static> {
        let event = tokio::time::timeout(SOON, self.events.recv()).await.expect("no event").unwrap();
        event.message.unwrap()
    }

    /// Subscribes and takes all messages; returns their bodies with the notification flags.
    async fn drain(&mut self, copy: &Copy, queue: &SampleQueue) -> Vec<(Vec<u8>, bool)> {
        let (key, box_key) = (queue.recipient_key(), copy.box_key(queue));
        self.relay.send(Some(&key), queue.recipient(), Command::Subscribe).await.unwrap();
        let mut bodies = Vec::new();
        let mut next = if queue.messages_sent > 0 { Some(self.next().await) } else { None };
        while let Some(message) = next {
            let BrokerMessage::Message(id, body) = message else { panic!("{message:?}") };
            match ReceivedBody::open(&box_key, &id, &body).unwrap() {
                ReceivedBody::Message { body, flags, .. } => {
                    bodies.push((body.into_owned(), flags.notification));
                }
                other => panic!("{other:?}"),
            }
            let answer = self.relay.send(Some(&key), queue.recipient(), Command::Acknowledge(id)).await;
            next = Some(answer.unwrap()).filter(|answer| *answer != BrokerMessage::Ok);
        }
        bodies
    }
}

fn message() -> Command<'static> {
    Command::Send(MessageFlags { notification: false }, Cow::Borrowed(b"after the import"))
}

#[track_caller]
fn assert_auth(answer: Result<BrokerMessage<'static>, ClientError>) {
    assert!(matches!(answer, Err(ClientError::Relay(ErrorType::Auth))), "{answer:?}");
}

#[tokio::test]
async fn every_message_arrives_and_every_queue_goes_on() {
    for sample in SAMPLES {
        let copy = Copy::of(sample);
        copy.import(|_| ()).await.unwrap();
        let relay = copy.start().await;
        let address = reachable(&relay);
        let queues = copy.queues();
        let mut delivered = 0;
        for (number, queue) in queues.iter().enumerate() {
            let (relay, events) = RelayClient::connect(&address, ClientConfig::default()).await.unwrap();
            let mut client = Client { relay, events };
            if queue.deleted {
                let key = queue.recipient_key();
                assert_auth(client.relay.send(Some(&key), queue.recipient(), Command::Subscribe).await);
                assert_auth(client.send(queue, queue.sender_key().as_ref(), message()).await);
                continue;
            }
            let bodies = client.drain(&copy, queue).await;
            assert_eq!(bodies.len(), queue.messages_sent, "{sample}, queue {number}");
            for (count, (body, notification)) in bodies.iter().enumerate() {
                let text = format!("message {count} of queue {number}");
                assert!(body.starts_with(text.as_bytes()), "{sample}: {text}");
                assert_eq!(*notification, count % 2 == 1, "{sample}: {text}");
            }
            delivered += bodies.len();
            goes_on(&mut client, &copy, queue).await;
        }
        assert_eq!(delivered, expected_messages(&queues));
        println!("{sample}: {} queues, {delivered} messages delivered and acknowledged", queues.len());
        relay.shutdown().await.unwrap();
    }
}

/// The sender's key secures the queue; without one yet, the sender sets one; suspended queues take nothing.
async fn goes_on(client: &mut Client, copy: &Copy, queue: &SampleQueue) {
    if queue.suspended {
        assert_auth(client.send(queue, queue.sender_key().as_ref(), message()).await);
        return;
    }
    let stranger: PrivateAuthKey = Ed25519PrivateKey::generate(&mut rand::rng()).into();
    let key = match queue.sender_key() {
        Some(key) => key,
        None => {
            let public = SenderAuthKey(stranger.public_key());
            let answer = client.send(queue, Some(&stranger), Command::SenderSecure(public)).await;
            assert_eq!(answer.unwrap(), BrokerMessage::Ok);
            stranger.clone()
        }
    };
    assert_auth(client.send(queue, None, message()).await);
    let other: PrivateAuthKey = Ed25519PrivateKey::generate(&mut rand::rng()).into();
    assert_auth(client.send(queue, Some(&other), message()).await);
    assert_eq!(client.send(queue, Some(&key), message()).await.unwrap(), BrokerMessage::Ok);
    let BrokerMessage::Message(id, body) = client.next().await else { panic!("no message") };
    match ReceivedBody::open(&copy.box_key(queue), &id, &body).unwrap() {
        ReceivedBody::Message { body, .. } => assert_eq!(&body[..], b"after the import"),
        other => panic!("{other:?}"),
    }
}
