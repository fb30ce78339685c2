//! Alice, Bob and what lies between them, stepped by hand.

use super::super::confirmation::Confirmation;
use super::super::{
    Command, Connection, CreatedQueue, Effects, JoinLink, LinkFetch, LinkOffer, OldQueue, Opened, Origin,
    Outgoing, Phase, Place, ReceiveQueue, SendQueue, State,
};
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::event::{Event, MessageTimes};
use crate::id::ConnectionId;
use smp_crypto::DhSecret;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::QueueMode;
use smp_protocol::command::LinkData;
use smp_protocol::id::{LinkId, RecipientId, SenderId};
use smp_protocol::link::UserData;
use std::collections::{HashSet, VecDeque};

/// Repetitions of the same thing before the other side gets to see what it was.
const REPETITIONS: usize = 3;

pub(super) fn config() -> AgentConfig {
    AgentConfig::new("unused", vec![relay(1)])
}

pub(super) fn relay(number: u8) -> RelayAddress {
    let fingerprint = [number; 32];
    RelayAddress {
        fingerprint,
        hosts: smp_protocol::encoding::NonEmpty::one("relay.example".parse().unwrap()),
        port: None,
        password: None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Alice,
    Bob,
}

/// A queue at a relay.
struct Relay {
    modes: bool,
    /// The sender's key, in DER.
    sender: Option<Vec<u8>>,
    bodies: VecDeque<Vec<u8>>,
}

pub(super) struct Peer {
    pub(super) connection: Connection,
    config: AgentConfig,
    outgoing: VecDeque<Outgoing>,
    events: Vec<Event>,
    seen: HashSet<[u8; 32]>,
}

pub(super) struct Pair {
    pub(super) alice: Peer,
    pub(super) bob: Peer,
    /// The queues in which Alice and Bob receive.
    queues: [Relay; 2],
    /// Whether Alice's application accepts.
    pub(super) accept: bool,
    /// Whether everything is repeated, and restarted in between.
    pub(super) lossy: bool,
    /// Link data that Alice's relay has under her short link.
    stored: Option<LinkData<'static>>,
}

impl Peer {
    fn new(mut connection: Connection, config: AgentConfig) -> Self {
        connection.id = ConnectionId::new(1);
        Self { connection, config, outgoing: VecDeque::new(), events: Vec::new(), seen: HashSet::new() }
    }

    pub(super) fn phase(&self) -> Phase {
        self.connection.phase
    }

    fn take(&mut self, effects: Effects) {
        self.outgoing.extend(effects.outgoing);
        self.events.extend(effects.events);
    }

    /// The peer after a restart: only the state that the database keeps.
    fn restart(&mut self) {
        let Connection { id, skipped, .. } = &self.connection;
        let (state, position) =
            (self.connection.state_bytes().unwrap(), self.connection.position_bytes().unwrap());
        let (mut restarted, count) = Connection::from_stored(*id, &state, &position).unwrap();
        assert_eq!(count, skipped.as_slice().len());
        restarted.skipped = skipped.clone();
        self.connection = restarted;
    }

    fn created(&mut self, modes: bool) {
        self.created_with(modes, None);
    }

    fn created_with(&mut self, modes: bool, offer: Option<&LinkOffer>) {
        let created = CreatedQueue {
            recipient_id: RecipientId::generate(&mut rand::rng()),
            sender_id: offer
                .map_or_else(|| SenderId::generate(&mut rand::rng()), |offer| offer.sender_id.clone()),
            link_id: offer.map(|_| LinkId::generate(&mut rand::rng())),
            mode: modes.then_some(QueueMode::Messaging),
            relay_secret: DhSecret::from_bytes([1; 32]),
        };
        let mut effects = Effects::default();
        self.connection.queue_created(created, &self.config, &mut rand::rng(), &mut effects).unwrap();
        self.take(effects);
    }

    fn receive(&mut self, body: &[u8]) {
        let mut effects = Effects::default();
        match self.connection.open(Place::Current, body) {
            Ok(Opened::Message(message)) if !self.seen.insert(message.hash()) => {}
            Ok(opened) => {
                let times = MessageTimes { relay: 1, received: 2 };
                let received = self.connection.receive(
                    opened,
                    Origin { place: Place::Current, old_queue: OldQueue::Unknown },
                    times,
                    &self.config,
                    &mut rand::rng(),
                    &mut effects,
                );
                if let Err(unreadable) = received {
                    let rng = &mut rand::rng();
                    self.connection.receive_failed(unreadable, &self.config, rng, &mut effects);
                }
            }
            Err(error) => {
                self.connection.receive_failed(error, &self.config, &mut rand::rng(), &mut effects);
            }
        }
        self.take(effects);
    }
}

impl Pair {
    /// Bob has the full link.
    pub(super) fn new(configs: [AgentConfig; 2], modes: [bool; 2]) -> Self {
        Self::with(configs, modes, false, false)
    }

    /// Whether Alice makes a short link, and whether Bob gets it.
    pub(super) fn with(configs: [AgentConfig; 2], modes: [bool; 2], short: bool, joined: bool) -> Self {
        let [alice_config, bob_config] = configs;
        let rng = &mut rand::rng();
        let mut alice = Peer::new(Connection::invite(&alice_config, &relay(1), short, rng), alice_config);
        let shown = short.then(UserData::default);
        let offer = shown.map(|shown| {
            alice.connection.offer_short_link(shown, &alice.config, rng).unwrap().expect("it fits")
        });
        alice.created_with(modes[0], offer.as_ref());
        let stored = offer.as_ref().map(|offer| offer.data.clone());
        offer.into_iter().for_each(|offer| alice.connection.offer_stored(offer));
        let State { link, short_link, .. } = &*alice.connection;
        let link = if joined { short_link } else { link };
        let joined = match JoinLink::read(link.as_ref().unwrap(), &bob_config).unwrap() {
            JoinLink::Full(invitation) => {
                Connection::join(*invitation, b"bob", &relay(2), &bob_config, rng).unwrap()
            }
            JoinLink::Contact(_) => panic!("a contact address"),
            JoinLink::Short(link) => {
                let fetch = LinkFetch::new(link, &bob_config.relays, rng).unwrap();
                Connection::join_short(fetch, b"bob", &relay(2), &bob_config, rng)
            }
        };
        let queues = modes.map(|modes| Relay { modes, sender: None, bodies: VecDeque::new() });
        Self { alice, bob: Peer::new(joined, bob_config), queues, accept: true, lossy: false, stored }
    }

    fn peer(&mut self, side: Side) -> &mut Peer {
        match side {
            Side::Alice => &mut self.alice,
            Side::Bob => &mut self.bob,
        }
    }

    /// Until nothing happens any more.
    pub(super) fn run(&mut self) {
        while self.step(Side::Alice) | self.step(Side::Bob) {}
    }

    /// Bob's confirmation, on its way to Alice.
    pub(super) fn confirmation(&mut self) -> Confirmation {
        while self.queues[0].bodies.is_empty() {
            assert!(self.step(Side::Bob));
        }
        match self.alice.connection.open(Place::Current, &self.queues[0].bodies[0]) {
            Ok(Opened::Confirmation(confirmation)) => *confirmation,
            _ => panic!("no confirmation"),
        }
    }

    fn step(&mut self, side: Side) -> bool {
        if side == Side::Alice && self.accept && self.alice.phase() == Phase::Confirmed {
            let mut effects = Effects::default();
            let config = self.alice.config.clone();
            self.alice.connection.accept(b"alice", &config, &mut rand::rng(), &mut effects).unwrap();
            self.alice.take(effects);
            return true;
        }
        if let Some(command) = self.peer(side).connection.command() {
            self.command(side, command);
            return true;
        }
        if self.send_next(side) {
            return true;
        }
        let Some(body) = self.queues[side as usize].bodies.pop_front() else { return false };
        for _ in 0..self.repetitions() {
            self.peer(side).receive(&body);
            self.peer(side).restart();
        }
        true
    }

    fn repetitions(&self) -> usize {
        if self.lossy { REPETITIONS } else { 1 }
    }

    fn command(&mut self, side: Side, command: Command) {
        let (own, other) = (side as usize, 1 - side as usize);
        for _ in 0..self.repetitions() {
            let peer = self.peer(side);
            let ReceiveQueue { sender_key, .. } = peer.connection.receive.as_ref().unwrap();
            let theirs = sender_key.as_ref().map(smp_crypto::PublicAuthKey::to_der);
            let ours = peer.connection.send.as_ref().map(key);
            let fetch = peer.connection.link_fetch.as_ref();
            let fetching = fetch.map(|fetch| fetch.sender_key.public_key().to_der());
            match command {
                Command::FetchLink => secure(&mut self.queues[other], fetching.unwrap()),
                Command::CreateQueue => {}
                Command::SecureOwn => secure(&mut self.queues[own], theirs.unwrap()),
                Command::SecurePeer => secure(&mut self.queues[other], ours.unwrap()),
            }
            self.peer(side).restart();
        }
        let modes = self.queues[own].modes;
        let stored = self.stored.clone();
        let created = self.alice.connection.receive.as_ref().unwrap().created.as_ref();
        let sender_id = created.unwrap().sender_id.clone();
        let peer = self.peer(side);
        let (config, mut effects) = (peer.config.clone(), Effects::default());
        match command {
            Command::FetchLink => {
                let (connection, data) = (&mut peer.connection, stored.unwrap());
                connection.link_fetched(&sender_id, &data, &config, &mut rand::rng(), &mut effects).unwrap();
            }
            Command::CreateQueue => peer.created(modes),
            Command::SecureOwn => {
                peer.connection.own_queue_secured(&config, &mut rand::rng(), &mut effects).unwrap();
            }
            Command::SecurePeer => {
                peer.connection.peer_queue_secured(&config, &mut rand::rng(), &mut effects).unwrap();
            }
        }
        peer.take(effects);
    }

    fn send_next(&mut self, side: Side) -> bool {
        let other = 1 - side as usize;
        let Some(outgoing) = self.peer(side).outgoing.pop_front() else { return false };
        let own_key = key(self.peer(side).connection.send.as_ref().unwrap());
        let queue = self.peer(side).connection.send.as_ref().unwrap();
        let body = outgoing.content.body(&[], queue, &mut rand::rng()).unwrap();
        for _ in 0..self.repetitions() {
            let queue = &mut self.queues[other];
            // As the worker does: unauthorized first, then with the key in case the queue was secured since.
            assert!(match (&queue.sender, outgoing.authorized) {
                (None, authorized) => !authorized,
                (Some(sender), _) => *sender == own_key,
            });
            queue.bodies.push_back(body.clone());
            if self.lossy {
                // The recipient goes on before the sender gets its answer.
                let body = self.queues[other].bodies.pop_front().unwrap();
                let recipient = if side == Side::Alice { Side::Bob } else { Side::Alice };
                self.peer(recipient).receive(&body);
                while let Some(Command::SecureOwn) = self.peer(recipient).connection.command() {
                    self.command(recipient, Command::SecureOwn);
                }
                self.peer(recipient).restart();
                self.peer(side).restart();
            }
        }
        let mut effects = Effects::default();
        let peer = self.peer(side);
        peer.connection.delivered(&outgoing, &mut effects);
        peer.take(effects);
        true
    }

    pub(super) fn send(&mut self, side: Side, body: &[u8]) {
        self.try_send(side, body).unwrap();
    }

    fn try_send(&mut self, side: Side, body: &[u8]) -> Result<(), AgentError> {
        let peer = self.peer(side);
        let (config, mut effects) = (peer.config.clone(), Effects::default());
        peer.connection.send_message(body, None, &config, &mut effects)?;
        peer.take(effects);
        Ok(())
    }

    /// How long a message may be.
    pub(super) fn limit(&mut self, side: Side) -> usize {
        match self.try_send(side, &[0; 16_000]) {
            Err(AgentError::TooLarge { limit, .. }) => limit,
            other => panic!("{other:?}"),
        }
    }

    /// Loses what a side is about to send.
    pub(super) fn lose(&mut self, side: Side) {
        self.peer(side).outgoing.clear();
    }

    pub(super) fn lose_next(&mut self, side: Side, body: &[u8]) {
        self.send(side, body);
        self.lose(side);
    }

    pub(super) fn events(&self, side: Side) -> impl Iterator<Item = &Event> {
        match side {
            Side::Alice => self.alice.events.iter(),
            Side::Bob => self.bob.events.iter(),
        }
    }

    pub(super) fn messages(&self, side: Side) -> Vec<Vec<u8>> {
        self.events(side)
            .filter_map(|event| match event {
                Event::Message { body, .. } => Some(body.clone()),
                _ => None,
            })
            .collect()
    }

    /// Events that should not have happened.
    pub(super) fn trouble(&self) -> Vec<Event> {
        let wrong = |event: &&Event| match event {
            Event::Message { integrity, .. } => *integrity != crate::event::Integrity::Ok,
            event => matches!(event, Event::ReceiveFailed { .. } | Event::ConnectionFailed { .. }),
        };
        self.events(Side::Alice).chain(self.events(Side::Bob)).filter(wrong).cloned().collect()
    }
}

fn secure(queue: &mut Relay, key: Vec<u8>) {
    assert!(queue.sender.as_ref().is_none_or(|sender| *sender == key), "another key");
    queue.sender = Some(key);
}

fn key(queue: &SendQueue) -> Vec<u8> {
    queue.sender_key.public_key().to_der()
}
