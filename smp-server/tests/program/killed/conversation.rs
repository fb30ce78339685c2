//! Many messages at once to one queue.

use std::{
    fmt,
    ops::{Add, Range},
};

use smp_protocol::{
    address::RelayAddress,
    body::ReceivedBody,
    command,
    id::{EntityId, MessageId},
    message::BrokerMessage,
};
use smp_transport::client::{RelayClient, RelayEvents, Request};

use crate::{Queue, connect, create, drain, message};

/// How many messages are sent before a kill, at most.
const MESSAGES: u32 = 120;

/// A queue, its sender, and maybe its recipient.
pub(super) struct Conversation {
    queue: Queue,
    sender: Option<RelayClient>,
    /// Whether the recipient is there.
    online: bool,
    recipient: Option<(RelayClient, RelayEvents)>,
    sent: Range<u32>,
    /// Messages that got `OK`.
    kept: Vec<u32>,
    /// Messages whose `ACK` was answered.
    acknowledged: Vec<u32>,
    /// The one whose `ACK` was not.
    unanswered: Option<u32>,
    pub(super) counts: Counts,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) kept: usize,
    acknowledged: usize,
    without_answer: usize,
}

impl Add<&Counts> for Counts {
    type Output = Self;

    fn add(self, other: &Self) -> Self {
        Self {
            kept: self.kept + other.kept,
            acknowledged: self.acknowledged + other.acknowledged,
            without_answer: self.without_answer + other.without_answer,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, acknowledged, without_answer } = self;
        write!(
            f,
            "{kept} messages got OK and were delivered, {without_answer} more were kept without; \
             {acknowledged} were acknowledged under load"
        )
    }
}

impl Conversation {
    pub(super) async fn create(address: &RelayAddress, online: bool) -> Self {
        let queue = create(&connect(address).await.0).await;
        Self {
            queue,
            sender: None,
            online,
            recipient: None,
            sent: 0..0,
            kept: Vec::new(),
            acknowledged: Vec::new(),
            unanswered: None,
            counts: Counts::default(),
        }
    }

    pub(super) async fn connect(&mut self, address: &RelayAddress) {
        self.sender = Some(connect(address).await.0);
        if self.online {
            let (client, events) = connect(address).await;
            let recipient = EntityId::from(&self.queue.ids.recipient_id);
            client.send(Some(&self.queue.key), recipient, command::Command::Subscribe).await.unwrap();
            self.recipient = Some((client, events));
        }
    }

    pub(super) async fn run_until_killed(&mut self) {
        let recipient = self.recipient.take();
        self.sent = self.sent.end..self.sent.end + MESSAGES;
        let sender = self.sender.take().unwrap();
        let sending = self
            .sent
            .clone()
            .map(|number| Request::new(None, EntityId::from(&self.queue.ids.sender_id), message(number)));
        let receiving = async {
            match recipient {
                Some((client, events)) => receive_until_killed(&self.queue, client, events).await,
                None => (Vec::new(), None),
            }
        };
        let (answers, received) = tokio::join!(sender.send_many(sending), receiving);
        let kept =
            self.sent.clone().zip(&answers).filter(|(_, answer)| matches!(answer, Ok(BrokerMessage::Ok)));
        self.kept = kept.map(|(number, _)| number).collect();
        (self.acknowledged, self.unanswered) = received;
    }

    /// Takes what is left. Everything that got `OK` must have been delivered by now, in order and once; only a message
    /// whose `ACK` had no answer may come again.
    pub(super) async fn check(&mut self, address: &RelayAddress) {
        let left = drain(address, &self.queue).await;
        let mut delivered = self.acknowledged.clone();
        delivered.extend(self.unanswered.filter(|number| left.first() != Some(number)));
        delivered.extend(&left);
        let said = || format!("kept {:?}, acknowledged {:?}, left {left:?}", self.kept, self.acknowledged);
        assert!(delivered.is_sorted_by(|a, b| a < b), "order: {}", said());
        assert!(self.kept.iter().all(|number| delivered.contains(number)), "lost: {}", said());
        assert!(delivered.iter().all(|number| self.sent.contains(number)), "delivered again: {}", said());
        self.counts.kept += self.kept.len();
        self.counts.acknowledged += self.acknowledged.len();
        self.counts.without_answer += delivered.len() - self.kept.len();
    }
}

/// Acknowledges what comes. Returns what was answered, and the last one that was not.
async fn receive_until_killed(
    queue: &Queue,
    client: RelayClient,
    mut events: RelayEvents,
) -> (Vec<u32>, Option<u32>) {
    let mut acknowledged = Vec::new();
    let mut next: Option<BrokerMessage<'static>> = None;
    loop {
        let content = match next.take() {
            Some(content) => content,
            None => match events.recv().await {
                Ok(event) => event.message.unwrap(),
                Err(_) => return (acknowledged, None),
            },
        };
        let (id, number) = open(queue, content);
        let ack = command::Command::Acknowledge(id);
        let recipient = EntityId::from(&queue.ids.recipient_id);
        match client.send(Some(&queue.key), recipient, ack).await {
            Ok(answer) => {
                acknowledged.extend(number);
                next = Some(answer).filter(|answer| *answer != BrokerMessage::Ok);
            }
            Err(error) => {
                assert!(super::owner::is_lost(&error), "{error}");
                return (acknowledged, number);
            }
        }
    }
}

/// The number in a message; none in the mark that the queue was full.
pub(super) fn open(queue: &Queue, content: BrokerMessage<'_>) -> (MessageId, Option<u32>) {
    let BrokerMessage::Message(id, body) = content else { panic!("not MSG: {content:?}") };
    let number = match ReceivedBody::open(&queue.box_key, &id, &body).unwrap() {
        ReceivedBody::Message { body, .. } => Some(u32::from_be_bytes(body.as_ref().try_into().unwrap())),
        ReceivedBody::Quota { .. } => None,
    };
    (id, number)
}
