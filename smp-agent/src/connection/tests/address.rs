//! A contact address and several people who ask: every step may be lost on its way, repeated, and cut off by a crash.

use super::super::{
    Command, Connection, CreatedQueue, Effects, JoinLink, LinkFetch, OldQueue, Opened, Origin, Outgoing,
    OutgoingKind, Phase, Place, State,
};
use super::pair::{config, relay};
use super::world::seeds;
use crate::config::AgentConfig;
use crate::error::{ConnectionError, ReceiveError};
use crate::event::{Event, Integrity, MessageTimes};
use crate::id::ConnectionId;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use smp_crypto::DhSecret;
use smp_protocol::agent::QueueMode;
use smp_protocol::command::LinkData;
use smp_protocol::id::{RecipientId, SenderId};
use smp_protocol::link::{ConnectionLink, ShortLink, UserData};
use std::collections::{HashSet, VecDeque};

/// What the address's owner shows.
const SHOWN: &[u8] = b"owner, shown";
/// The index of the address among all connections.
const ADDRESS: usize = 0;
/// More steps than any history needs.
const MANY: usize = 20_000;

/// A queue at a relay.
struct Queue {
    sender_id: SenderId,
    recipient: usize,
    /// Who may send: DER of the key.
    sender: Option<Vec<u8>>,
    bodies: VecDeque<Vec<u8>>,
}

/// One connection of anybody, as its agent stores it.
struct Peer {
    connection: Connection,
    config: AgentConfig,
    /// Whether its relay knows queue modes.
    modes: bool,
    outgoing: VecDeque<Outgoing>,
    events: Vec<Event>,
    seen: HashSet<[u8; 32]>,
}

/// The owner of an address, those who ask, and what lies between them.
struct Town {
    peers: Vec<Peer>,
    queues: Vec<Queue>,
    /// What the address's relay has under the short link.
    stored: Option<LinkData<'static>>,
    rng: StdRng,
    /// How often, of 100 times, something is lost.
    losses: u32,
}

/// How everybody is configured.
#[derive(Clone, Copy, Debug)]
struct Case {
    short: bool,
    pq: [bool; 2],
    /// Whether the relays of the address, of those who ask, and of the owner's connections know queue modes.
    modes: [bool; 3],
}

const CASES: [Case; 8] = [
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
    fn new(connection: Connection, config: AgentConfig, modes: bool) -> Self {
        let (outgoing, events, seen) = Default::default();
        Self { connection, config, modes, outgoing, events, seen }
    }

    /// What it is after a restart.
    fn restart(&mut self) {
        let Connection { id, skipped, .. } = &self.connection;
        let (state, position) =
            (self.connection.state_bytes().unwrap(), self.connection.position_bytes().unwrap());
        let (mut restarted, _) = Connection::from_stored(*id, &state, &position).unwrap();
        restarted.skipped = skipped.clone();
        self.connection = restarted;
    }
}

impl Town {
    fn new(case: Case, people: usize, losses: u32, seed: u64) -> Self {
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
                    let fetch = LinkFetch::new(link, &configs[1], rng).unwrap();
                    Connection::join_short(fetch, &info, &relay(2), &configs[1], rng)
                }
                _ => panic!("no contact address: {link}"),
            };
            town.add(Peer::new(asking, configs[1].clone(), case.modes[1]));
        }
        // What becomes of requests is on the owner's other relays.
        town.peers[ADDRESS].modes = case.modes[2];
        town
    }

    fn add(&mut self, mut peer: Peer) -> usize {
        peer.connection.id = ConnectionId::new(self.peers.len() as i64);
        self.peers.push(peer);
        self.peers.len() - 1
    }

    fn make_address(&mut self, short: bool) {
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

    fn link(&self, short: bool) -> String {
        let State { link, short_link, .. } = &*self.peers[ADDRESS].connection;
        if short { short_link.clone().unwrap() } else { link.clone().unwrap() }
    }

    fn lost(&mut self) -> bool {
        self.losses > 0 && self.rng.random_range(0..100) < self.losses
    }

    fn queue(&mut self, sender_id: &SenderId) -> &mut Queue {
        self.queues.iter_mut().find(|queue| queue.sender_id == *sender_id).unwrap()
    }

    /// Does something for one of them. False if there is nothing to do.
    fn step(&mut self, peer: usize) -> bool {
        let acted = self.command(peer) || self.send_next(peer) || self.receive(peer);
        if self.lost() {
            self.peers[peer].restart();
        }
        acted
    }

    fn command(&mut self, peer: usize) -> bool {
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

    fn secure(&mut self, queue: &SenderId, key: Vec<u8>) {
        let queue = self.queue(queue);
        assert_ne!(queue.recipient, ADDRESS, "nobody secures the queue of an address");
        assert!(queue.sender.as_ref().is_none_or(|sender| *sender == key), "another key");
        queue.sender = Some(key);
    }

    fn send_next(&mut self, peer: usize) -> bool {
        let Some(outgoing) = self.peers[peer].outgoing.front().cloned() else { return false };
        let to = self.peers[peer].connection.send_queue().unwrap().clone();
        let body = outgoing.content.body(&to, &mut self.rng).unwrap();
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

    fn receive(&mut self, peer: usize) -> bool {
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

    fn commit(&mut self, peer: usize, effects: Effects) {
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
    fn run(&mut self) {
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
    fn requests(&self) -> Vec<(usize, Vec<u8>)> {
        let mut requests = Vec::new();
        for (index, peer) in self.peers.iter().enumerate() {
            requests.extend(peer.events.iter().filter_map(|event| match event {
                Event::Request { info, .. } => Some((index, info.clone())),
                _ => None,
            }));
        }
        requests
    }

    fn accept(&mut self, request: usize) {
        let Peer { connection, config, .. } = &mut self.peers[request];
        connection.accept_request(b"owner", &relay(3), config, &mut self.rng).unwrap();
        self.peers[request].restart();
    }

    fn send(&mut self, peer: usize, body: &[u8]) {
        let Peer { connection, config, .. } = &mut self.peers[peer];
        let mut effects = Effects::default();
        connection.send_message(body, config, &mut effects).unwrap();
        self.commit(peer, effects);
    }

    fn messages(&self, peer: usize) -> Vec<Vec<u8>> {
        let body = |event: &Event| match event {
            Event::Message { body, integrity: Integrity::Ok, .. } => Some(body.clone()),
            _ => None,
        };
        self.peers[peer].events.iter().filter_map(body).collect()
    }

    fn count(&self, peer: usize, wanted: impl Fn(&Event) -> bool) -> usize {
        self.peers[peer].events.iter().filter(|event| wanted(event)).count()
    }
}

#[test]
fn everybody_who_asks_becomes_a_connection_of_its_own() {
    const PEOPLE: usize = 3;
    for seed in 0..seeds(4) {
        for (number, case) in CASES.into_iter().enumerate() {
            let losses = if seed == 0 { 0 } else { 30 };
            let mut town = Town::new(case, PEOPLE, losses, 100 * seed + number as u64);
            town.run();
            let requests = town.requests();
            let mut infos: Vec<_> = requests.iter().map(|(_, info)| info.clone()).collect();
            infos.sort();
            let expected: Vec<_> =
                (0..PEOPLE).map(|person| format!("person {person}").into_bytes()).collect();
            assert_eq!(infos, expected, "{case:?} {seed}");
            for person in 1..=PEOPLE {
                assert_eq!(town.peers[person].connection.phase, Phase::Asked, "{case:?} {seed}");
            }
            for (request, _) in &requests {
                assert_eq!(town.peers[*request].connection.request_of(), Some(ConnectionId::new(0)));
                town.accept(*request);
                town.accept(*request);
                assert_eq!(town.peers[*request].connection.request_of(), None);
            }
            town.run();
            for (request, info) in &requests {
                let person = 1 + usize::from(info.last().unwrap() - b'0');
                for (one, other) in [(*request, person), (person, *request)] {
                    assert_eq!(town.peers[one].connection.phase, Phase::Connected, "{case:?} {seed}");
                    assert_eq!(town.count(one, |event| matches!(event, Event::Connected { .. })), 1);
                    town.send(one, &[one as u8, 1]);
                    town.send(one, &[one as u8, 2]);
                    town.run();
                    assert_eq!(town.messages(other), [[one as u8, 1], [one as u8, 2]], "{case:?} {seed}");
                }
                let told = |event: &Event| matches!(event, Event::Info { info, .. } if info == b"owner");
                assert_eq!(town.count(person, told), 1);
                let shown = |event: &Event| matches!(event, Event::LinkShown { shown, .. } if shown == SHOWN);
                assert_eq!(town.count(person, shown), usize::from(case.short));
                let codes = [*request, person].map(|peer| {
                    town.peers[peer].connection.ratchet.as_ref().unwrap().security_code().to_string()
                });
                assert_eq!(codes[0], codes[1]);
                for (peer, wanted) in [(*request, case.pq[0]), (person, case.pq[1])] {
                    assert_eq!(town.peers[peer].connection.pq_support, wanted, "{case:?}");
                    let ratchet = town.peers[peer].connection.ratchet.as_ref().unwrap();
                    assert_eq!(ratchet.pq_sending(), case.pq[0] && case.pq[1], "{case:?}");
                }
            }
            for peer in 0..town.peers.len() {
                let wrong = |event: &Event| {
                    matches!(event, Event::ReceiveFailed { .. } | Event::ConnectionFailed { .. })
                };
                assert_eq!(town.count(peer, wrong), 0, "{case:?} {seed}: {:?}", town.peers[peer].events);
                assert!(town.peers[peer].outgoing.is_empty());
                assert_eq!(town.peers[peer].connection.waiting.total(), 0);
            }
        }
    }
}

/// The owner accepts before the relay's answer to the request is here, and the request is sent once more.
#[test]
fn acceptance_may_overtake_the_answer_to_the_request() {
    for case in CASES {
        let mut town = Town::new(case, 1, 0, 7);
        while town.peers[1].outgoing.is_empty() {
            assert!(town.step(1));
        }
        town.losses = 100;
        assert!(town.send_next(1));
        town.losses = 0;
        assert_eq!(town.peers[1].connection.phase, Phase::Requesting);
        while town.step(ADDRESS) {}
        town.accept(2);
        while town.step(2) {}
        // Its confirmation is here, and the request waits still.
        assert!(town.receive(1));
        assert_ne!(town.peers[1].connection.phase, Phase::Requesting);
        assert_eq!(town.peers[1].outgoing[0].kind, OutgoingKind::Request);
        town.peers[1].restart();
        town.run();
        assert_eq!(town.requests().len(), 1);
        assert_eq!(town.peers[1].connection.phase, Phase::Connected, "{case:?}");
        assert_eq!(town.peers[2].connection.phase, Phase::Connected, "{case:?}");
    }
}

#[test]
fn address_takes_nothing_but_requests() {
    let mut town = Town::new(CASES[0], 1, 0, 3);
    let mut other = Town::new(CASES[0], 1, 0, 4);
    while other.queues[0].bodies.is_empty() {
        other.step(1);
    }
    let foreign = other.queues[0].bodies[0].clone();
    let address = &town.peers[ADDRESS].connection;
    assert_eq!(address.open(Place::Current, &foreign).err(), Some(ReceiveError::Decryption));
    assert_eq!(address.open(Place::Current, b"").err(), Some(ReceiveError::Malformed));
    // A joiner's confirmation, sealed for the address.
    let mut joined = other.peers[1].connection.clone();
    joined.asking = None;
    assert!(town.step(1));
    let Peer { connection, .. } = &town.peers[1];
    let queue = connection.asking.as_ref().unwrap();
    let header = smp_protocol::body::PrivateHeader::Empty;
    let envelope = smp_protocol::agent::AgentEnvelope::Confirmation {
        version: connection.agent_version,
        ratchet: None,
        encrypted_info: b"".into(),
    };
    let body = super::super::envelope::seal_confirmation(queue, header, &envelope, &mut town.rng).unwrap();
    let address = &mut town.peers[ADDRESS].connection;
    assert_eq!(address.open(Place::Current, &body).err(), Some(ReceiveError::Unexpected));
    let mut effects = Effects::default();
    for _ in 0..3 {
        address.receive_failed(ReceiveError::Unexpected, &config(), &mut town.rng, &mut effects);
    }
    assert_eq!(effects.events.len(), 1);
    assert!(!town.peers[ADDRESS].connection.in_sync() || town.peers[ADDRESS].connection.ratchet.is_none());
    // Requests are taken all the same.
    town.run();
    assert_eq!(town.requests().len(), 1);
    assert_eq!(town.peers[ADDRESS].connection.condition.unreadable, None);
}

#[test]
fn request_that_is_refused_ends_it() {
    let mut town = Town::new(CASES[0], 1, 0, 5);
    while town.peers[1].outgoing.is_empty() {
        assert!(town.step(1));
    }
    assert_eq!(town.peers[1].connection.gone(), ConnectionError::AddressGone);
    town.run();
    town.accept(2);
    assert_eq!(town.peers[2].connection.gone(), ConnectionError::RequestGone);
    assert_eq!(town.peers[ADDRESS].connection.lost(), ConnectionError::AddressGone);
    assert_eq!(town.peers[2].connection.lost(), ConnectionError::QueueGone);
}

#[test]
fn longest_information_fits_into_a_request() {
    for pq in [true, false] {
        let mut config = config();
        config.pq = pq;
        let town = Town::new(Case { pq: [pq, pq], ..CASES[0] }, 0, 0, 6);
        let Ok(JoinLink::Contact(contact)) = JoinLink::read(&town.link(false), &config) else { panic!() };
        let mut asking = Connection::ask(contact, b"", &relay(2), &config, &mut rand::rng());
        let limit = smp_protocol::agent::connection_info_length(asking.agent_version, pq) - 1024;
        asking.own_info = vec![b' '; limit];
        let created = CreatedQueue {
            recipient_id: RecipientId::generate(&mut rand::rng()),
            sender_id: SenderId::generate(&mut rand::rng()),
            link_id: None,
            mode: Some(QueueMode::Messaging),
            relay_secret: DhSecret::from_bytes([1; 32]),
        };
        let mut effects = Effects::default();
        asking.queue_created(created, &config, &mut rand::rng(), &mut effects).unwrap();
        let body = effects.outgoing[0].content.body(asking.send_queue().unwrap(), &mut rand::rng()).unwrap();
        match town.peers[ADDRESS].connection.open(Place::Current, &body) {
            Ok(Opened::Request(request)) => {
                assert_eq!(request.info.len(), limit);
                assert_eq!(request.request.ratchet.kem.is_some(), pq);
            }
            _ => panic!("no request"),
        }
    }
}

#[test]
fn full_link_of_an_address_is_one() {
    let town = Town::new(CASES[1], 0, 0, 8);
    for short in [true, false] {
        let link: ConnectionLink = town.link(short).parse().unwrap();
        let text = link.to_string();
        assert!(text.contains("/a#") || text.contains("/contact#"), "{text}");
        assert!(text.len() < 500, "{text}");
    }
}
