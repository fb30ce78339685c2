//! A town: the owner of a contact address, people who ask, and relays that lose and repeat things between them.

use super::super::pair::{config, relay};
use crate::config::AgentConfig;
use crate::connection::{
    Command, Connection, CreatedQueue, Effects, JoinLink, LinkFetch, OldQueue, Opened, Origin, Outgoing,
    OutgoingKind, Phase, Place, State,
};
use crate::event::{Event, Integrity, MessageTimes};
use crate::id::ConnectionId;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use smp_crypto::DhSecret;
use smp_protocol::agent::QueueMode;
use smp_protocol::command::LinkData;
use smp_protocol::id::{RecipientId, SenderId};
use smp_protocol::link::{ShortLink, UserData};
use std::collections::{HashSet, VecDeque};

/// Shown by the address's owner.
pub(super) const SHOWN: &[u8] = b"owner, shown";
/// The index of the address among all connections.
pub(super) const ADDRESS: usize = 0;
/// More steps than any history needs.
pub(super) const MANY: usize = 20_000;

/// A queue at a relay.
pub(super) struct Queue {
    pub(super) sender_id: SenderId,
    pub(super) recipient: usize,
    /// The sender's key, in DER.
    pub(super) sender: Option<Vec<u8>>,
    pub(super) bodies: VecDeque<Vec<u8>>,
}

/// One connection of anybody, as its agent stores it.
pub(super) struct Peer {
    pub(super) connection: Connection,
    pub(super) config: AgentConfig,
    /// Whether its relay knows queue modes.
    pub(super) modes: bool,
    pub(super) outgoing: VecDeque<Outgoing>,
    pub(super) events: Vec<Event>,
    pub(super) seen: HashSet<[u8; 32]>,
}

/// The owner of an address, those who ask, and what lies between them.
pub(super) struct Town {
    pub(super) peers: Vec<Peer>,
    pub(super) queues: Vec<Queue>,
    /// Link data that the address's relay has under the short link.
    pub(super) stored: Option<LinkData<'static>>,
    pub(super) rng: StdRng,
    /// How often, of 100 times, something is lost.
    pub(super) losses: u32,
}

/// How everybody is configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) short: bool,
    pub(super) pq: [bool; 2],
    /// Whether the relays of the address, of those who ask, and of the owner's connections know queue modes.
    pub(super) modes: [bool; 3],
}

pub(super) const CASES: [Case; 8] = [
    Case { short: false, pq: [true, true], modes: [true, true, true] },
    Case { short: true, pq: [true, true], modes: [true, true, true] },
    Case { short: true, pq: [false, true], modes: [true, true, true] },
    Case { short: false, pq: [true, false], modes: [true, true, false] },
    Case { short: false, pq: [false, false], modes: [false, false, false] },
    Case { short: false, pq: [true, true], modes: [false, true, true] },
    Case { short: true, pq: [true, true], modes: [true, false, true] },
    Case { short: true, pq: [false, false], modes: [true, false, false] },
];

impl Peer {
    pub(super) fn new(connection: Connection, config: AgentConfig, modes: bool) -> Self {
        let (outgoing, events, seen) = Default::default();
        Self { connection, config, modes, outgoing, events, seen }
    }

    /// The same after a restart.
    pub(super) fn restart(&mut self) {
        let Connection { id, skipped, .. } = &self.connection;
        let (state, position) =
            (self.connection.state_bytes().unwrap(), self.connection.position_bytes().unwrap());
        let (mut restarted, _) = Connection::from_stored(*id, &state, &position).unwrap();
        restarted.skipped = skipped.clone();
        self.connection = restarted;
    }
}

impl Town {
    pub(super) fn new(case: Case, people: usize, losses: u32, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut configs = [config(), config()];
        configs[0].pq = case.pq[0];
        configs[1].pq = case.pq[1];
        let address = Connection::contact_address(&configs[0], &relay(1), None, &mut rng);
        let mut town = Self {
            peers: vec![Peer::new(address, configs[0].clone(), case.modes[0])],
            queues: Vec::new(),
            stored: None,
            rng,
            losses,
        };
        town.make_address(case.short);
        for person in 0..people {
            let (link, rng) = (town.link(case.short), &mut town.rng);
            let info = format!("person {person}").into_bytes();
            let asking = match JoinLink::read(&link, &configs[1]).unwrap() {
                JoinLink::Contact(contact) => Connection::ask(contact, &info, &relay(2), &configs[1], rng),
                JoinLink::Short(link @ ShortLink::Contact(_)) => {
                    let fetch = LinkFetch::new(link, &configs[1].relays, rng).unwrap();
                    Connection::join_short(fetch, &info, &relay(2), &configs[1], rng)
                }
                _ => panic!("no contact address: {link}"),
            };
            town.add(Peer::new(asking, configs[1].clone(), case.modes[1]));
        }
        // Connections that requests become are on the owner's other relays.
        town.peers[ADDRESS].modes = case.modes[2];
        town
    }

    pub(super) fn add(&mut self, mut peer: Peer) -> usize {
        peer.connection.id = ConnectionId::new(self.peers.len() as i64);
        self.peers.push(peer);
        self.peers.len() - 1
    }

    pub(super) fn make_address(&mut self, short: bool) {
        let Peer { connection, config, modes, .. } = &mut self.peers[ADDRESS];
        let shown = UserData::new(SHOWN).unwrap();
        let offer =
            short.then(|| connection.offer_short_link(shown, config, &mut self.rng).unwrap().unwrap());
        let created = CreatedQueue {
            recipient_id: RecipientId::generate(&mut self.rng),
            sender_id: match &offer {
                Some(offer) => offer.sender_id.clone(),
                None => SenderId::generate(&mut self.rng),
            },
            link_id: offer.as_ref().and_then(|offer| offer.link_id.clone()),
            mode: modes.then_some(QueueMode::Contact),
            relay_secret: DhSecret::from_bytes([1; 32]),
        };
        assert!(connection.is_unfinished_invitation());
        let sender_id = created.sender_id.clone();
        let mut effects = Effects::default();
        connection.queue_created(created, config, &mut self.rng, &mut effects).unwrap();
        self.stored = offer.as_ref().map(|offer| offer.data.clone());
        offer.into_iter().for_each(|offer| connection.offer_stored(offer));
        assert_eq!((connection.phase, connection.command()), (Phase::Listening, None));
        assert!(!connection.is_unfinished_invitation());
        self.queues.push(Queue { sender_id, recipient: ADDRESS, sender: None, bodies: VecDeque::new() });
    }

    pub(super) fn link(&self, short: bool) -> String {
        let State { link, short_link, .. } = &*self.peers[ADDRESS].connection;
        if short { short_link.clone().unwrap() } else { link.clone().unwrap() }
    }

    pub(super) fn lost(&mut self) -> bool {
        self.losses > 0 && self.rng.random_range(0..100) < self.losses
    }

    pub(super) fn queue(&mut self, sender_id: &SenderId) -> &mut Queue {
        self.queues.iter_mut().find(|queue| queue.sender_id == *sender_id).unwrap()
    }

    /// Does something for one of them. False if there is nothing to do.
    pub(super) fn step(&mut self, peer: usize) -> bool {
        let acted = self.command(peer) || self.send_next(peer) || self.receive(peer);
        if self.lost() {
            self.peers[peer].restart();
        }
        acted
    }

    pub(super) fn command(&mut self, peer: usize) -> bool {
        let Some(command) = self.peers[peer].connection.command() else { return false };
        let State { receive, send, .. } = &*self.peers[peer].connection;
        let own = receive.as_ref().and_then(|queue| queue.created.clone());
        let theirs = receive.as_ref().and_then(|queue| queue.sender_key).map(|key| key.to_der());
        let secured =
            send.as_ref().map(|queue| (queue.sender_id.clone(), queue.sender_key.public_key().to_der()));
        let new = CreatedQueue {
            recipient_id: RecipientId::generate(&mut self.rng),
            sender_id: SenderId::generate(&mut self.rng),
            link_id: None,
            mode: self.peers[peer].modes.then_some(QueueMode::Messaging),
            relay_secret: DhSecret::from_bytes([1; 32]),
        };
        match command {
            Command::FetchLink => {}
            Command::CreateQueue => self.queues.push(Queue {
                sender_id: new.sender_id.clone(),
                recipient: peer,
                sender: None,
                bodies: VecDeque::new(),
            }),
            Command::SecureOwn => self.secure(&own.unwrap().sender_id, theirs.unwrap()),
            Command::SecurePeer => {
                let (queue, key) = secured.unwrap();
                self.secure(&queue, key);
            }
        }
        if self.lost() {
            return true;
        }
        let address = self.queues[0].sender_id.clone();
        let Peer { connection, config, .. } = &mut self.peers[peer];
        let (rng, mut effects) = (&mut self.rng, Effects::default());
        match command {
            Command::FetchLink => {
                let data = self.stored.as_ref().unwrap();
                connection.link_fetched(&address, data, config, rng, &mut effects)
            }
            Command::CreateQueue => connection.queue_created(new, config, rng, &mut effects),
            Command::SecureOwn => connection.own_queue_secured(config, rng, &mut effects),
            Command::SecurePeer => connection.peer_queue_secured(config, rng, &mut effects),
        }
        .unwrap();
        self.commit(peer, effects);
        true
    }

    pub(super) fn secure(&mut self, queue: &SenderId, key: Vec<u8>) {
        let queue = self.queue(queue);
        assert_ne!(queue.recipient, ADDRESS, "nobody secures the queue of an address");
        assert!(queue.sender.as_ref().is_none_or(|sender| *sender == key), "another key");
        queue.sender = Some(key);
    }

    pub(super) fn send_next(&mut self, peer: usize) -> bool {
        let Some(outgoing) = self.peers[peer].outgoing.front().cloned() else { return false };
        let to = self.peers[peer].connection.send_queue().unwrap().clone();
        let body = outgoing.content.body(&[], &to, &mut self.rng).unwrap();
        let key = to.sender_key.public_key().to_der();
        let queue = self.queue(&to.sender_id);
        assert_eq!(outgoing.kind == OutgoingKind::Request, queue.recipient == ADDRESS);
        // As the worker does: unauthorized first, then with the key in case the queue was secured since.
        assert!(match (&queue.sender, outgoing.authorized) {
            (None, authorized) => !authorized,
            (Some(sender), _) => *sender == key,
        });
        queue.bodies.push_back(body);
        if !self.lost() {
            self.peers[peer].outgoing.pop_front();
            let mut effects = Effects::default();
            self.peers[peer].connection.delivered(&outgoing, &mut effects);
            self.commit(peer, effects);
        }
        true
    }

    pub(super) fn receive(&mut self, peer: usize) -> bool {
        let waiting = |queue: &&mut Queue| queue.recipient == peer && !queue.bodies.is_empty();
        let Some(queue) = self.queues.iter_mut().find(waiting) else { return false };
        let (id, body) = (queue.sender_id.clone(), queue.bodies[0].clone());
        let Peer { connection, config, seen, .. } = &mut self.peers[peer];
        let mut effects = Effects::default();
        let origin = Origin { place: Place::Current, old_queue: OldQueue::Unknown };
        let times = MessageTimes { relay: 1, received: 2 };
        match connection.open(Place::Current, &body) {
            Ok(Opened::Message(message)) if !seen.insert(message.hash()) => {}
            Ok(opened) => {
                let rng = &mut self.rng;
                let received = connection.receive(opened, origin, times, config, rng, &mut effects);
                if let Err(unreadable) = received {
                    connection.receive_failed(unreadable, config, rng, &mut effects);
                }
            }
            Err(error) => connection.receive_failed(error, config, &mut self.rng, &mut effects),
        }
        self.commit(peer, effects);
        if !self.lost() {
            self.queue(&id).bodies.pop_front();
        }
        true
    }

    pub(super) fn commit(&mut self, peer: usize, effects: Effects) {
        let Peer { outgoing, events, .. } = &mut self.peers[peer];
        outgoing.extend(effects.outgoing);
        events.extend(effects.events);
        for request in effects.requested {
            // As the store does it.
            if self.peers[peer].seen.insert(request.hash) {
                let (config, modes) = (self.peers[peer].config.clone(), self.peers[peer].modes);
                let connection = self.add(Peer::new(request.connection, config, modes));
                let (id, address) = (ConnectionId::new(connection as i64), ConnectionId::new(peer as i64));
                let event = Event::Request { connection: id, address, info: request.info };
                self.peers[connection].events.push(event);
            }
        }
    }

    /// Until nothing happens any more.
    pub(super) fn run(&mut self) {
        for _ in 0..MANY {
            let first = self.rng.random_range(0..self.peers.len());
            let count = self.peers.len();
            if !(0..count).any(|next| self.step((first + next) % count)) {
                return;
            }
        }
        panic!("it goes on for ever");
    }

    /// The requests that came, with what they say.
    pub(super) fn requests(&self) -> Vec<(usize, Vec<u8>)> {
        let mut requests = Vec::new();
        for (index, peer) in self.peers.iter().enumerate() {
            requests.extend(peer.events.iter().filter_map(|event| match event {
                Event::Request { info, .. } => Some((index, info.clone())),
                _ => None,
            }));
        }
        requests
    }

    pub(super) fn accept(&mut self, request: usize) {
        let Peer { connection, config, .. } = &mut self.peers[request];
        connection.accept_request(b"owner", &relay(3), config, &mut self.rng).unwrap();
        self.peers[request].restart();
    }

    pub(super) fn send(&mut self, peer: usize, body: &[u8]) {
        let Peer { connection, config, .. } = &mut self.peers[peer];
        let mut effects = Effects::default();
        connection.send_message(body, None, config, &mut effects).unwrap();
        self.commit(peer, effects);
    }

    pub(super) fn messages(&self, peer: usize) -> Vec<Vec<u8>> {
        let body = |event: &Event| match event {
            Event::Message { body, integrity: Integrity::Ok, .. } => Some(body.clone()),
            _ => None,
        };
        self.peers[peer].events.iter().filter_map(body).collect()
    }

    pub(super) fn count(&self, peer: usize, wanted: impl Fn(&Event) -> bool) -> usize {
        self.peers[peer].events.iter().filter(|event| wanted(event)).count()
    }
}
