//! Two connected sides and any number of queues, stepped in any order: with crashes, repetitions and old copies.

use super::super::{
    Connection, Content, CreatedQueue, Deferred, Effects, Errand, OldQueue, Opened, Origin, Outgoing, Place,
    ReceiveQueue, Received,
};
use super::pair::{config, relay};
use super::{CASES, connected};
use crate::config::AgentConfig;
use crate::event::{Event, Integrity, MessageTimes};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use smp_crypto::DhSecret;
use smp_protocol::agent::{AMessage, AgentMessage, QueueMode};
use smp_protocol::encoding::from_bytes;
use smp_protocol::id::{RecipientId, SenderId};
use std::collections::{HashSet, VecDeque};

/// One of how many actions dies before its result is stored, or after that and before the relay knows.
const CRASHES: u32 = 4;

/// A queue at a relay.
struct Queue {
    /// The index of the side that receives.
    owner: usize,
    recipient_id: RecipientId,
    sender_id: SenderId,
    /// The sender's key, in DER.
    sender: Option<Vec<u8>>,
    bodies: VecDeque<Vec<u8>>,
    suspended: bool,
}

/// A side, with what its database has.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) connection: Connection,
    config: AgentConfig,
    outgoing: VecDeque<Outgoing>,
    deferred: Vec<Deferred>,
    pub(super) events: Vec<Event>,
    seen: HashSet<[u8; 32]>,
}

pub(super) struct World {
    pub(super) sides: [Peer; 2],
    queues: Vec<Queue>,
    rng: StdRng,
    /// The last number that each side's application has sent.
    pub(super) sent: [u32; 2],
    /// Messages of the agents to each other that are not of applications.
    pub(super) said: Vec<(usize, AMessage<'static>)>,
}

impl Peer {
    fn take(&mut self, effects: Effects) {
        self.outgoing.extend(effects.outgoing);
        self.deferred.extend(effects.deferred);
        self.events.extend(effects.events);
    }

    /// The state after a crash.
    fn restart(&mut self) {
        let Connection { id, skipped, .. } = &self.connection;
        let state = self.connection.state_bytes().unwrap();
        let position = self.connection.position_bytes().unwrap();
        let (mut restarted, _) = Connection::from_stored(*id, &state, &position).unwrap();
        restarted.skipped = skipped.clone();
        self.connection = restarted;
    }

    /// Numbers of messages that came, in their order.
    pub(super) fn received(&self) -> Vec<u32> {
        let number = |event: &Event| match event {
            Event::Message { body, .. } => Some(u32::from_be_bytes(body[..].try_into().unwrap())),
            _ => None,
        };
        self.events.iter().filter_map(number).collect()
    }

    /// Events that should not happen.
    pub(super) fn trouble(&self) -> Vec<&Event> {
        let wrong = |event: &&Event| match event {
            Event::Message { integrity, .. } => *integrity != Integrity::Ok,
            event => matches!(event, Event::ReceiveFailed { .. } | Event::ConnectionFailed { .. }),
        };
        self.events.iter().filter(wrong).collect()
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        // Post-quantum keys take long to make.
        let name = if seed % 8 == 1 { "fast" } else { "no post-quantum keys" };
        let pair = connected(CASES.iter().find(|case| case.name == name).unwrap());
        let connections = [pair.alice.connection, pair.bob.connection];
        let queues = (0..2).map(|owner| {
            let created = connections[owner].receive.as_ref().unwrap().created.clone().unwrap();
            let sender = connections[1 - owner].send.as_ref().unwrap().sender_key.public_key().to_der();
            Queue {
                owner,
                recipient_id: created.recipient_id,
                sender_id: created.sender_id,
                sender: Some(sender),
                bodies: VecDeque::new(),
                suspended: false,
            }
        });
        let queues = queues.collect();
        let sides = connections.map(|connection| Peer {
            connection,
            config: AgentConfig { pq: seed % 8 == 1, ..config() },
            outgoing: VecDeque::new(),
            deferred: Vec::new(),
            events: Vec::new(),
            seen: HashSet::new(),
        });
        Self { sides, queues, rng: StdRng::seed_from_u64(seed), sent: [0; 2], said: Vec::new() }
    }

    fn queue(&mut self, sender_id: &SenderId) -> &mut Queue {
        self.queues.iter_mut().find(|queue| queue.sender_id == *sender_id).expect("the queue is there")
    }

    pub(super) fn chance(&mut self, of: u32) -> bool {
        self.rng.random_range(0..of) == 0
    }

    /// One action of one side, any of those that are possible.
    pub(super) fn act(&mut self) {
        let side = self.rng.random_range(0..2);
        match self.rng.random_range(0..10) {
            9 => {
                self.release(side);
            }
            8 => self.sides[side].restart(),
            0 => {
                self.send(side);
            }
            1..=3 => {
                self.deliver(side, CRASHES);
            }
            4..=6 => {
                let queues = self.receiving(side);
                let queue = queues[self.rng.random_range(0..queues.len())].clone();
                self.receive(side, &queue, CRASHES);
            }
            _ => {
                self.errand(side, CRASHES);
            }
        }
    }

    /// Until nothing happens any more, without further crashes.
    pub(super) fn settle(&mut self) {
        loop {
            let mut moved = false;
            for side in 0..2 {
                moved |= self.errand(side, u32::MAX);
                moved |= self.release(side);
                moved |= self.deliver(side, u32::MAX);
                for queue in self.receiving(side) {
                    moved |= self.receive(side, &queue, u32::MAX);
                }
            }
            if !moved {
                break;
            }
        }
    }

    /// The application sends the next number, if it may.
    pub(super) fn send(&mut self, side: usize) -> bool {
        let number = self.sent[side] + 1;
        let peer = &mut self.sides[side];
        let mut effects = Effects::default();
        let sent = peer.connection.send_message(&number.to_be_bytes(), None, &peer.config, &mut effects);
        if sent.is_ok() {
            self.sent[side] = number;
            peer.take(effects);
        }
        sent.is_ok()
    }

    /// Encrypts some of what waits for that.
    fn release(&mut self, side: usize) -> bool {
        let count = self.rng.random_range(1..4);
        let Peer { connection, config, deferred, .. } = &mut self.sides[side];
        if !connection.releases() {
            return false;
        }
        let oldest: Vec<_> = deferred.drain(..count.min(deferred.len())).collect();
        let mut effects = Effects::default();
        connection.release(&oldest, config, &mut effects).unwrap();
        self.commit(side, effects);
        true
    }

    /// SEND of what waits longest.
    fn deliver(&mut self, side: usize, crashes: u32) -> bool {
        let Some(outgoing) = self.sides[side].outgoing.front().cloned() else { return false };
        let target = self.sides[side].connection.send_queue().unwrap().clone();
        let body = outgoing.content.body(&[], &target, &mut self.rng).unwrap();
        let queue = self.queue(&target.sender_id);
        if queue.suspended {
            return false;
        }
        let key = target.sender_key.public_key().to_der();
        assert_eq!(queue.sender, Some(key), "{:?} is refused", outgoing.kind);
        queue.bodies.push_back(body);
        if !self.chance(crashes) {
            self.log(side, &outgoing);
            let peer = &mut self.sides[side];
            peer.outgoing.pop_front();
            let mut effects = Effects::default();
            peer.connection.delivered(&outgoing, &mut effects);
            peer.take(effects);
        }
        true
    }

    fn log(&mut self, side: usize, outgoing: &Outgoing) {
        let Content::Message { plaintext, .. } = &outgoing.content else { return };
        match from_bytes(plaintext).unwrap() {
            AgentMessage::Message { message: AMessage::Message(_), .. } => {}
            AgentMessage::Message { message, .. } => self.said.push((side, message.into_owned())),
            other => panic!("{other:?}"),
        }
    }

    fn receiving(&self, side: usize) -> Vec<RecipientId> {
        let queues = self.sides[side].connection.receive_queues();
        queues.map(|(_, created)| created.recipient_id.clone()).collect()
    }

    /// The oldest body of a queue.
    fn receive(&mut self, side: usize, id: &RecipientId, crashes: u32) -> bool {
        let Some(queue) = self.queues.iter().position(|queue| queue.recipient_id == *id) else {
            return false;
        };
        let Some(body) = self.queues[queue].bodies.front().cloned() else { return false };
        let Some((place, _)) = self.sides[side].connection.receive_queue(id) else { return false };
        let old_queue = if self.is_empty(side) { OldQueue::Empty } else { OldQueue::Unknown };
        let origin = Origin { place, old_queue };
        let peer = &mut self.sides[side];
        let mut effects = Effects::default();
        let times = MessageTimes { relay: 1, received: 2 };
        let received = match peer.connection.open(place, &body) {
            Ok(Opened::Message(message)) if peer.seen.contains(&message.hash()) => {
                peer.connection.repeated(origin, &mut effects);
                Received::Taken
            }
            Ok(opened) => {
                let hash = match &opened {
                    Opened::Message(message) => Some(message.hash()),
                    _ => None,
                };
                let config = peer.config.clone();
                let received =
                    peer.connection.receive(opened, origin, times, &config, &mut self.rng, &mut effects);
                if received != Ok(Received::Early) {
                    peer.seen.extend(hash);
                }
                received.unwrap_or_else(|unreadable| {
                    peer.connection.receive_failed(unreadable, &config, &mut self.rng, &mut effects);
                    Received::Taken
                })
            }
            Err(error) => {
                let config = peer.config.clone();
                peer.connection.receive_failed(error, &config, &mut self.rng, &mut effects);
                Received::Taken
            }
        };
        if received == Received::Early {
            return false;
        }
        self.commit(side, effects);
        if !self.chance(crashes)
            && let Some(queue) = self.queues.iter_mut().find(|queue| queue.recipient_id == *id)
        {
            queue.bodies.pop_front();
        }
        true
    }

    /// Whether the queue that a side is about to leave is empty.
    fn is_empty(&self, side: usize) -> bool {
        let current = self.sides[side].connection.receive.as_ref().unwrap().created.as_ref().unwrap();
        let queue = self.queues.iter().find(|queue| queue.sender_id == current.sender_id);
        queue.is_none_or(|queue| queue.bodies.is_empty())
    }

    /// Also deletes queues, which a relay does whenever it is asked.
    fn commit(&mut self, side: usize, mut effects: Effects) {
        for deleted in std::mem::take(&mut effects.deleted) {
            let id = deleted.created.unwrap().recipient_id;
            let gone = self.queues.iter().position(|queue| queue.recipient_id == id).unwrap();
            assert_eq!(self.queues.remove(gone).owner, side);
        }
        self.sides[side].take(effects);
    }

    fn errand(&mut self, side: usize, crashes: u32) -> bool {
        let Some(errand) = self.sides[side].connection.errand() else { return false };
        let moving = self.sides[side].connection.moving.receive.as_ref();
        let created = moving.and_then(|moving| moving.queue.created.clone());
        let key = moving.and_then(|moving| moving.queue.sender_key.as_ref()).map(|key| key.to_der());
        let new = CreatedQueue {
            recipient_id: RecipientId::generate(&mut self.rng),
            sender_id: SenderId::generate(&mut self.rng),
            link_id: None,
            mode: Some(QueueMode::Messaging),
            relay_secret: DhSecret::from_bytes([1; 32]),
        };
        match errand {
            Errand::CreateReplacement => self.queues.push(Queue {
                owner: side,
                recipient_id: new.recipient_id.clone(),
                sender_id: new.sender_id.clone(),
                sender: None,
                bodies: VecDeque::new(),
                suspended: false,
            }),
            Errand::SecureReplacement => {
                let queue = self.queue(&created.unwrap().sender_id);
                assert!(queue.sender.is_none() || queue.sender == key, "another key");
                queue.sender = key;
            }
            Errand::Suspend => {
                assert!(self.sides[side].connection.suspension_asked());
                let own = self.sides[side].connection.receive.as_ref().unwrap();
                let id = own.created.as_ref().unwrap().sender_id.clone();
                self.queue(&id).suspended = true;
            }
            Errand::Drain => {
                let old = self.sides[side].connection.moving.draining.as_ref().unwrap();
                let id = old.created.as_ref().unwrap().sender_id.clone();
                if !self.queue(&id).bodies.is_empty() {
                    return false;
                }
            }
        }
        if !self.chance(crashes) {
            let mut effects = Effects::default();
            let Peer { connection, config, .. } = &mut self.sides[side];
            match errand {
                Errand::CreateReplacement => {
                    let queue = connection.queue_at(Place::Replacement).unwrap().clone();
                    let made = ReceiveQueue { created: Some(new), ..queue };
                    connection.replacement_created(made, config, &mut effects).unwrap();
                }
                Errand::SecureReplacement => {
                    connection.replacement_secured(config, &mut effects).unwrap();
                }
                Errand::Drain => connection.drained(&mut effects),
                Errand::Suspend => connection.suspension_answered(false, &mut effects),
            }
            self.commit(side, effects);
        }
        true
    }

    pub(super) fn rotate(&mut self, side: usize) -> bool {
        let mut effects = Effects::default();
        let Peer { connection, config, .. } = &mut self.sides[side];
        let begun = connection.rotate(&relay(3), config, &mut self.rng, &mut effects).is_ok();
        self.commit(side, effects);
        begun
    }

    /// The application wants post-quantum keys, or does not.
    pub(super) fn switch(&mut self, side: usize, wanted: bool) {
        let Peer { connection, config, .. } = &mut self.sides[side];
        connection.set_post_quantum(wanted, config).unwrap();
    }

    pub(super) fn abort(&mut self, side: usize) -> bool {
        let mut effects = Effects::default();
        let aborted = self.sides[side].connection.abort_rotation(&mut effects).is_ok();
        self.commit(side, effects);
        aborted
    }

    pub(super) fn resynchronize(&mut self, side: usize, force: bool) -> bool {
        let mut effects = Effects::default();
        let Peer { connection, config, .. } = &mut self.sides[side];
        let begun = connection.resynchronize(force, config, &mut self.rng, &mut effects).is_ok();
        self.commit(side, effects);
        begun
    }

    /// That everything arrived, once and in order.
    pub(super) fn check(&self) {
        for (side, peer) in self.sides.iter().enumerate() {
            assert_eq!(peer.received(), (1..=self.sent[1 - side]).collect::<Vec<_>>());
            assert_eq!(peer.trouble(), Vec::<&Event>::new());
        }
    }
}

/// A queue that nobody uses stays behind where NEW was repeated; each side uses one.
pub(super) fn places(connection: &Connection) -> Vec<Place> {
    let queues = connection.receive_queues();
    queues.filter_map(|(_, created)| Some(connection.receive_queue(&created.recipient_id)?.0)).collect()
}

/// How many random histories to try: more of them if `SMP_TEST_HISTORIES` says so.
pub(super) fn seeds(usual: u64) -> u64 {
    std::env::var("SMP_TEST_HISTORIES").ok().and_then(|histories| histories.parse().ok()).unwrap_or(usual)
}
