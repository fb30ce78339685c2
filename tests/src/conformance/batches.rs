//! Many transmissions in a block, and the order of answers.
//!
//! Answers about one queue have the order of their commands; answers about different queues may overtake each other.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use smp_protocol::command::Command;
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::{CorrelationId, EntityId, MessageId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::transmission::MAX_CONTENT;

use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, send, sender_key};
use super::{CheckResult, Context, checks};

checks! { "batches":
    6..=19 => as_many_as_fit_are_answered,
    6..=19 => the_largest_block_is_read,
    6..=19 => messages_in_one_block_keep_their_order
        stricter "the protocol leaves it open in which order the commands of one block are run; the reference begins with the last",
    6..=19 => answers_about_one_queue_keep_their_order,
    6..=19 => refusals_keep_their_order_too
        stricter "the reference answers those commands of a block first that it need not run",
    6..=19 => a_command_sees_what_those_before_it_did
        stricter "the protocol leaves it open in which order the commands of one block are run; the reference begins with the last",
    6..=19 => many_queues_are_subscribed_in_one_block,
    6..=19 => blocks_need_not_wait_for_answers,
    6..=19 => a_damaged_transmission_does_not_spoil_the_others,
}

/// Transmissions to be sent together.
#[derive(Default)]
struct Batch {
    transmissions: Vec<Vec<u8>>,
    ids: Vec<(EntityId, CorrelationId)>,
}

impl Batch {
    fn add(
        &mut self,
        client: &Client,
        auth: Auth<'_>,
        entity_id: &[u8],
        command: &Command<'_>,
    ) -> Result<()> {
        let id = Client::correlation_id();
        let bytes = command.to_bytes(client.version());
        self.transmissions.push(client.transmission(auth, id.as_bytes(), entity_id, &bytes)?);
        self.ids.push((EntityId::new(entity_id)?, id));
        Ok(())
    }

    /// Sends all, and checks that there is one answer to each, in order within each entity. Returns answers in the
    /// order of the commands, and what else came.
    async fn run(
        self,
        client: &mut Client,
    ) -> Result<(Vec<BrokerMessage<'static>>, Vec<(EntityId, BrokerMessage<'static>)>)> {
        client.send(&self.transmissions).await?;
        let mut answers: HashMap<CorrelationId, BrokerMessage<'static>> = HashMap::new();
        let (mut order, mut events) = (Vec::new(), Vec::new());
        while answers.len() < self.ids.len() {
            let received = client.receive().await?;
            if received.correlation_id.is_empty() {
                events.push((received.entity_id, received.message));
            } else {
                order.push((received.entity_id, received.correlation_id.clone()));
                let before = answers.insert(received.correlation_id, received.message);
                ensure!(before.is_none(), "two answers to one command");
            }
        }
        let of = |all: &[(EntityId, CorrelationId)], entity: &EntityId| -> Vec<CorrelationId> {
            all.iter().filter(|(id, _)| id == entity).map(|(_, id)| id.clone()).collect()
        };
        for (entity, _) in &self.ids {
            ensure!(of(&order, entity) == of(&self.ids, entity), "answers about a queue are out of order");
        }
        let in_order =
            self.ids.iter().map(|(_, id)| answers.remove(id).context("no answer")).collect::<Result<_>>()?;
        Ok((in_order, events))
    }
}

async fn as_many_as_fit_are_answered(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    // In version 6 the session ID takes the room of the others.
    let count = if context.version.0 >= 7 { 255 } else { 200 };
    let mut batch = Batch::default();
    for _ in 0..count {
        batch.add(&client, Auth::None, &[], &Command::Ping)?;
    }
    let (answers, events) = batch.run(&mut client).await?;
    ensure!(answers.iter().all(|answer| *answer == BrokerMessage::Pong), "not all are PONG");
    ensure!(events.is_empty(), "{events:?}");
    client.expect_quiet().await
}

async fn the_largest_block_is_read(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let id = Client::correlation_id();
    let ping = client.transmission(Auth::None, id.as_bytes(), &[], b"PING")?;
    let other_id = Client::correlation_id();
    let empty = client.transmission(Auth::None, other_id.as_bytes(), &[1; 24], b"SEND F ")?;
    let room = MAX_CONTENT - (1 + 2 + ping.len() + 2 + empty.len());
    let filler = [empty, vec![7; room]].concat();
    client.send(&[ping, filler]).await?;
    let pong = client.answer(id.as_bytes()).await?;
    ensure!(pong.message == BrokerMessage::Pong, "{:?}", pong.message);
    // There is no such queue; that is looked at first.
    let refused = client.answer(other_id.as_bytes()).await?;
    ensure!(refused.message == BrokerMessage::Error(ErrorType::Auth), "{:?}", refused.message);
    Ok(())
}

async fn messages_in_one_block_keep_their_order(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let key = sender.secure(&queue).await?;
    let mut batch = Batch::default();
    for number in 0..40_u8 {
        batch.add(&sender, Auth::Key(&key), queue.sender().as_bytes(), &send(&[number]))?;
    }
    let (answers, _) = batch.run(&mut sender).await?;
    ensure!(answers.iter().all(|answer| *answer == BrokerMessage::Ok), "{answers:?}");
    let mut next = Some(recipient.message(&queue).await?);
    for number in 0..40_u8 {
        let message = next.take().context("a message is missing")?;
        ensure!(message.body() == Some(&[number][..]), "{message:?} and not {number}");
        next = recipient.ack(&queue, &message.id).await?;
    }
    ensure!(next.is_none(), "{next:?}");
    Ok(())
}

async fn answers_about_one_queue_keep_their_order(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (a, b) = (client.queue().await?, client.create(NewOptions::contact()).await?);
    let mut batch = Batch::default();
    for _ in 0..8 {
        for queue in [&a, &b] {
            batch.add(&client, queue.auth(), queue.recipient().as_bytes(), &Command::QueueInfo)?;
            batch.add(&client, Auth::None, queue.sender().as_bytes(), &send(b"text"))?;
            batch.add(&client, queue.auth(), queue.recipient().as_bytes(), &Command::DeleteNotifier)?;
        }
    }
    let (answers, _) = batch.run(&mut client).await?;
    let is_good =
        |answer: &BrokerMessage<'_>| matches!(answer, BrokerMessage::Ok | BrokerMessage::QueueInfo(_));
    ensure!(answers.iter().all(is_good), "{answers:?}");
    Ok(())
}

/// The protocol text counts errors among the answers that have an order.
async fn refusals_keep_their_order_too(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::messaging().unsubscribed()).await?;
    let stranger = KeyKind::Ed25519.generate();
    let (recipient, sender) = (queue.recipient().as_bytes(), queue.sender().as_bytes());
    let mut batch = Batch::default();
    let mut expected = Vec::new();
    for _ in 0..6 {
        batch.add(&client, Auth::None, sender, &send(b"text"))?;
        batch.add(&client, Auth::Key(&stranger), sender, &send(b"text"))?;
        batch.add(&client, queue.auth(), recipient, &Command::DeleteLink)?;
        batch.add(&client, Auth::Key(&stranger), recipient, &Command::DeleteLink)?;
        batch.add(&client, Auth::None, recipient, &Command::DeleteLink)?;
        let (auth, no_auth) = (ErrorType::Auth, ErrorType::Command(CommandError::NoAuth));
        let error = BrokerMessage::Error;
        expected.extend([
            BrokerMessage::Ok,
            error(auth.clone()),
            BrokerMessage::Ok,
            error(auth),
            error(no_auth),
        ]);
    }
    let (answers, _) = batch.run(&mut client).await?;
    ensure!(answers == expected, "{answers:?}");
    Ok(())
}

async fn a_command_sees_what_those_before_it_did(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (secured, deleted) = (client.queue().await?, client.queue().await?);
    let (first, second) = (sender_key(context.version), sender_key(context.version));
    client.ok(Auth::None, deleted.sender(), &send(b"text")).await?;
    let delivered = client.message(&deleted).await?;
    let ack = |id: &MessageId| Command::Acknowledge(id.clone());
    let mut batch = Batch::default();
    let (a, b) = (secured.recipient().as_bytes(), deleted.recipient().as_bytes());
    batch.add(&client, secured.auth(), a, &Command::Secure(first.public_key().into()))?;
    batch.add(&client, secured.auth(), a, &Command::Secure(second.public_key().into()))?;
    batch.add(&client, secured.auth(), a, &Command::Secure(first.public_key().into()))?;
    batch.add(&client, deleted.auth(), b, &ack(&delivered.id))?;
    batch.add(&client, deleted.auth(), b, &ack(&delivered.id))?;
    batch.add(&client, deleted.auth(), b, &Command::Delete)?;
    batch.add(&client, deleted.auth(), b, &Command::Delete)?;
    let (answers, events) = batch.run(&mut client).await?;
    let error = BrokerMessage::Error;
    let expected = [
        BrokerMessage::Ok,
        error(ErrorType::Auth),
        BrokerMessage::Ok,
        BrokerMessage::Ok,
        error(ErrorType::NoMessage),
        BrokerMessage::Ok,
        error(ErrorType::Auth),
    ];
    ensure!(answers == expected, "{answers:?}");
    ensure!(events.is_empty(), "{events:?}");
    Ok(())
}

/// No message may come before the answer to its `SUB`; each queue delivers one.
async fn many_queues_are_subscribed_in_one_block(context: &Context) -> CheckResult {
    let (mut creator, mut client) = context.connect_two().await?;
    let mut queues = Vec::new();
    for number in 0..20_u8 {
        let queue = creator.create(NewOptions::messaging().unsubscribed()).await?;
        if number % 2 == 0 {
            creator.ok(Auth::None, queue.sender(), &send(&[number])).await?;
        }
        queues.push(queue);
    }
    let mut commands = Vec::new();
    let mut ids = HashMap::new();
    for (number, queue) in queues.iter().enumerate() {
        let id = Client::correlation_id();
        let sub = client.transmission(queue.auth(), id.as_bytes(), queue.recipient().as_bytes(), b"SUB")?;
        commands.push(sub);
        ids.insert(id, number);
    }
    client.send(&commands).await?;
    let (mut answered, mut delivered) = (vec![false; queues.len()], vec![false; queues.len()]);
    while answered.contains(&false) || delivered.iter().step_by(2).any(|delivered| !delivered) {
        let received = client.receive().await?;
        let number = queues.iter().position(|queue| received.entity_id == queue.recipient().into());
        let number = number.context("about another queue")?;
        if let Some(expected) = ids.remove(&received.correlation_id) {
            ensure!(expected == number, "the answer is about another queue");
            answered[number] = true;
        }
        match received.message {
            BrokerMessage::Ok | BrokerMessage::Subscribed(None) => {}
            message @ BrokerMessage::Message(..) => {
                let message = queues[number].open(message)?;
                ensure!(message.body() == Some(&[number as u8][..]), "{message:?} in {number}");
                ensure!(answered[number] && !delivered[number], "a message before the answer, or two");
                delivered[number] = true;
            }
            other => anyhow::bail!("SUB was answered with {other:?}"),
        }
    }
    client.expect_quiet().await
}

async fn blocks_need_not_wait_for_answers(context: &Context) -> CheckResult {
    const BLOCKS: usize = 30;
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let mut ids = Vec::new();
    for number in 0..BLOCKS {
        let id = Client::correlation_id();
        let command = send(&[number as u8]).to_bytes(context.version);
        let transmission =
            sender.transmission(Auth::None, id.as_bytes(), queue.sender().as_bytes(), &command)?;
        sender.send(&[transmission]).await?;
        ids.push(id);
    }
    for id in ids {
        let received = sender.receive().await?;
        ensure!(received.correlation_id == id, "answers are out of order");
        ensure!(received.message == BrokerMessage::Ok, "{:?}", received.message);
    }
    let mut next = Some(recipient.message(&queue).await?);
    for number in 0..BLOCKS {
        let message = next.take().context("a message is missing")?;
        ensure!(message.body() == Some(&[number as u8][..]), "{message:?} and not {number}");
        next = recipient.ack(&queue, &message.id).await?;
    }
    Ok(())
}

async fn a_damaged_transmission_does_not_spoil_the_others(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let ids: Vec<_> = (0..2).map(|_| Client::correlation_id()).collect();
    let first = client.transmission(Auth::None, ids[0].as_bytes(), &[], b"PING")?;
    let second = client.transmission(Auth::None, ids[1].as_bytes(), &[], b"PING")?;
    // Cut inside of the correlation ID.
    let damaged = first[..first.len() - 20].to_vec();
    client.send(&[first, damaged, second]).await?;
    let mut blocked = 0;
    let mut pongs = 0;
    for _ in 0..3 {
        let received = client.receive().await?;
        match received.message {
            BrokerMessage::Pong => {
                ensure!(ids.contains(&received.correlation_id), "{received:?}");
                pongs += 1;
            }
            BrokerMessage::Error(ErrorType::Block) => {
                ensure!(received.correlation_id.is_empty() && received.entity_id.is_empty(), "{received:?}");
                blocked += 1;
            }
            other => anyhow::bail!("{other:?}"),
        }
    }
    ensure!((blocked, pongs) == (1, 2), "{blocked} refused, {pongs} answered");
    client.expect_quiet().await
}
