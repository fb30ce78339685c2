//! A contact address and several people who ask: every step may be lost on its way, repeated, and cut off by a crash.

mod town;

use self::town::{ADDRESS, CASES, Case, Peer, SHOWN, Town};
use super::pair::{config, relay};
use super::world::seeds;
use crate::connection::{Connection, CreatedQueue, Effects, JoinLink, Opened, OutgoingKind, Phase, Place};
use crate::error::{ConnectionError, ReceiveError};
use crate::event::Event;
use crate::id::ConnectionId;
use smp_crypto::DhSecret;
use smp_protocol::agent::QueueMode;
use smp_protocol::id::{RecipientId, SenderId};
use smp_protocol::link::ConnectionLink;

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
        let body =
            effects.outgoing[0].content.body(&[], asking.send_queue().unwrap(), &mut rand::rng()).unwrap();
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
