//! Two state machines and a wire that loses, repeats and stops: without network, database or clock.

mod address;
mod pair;
mod post_quantum;
mod recorded;
mod rotation;
mod short_link;
mod suspension;
mod sync;
mod world;

use super::{Connection, Effects, Phase};
use crate::config::AgentConfig;
use crate::error::{LinkError, ReceiveError};
use crate::event::{Event, Integrity};
use pair::{Pair, Side, config};
use smp_protocol::version::{AgentVersion, RatchetVersion, SmpClientVersion, VersionRange};

/// How both sides are configured, and what their relays can do.
struct Case {
    name: &'static str,
    alice: fn(&mut AgentConfig),
    bob: fn(&mut AgentConfig),
    /// Whether the relay of the invitation, and that of the reply queue, know queue modes.
    modes: [bool; 2],
    /// Whether Alice makes a short link, and whether Bob gets it.
    short: [bool; 2],
}

/// With a full link.
const fn case(
    name: &'static str,
    alice: fn(&mut AgentConfig),
    bob: fn(&mut AgentConfig),
    modes: [bool; 2],
) -> Case {
    Case { name, alice, bob, modes, short: [false, false] }
}

const fn short(
    name: &'static str,
    alice: fn(&mut AgentConfig),
    bob: fn(&mut AgentConfig),
    modes: [bool; 2],
) -> Case {
    Case { name, alice, bob, modes, short: [true, true] }
}

fn same(_: &mut AgentConfig) {}

fn oldest(config: &mut AgentConfig) {
    config.versions.agent = VersionRange::only(AgentVersion(2));
    config.versions.client = VersionRange::only(SmpClientVersion(1));
    config.versions.ratchet = VersionRange::only(RatchetVersion(2));
}

fn old(config: &mut AgentConfig) {
    config.versions.agent = VersionRange::new(AgentVersion(2), AgentVersion(4)).unwrap();
    config.versions.client = VersionRange::new(SmpClientVersion(1), SmpClientVersion(2)).unwrap();
    config.versions.ratchet = VersionRange::only(RatchetVersion(2));
}

fn without_pq(config: &mut AgentConfig) {
    config.pq = false;
}

fn pq_in_link(config: &mut AgentConfig) {
    config.pq_keys_in_links = true;
}

const CASES: [Case; 15] = [
    case("fast", same, same, [true, true]),
    case("older procedure", same, same, [false, false]),
    case("reply relay is old", same, same, [true, false]),
    case("invitation relay is old", same, same, [false, true]),
    case("keys in the link", pq_in_link, same, [true, true]),
    case("keys in the link, not wanted", pq_in_link, without_pq, [true, true]),
    case("no post-quantum keys", without_pq, same, [true, true]),
    case("oldest joiner", same, oldest, [false, false]),
    case("oldest initiator", oldest, same, [false, false]),
    case("both old", old, old, [false, false]),
    short("short link", same, same, [true, true]),
    short("short link, reply relay is old", same, same, [true, false]),
    short("short link, keys in it", pq_in_link, same, [true, true]),
    Case { short: [true, false], ..case("full link of a short one", same, same, [true, true]) },
    short("short link, no post-quantum keys", same, without_pq, [true, true]),
];

impl Case {
    fn pair(&self) -> Pair {
        let mut configs = [config(), config()];
        (self.alice)(&mut configs[0]);
        (self.bob)(&mut configs[1]);
        Pair::with(configs, self.modes, self.short[0], self.short[1])
    }
}

fn connected(case: &Case) -> Pair {
    let mut pair = case.pair();
    pair.run();
    assert_eq!(pair.alice.phase(), Phase::Connected, "{}", case.name);
    assert_eq!(pair.bob.phase(), Phase::Connected, "{}", case.name);
    pair
}

/// Both sides of a connection, without anything to do.
pub(crate) fn connected_sides() -> (Connection, Connection) {
    let pair = connected(&CASES[0]);
    (pair.alice.connection, pair.bob.connection)
}

#[test]
fn every_procedure_connects_and_messages_go_both_ways() {
    for case in &CASES {
        let mut pair = connected(case);
        let infos: Vec<_> = pair.events(Side::Alice).filter_map(info).collect();
        assert_eq!(infos, [b"bob".to_vec()], "{}", case.name);
        let infos: Vec<_> = pair.events(Side::Bob).filter_map(info).collect();
        assert_eq!(infos, [b"alice".to_vec()], "{}", case.name);
        for round in 0..4_u8 {
            pair.send(Side::Alice, &[round, 1]);
            pair.send(Side::Alice, &[round, 2]);
            pair.send(Side::Bob, &[round, 3]);
            pair.run();
        }
        let expected: Vec<_> = (0..4).flat_map(|round| [vec![round, 1], vec![round, 2]]).collect();
        assert_eq!(pair.messages(Side::Bob), expected, "{}", case.name);
        let expected: Vec<_> = (0..4).map(|round| vec![round, 3]).collect();
        assert_eq!(pair.messages(Side::Alice), expected, "{}", case.name);
        assert_eq!(pair.trouble(), Vec::<Event>::new(), "{}", case.name);
        let codes = [&pair.alice, &pair.bob]
            .map(|peer| peer.connection.ratchet.as_ref().unwrap().security_code().to_string());
        assert_eq!(codes[0], codes[1]);
    }
}

fn info(event: &Event) -> Option<Vec<u8>> {
    match event {
        Event::Confirmation { info, .. } | Event::Info { info, .. } => Some(info.clone()),
        _ => None,
    }
}

#[test]
fn post_quantum_keys_are_on_when_both_sides_want_them() {
    let pq = |name| {
        let mut pair = connected(CASES.iter().find(|case| case.name == name).unwrap());
        for round in 0..3 {
            pair.send(Side::Alice, &[round]);
            pair.run();
            pair.send(Side::Bob, &[round]);
            pair.run();
        }
        let ratchets = [&pair.alice, &pair.bob].map(|peer| peer.connection.ratchet.as_ref().unwrap());
        ratchets.map(|ratchet| ratchet.pq_sending() && ratchet.pq_receiving())
    };
    assert_eq!(pq("fast"), [true, true]);
    assert_eq!(pq("keys in the link"), [true, true]);
    assert_eq!(pq("keys in the link, not wanted"), [false, false]);
    assert_eq!(pq("full link of a short one"), [true, true]);
    assert_eq!(pq("short link"), [true, true]);
    assert_eq!(pq("short link, keys in it"), [true, true]);
    assert_eq!(pq("short link, no post-quantum keys"), [false, false]);
    assert_eq!(pq("no post-quantum keys"), [false, false]);
    assert_eq!(pq("oldest joiner"), [false, false]);
}

#[test]
fn lost_answers_and_restarts_at_every_step_change_nothing() {
    for case in &CASES {
        let mut pair = case.pair();
        // Each command and each SEND is done, its answer is lost, and the side that sent it is restarted.
        pair.lossy = true;
        pair.run();
        for number in 0..10 {
            pair.send(Side::Alice, &[number]);
            pair.send(Side::Bob, &[number]);
            pair.run();
        }
        let expected: Vec<_> = (0..10).map(|number| vec![number]).collect();
        assert_eq!(pair.messages(Side::Alice), expected, "{}", case.name);
        assert_eq!(pair.messages(Side::Bob), expected, "{}", case.name);
        assert_eq!(pair.trouble(), Vec::<Event>::new(), "{}", case.name);
    }
}

#[test]
fn joiner_sends_before_it_is_accepted() {
    let mut pair = Pair::new([config(), config()], [true, true]);
    pair.accept = false;
    pair.run();
    assert_eq!(pair.alice.phase(), Phase::Confirmed);
    assert_eq!(pair.bob.phase(), Phase::AwaitingReply);
    pair.send(Side::Bob, b"early");
    pair.run();
    assert_eq!(pair.messages(Side::Alice), [b"early".to_vec()]);
    pair.accept = true;
    pair.run();
    pair.send(Side::Alice, b"late");
    pair.run();
    assert_eq!(pair.messages(Side::Bob), [b"late".to_vec()]);
    assert_eq!(pair.trouble(), Vec::<Event>::new());
}

#[test]
fn keys_that_the_versions_do_not_know_are_refused() {
    let mut pair = case("", pq_in_link, same, [true, true]).pair();
    let mut hostile = pair.confirmation();
    hostile.agent_version = AgentVersion(4);
    let (mut effects, rng) = (Effects::default(), &mut rand::rng());
    let refused = pair.alice.connection.confirmed(hostile, &config(), rng, &mut effects);
    assert_eq!(refused, Err(ReceiveError::Version));
    pair.run();
    assert_eq!(pair.alice.phase(), Phase::Connected);
    assert_eq!(pair.trouble(), Vec::<Event>::new());
}

#[test]
fn messages_that_a_relay_lost_are_reported() {
    let mut pair = connected(&CASES[0]);
    pair.send(Side::Alice, b"1");
    pair.lose(Side::Alice);
    pair.lose_next(Side::Alice, b"2");
    pair.send(Side::Alice, b"3");
    pair.run();
    let integrity: Vec<_> = pair
        .events(Side::Bob)
        .filter_map(|event| match event {
            Event::Message { integrity, .. } => Some(*integrity),
            _ => None,
        })
        .collect();
    assert!(matches!(integrity[..], [Integrity::Skipped { first: 2, last: 3 }]), "{integrity:?}");
}

#[test]
fn repeated_message_is_not_shown_and_the_chain_goes_on() {
    let mut pair = connected(&CASES[0]);
    pair.send(Side::Alice, b"1");
    let last = pair.alice.connection.sent.clone();
    for _ in 0..2 {
        pair.alice.connection.sent = last.clone();
        pair.send(Side::Alice, b"2");
    }
    pair.send(Side::Alice, b"3");
    pair.run();
    assert_eq!(pair.messages(Side::Bob), [b"1", b"2", b"3"]);
    assert_eq!(pair.trouble(), Vec::<Event>::new());
}

#[test]
fn other_content_under_the_last_number_is_shown() {
    let mut pair = connected(&CASES[0]);
    pair.send(Side::Alice, b"1");
    let last = pair.alice.connection.sent.clone();
    pair.send(Side::Alice, b"2");
    pair.alice.connection.sent = last;
    pair.send(Side::Alice, b"2, of an old copy");
    pair.run();
    assert_eq!(pair.messages(Side::Bob).last().unwrap(), b"2, of an old copy");
    assert!(matches!(pair.trouble()[..], [Event::Message { integrity: Integrity::BadNumber, .. }]));
}

#[test]
fn damaged_bodies_are_reported_and_do_no_harm() {
    let mut pair = connected(&CASES[0]);
    for body in [vec![], vec![0; 16], vec![1; 16000]] {
        let result = pair.bob.connection.open(super::Place::Current, &body);
        assert!(matches!(
            result,
            Err(ReceiveError::Malformed | ReceiveError::Decryption | ReceiveError::Unexpected)
        ));
    }
    pair.send(Side::Alice, b"still here");
    pair.run();
    assert_eq!(pair.messages(Side::Bob), [b"still here".to_vec()]);
}

#[test]
fn links_of_other_kinds_are_refused() {
    let read = |link: &str| super::JoinLink::read(link, &config()).err();
    assert!(matches!(read("hello"), Some(LinkError::Damaged(_))));
    let pair = Pair::new([config(), config()], [true, true]);
    let link = pair.alice.connection.link.clone().unwrap();
    assert!(read(&link).is_none());
    assert!(read(&link.replacen("simplex:/", "https://simplex.chat/", 1)).is_none());
    assert!(read(&format!("Join me: <{}>.", link.replacen("simplex:/", "Simplex://", 1))).is_none());
    assert!(matches!(read(&link[..link.len() - 40]), Some(LinkError::Damaged(_))));
    assert_eq!(read(&link.replacen("v=2-7", "v=8-9", 1)), Some(LinkError::Version));
}

#[test]
fn sizes_are_checked_before_anything_changes() {
    let mut pair = connected(&CASES[0]);
    let Connection { sent, .. } = &pair.alice.connection;
    let before = sent.clone();
    let limit = pair.limit(Side::Alice);
    assert!(limit > 13_000, "{limit}");
    assert_eq!(pair.alice.connection.sent, before);
    pair.send(Side::Alice, &vec![7; limit]);
    pair.run();
    assert_eq!(pair.messages(Side::Bob), [vec![7; limit]]);
}
