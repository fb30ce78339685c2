//! Walks the version table: what each version writes and reads.

#![allow(clippy::unwrap_used)]

mod common;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use smp_protocol::command::{Command, CommandTag, IdsHash, ServiceQueues};
use smp_protocol::message::{BrokerMessage, MessageTag};
use smp_protocol::version::SmpVersion;
use smp_protocol::version_table;

fn versions() -> impl Iterator<Item = SmpVersion> {
    (SmpVersion::MIN.0..=SmpVersion::MAX.0).map(SmpVersion)
}

fn queues() -> ServiceQueues {
    ServiceQueues { count: 3, ids_hash: IdsHash([7; 16]) }
}

/// All commands in the vectors, and what those of services say from version 19.
fn commands() -> Vec<Command<'static>> {
    let mut all = inputs("command").iter().map(common::commands::command).collect::<Vec<_>>();
    all.push(Command::SubscribeAll(queues()));
    all.push(Command::SubscribeAllNotifications(queues()));
    all
}

fn messages() -> Vec<BrokerMessage<'static>> {
    let mut all = inputs("broker_message").iter().map(common::commands::message).collect::<Vec<_>>();
    all.push(BrokerMessage::AllDelivered);
    all.push(BrokerMessage::SubscribedAll(queues()));
    all.push(BrokerMessage::EndAll(queues()));
    all
}

fn inputs(kind: &str) -> Vec<Value> {
    let cases = common::cases("commands.json").into_iter().filter(|case| case["kind"] == kind);
    cases.map(|mut case| case["input"].take()).collect()
}

/// The versions in which one of the values is written differently than in the version before.
fn changes<'a, T: 'a>(
    values: impl Iterator<Item = &'a T>,
    write: impl Fn(&'a T, SmpVersion) -> Vec<u8>,
) -> BTreeSet<SmpVersion> {
    let mut changes = BTreeSet::new();
    for value in values {
        for (before, after) in versions().zip(versions().skip(1)) {
            if write(value, before) != write(value, after) {
                changes.insert(after);
            }
        }
    }
    changes
}

#[test]
fn every_command_is_in_the_table_once() {
    let tags: Vec<_> = version_table::commands().map(|entry| entry.tag).collect();
    assert_eq!(tags, CommandTag::ALL);
    let tags: Vec<_> = version_table::messages().map(|entry| entry.tag).collect();
    assert_eq!(tags, MessageTag::ALL);
    for tag in CommandTag::ALL {
        assert_eq!(CommandTag::from_name(tag.name().as_bytes()), Some(*tag));
    }
    for tag in MessageTag::ALL {
        assert_eq!(MessageTag::from_name(tag.name().as_bytes()), Some(*tag));
    }
}

#[test]
fn commands_change_where_the_table_says() {
    let all = commands();
    for entry in version_table::commands() {
        let same: Vec<_> = all.iter().filter(|command| command.tag() == entry.tag).collect();
        assert!(!same.is_empty(), "{:?} has no example", entry.tag);
        let actual = changes(same.iter().copied(), |command, version| command.to_bytes(version));
        assert_eq!(actual, entry.changes.iter().copied().collect(), "{:?}", entry.tag);
        // They are written and read under their name in every version, also before they existed.
        for command in same {
            for version in versions() {
                let bytes = command.to_bytes(version);
                assert!(bytes.starts_with(entry.tag.name().as_bytes()));
                assert_eq!(Command::decode(&bytes, version).map(|read| read.tag()), Ok(entry.tag));
            }
        }
    }
}

#[test]
fn messages_change_where_the_table_says() {
    let all = messages();
    for entry in version_table::messages() {
        let same: Vec<_> = all.iter().filter(|message| message.tag() == entry.tag).collect();
        assert!(!same.is_empty(), "{:?} has no example", entry.tag);
        // Where another name is written before they existed, that is the change.
        let renamed = entry.tag.written_in(SmpVersion::MIN) != entry.tag;
        let mut expected: BTreeSet<_> = entry.changes.iter().copied().collect();
        expected.extend(renamed.then_some(entry.since));
        let actual = changes(same.iter().copied(), |message, version| message.to_bytes(version));
        assert_eq!(actual, expected, "{:?}", entry.tag);
        for message in same {
            for version in versions() {
                let written = entry.tag.written_in(version);
                assert_eq!(written == entry.tag, !renamed || version >= entry.since);
                let bytes = message.to_bytes(version);
                let read = BrokerMessage::decode(&bytes, version).map(|read| read.tag()).ok();
                assert_eq!(read, Some(written).filter(|tag| tag.is_read_in(version)));
            }
        }
    }
}

/// Only `ALLS` is unknown before it existed.
#[test]
fn names_are_read_in_every_version() {
    for entry in version_table::messages() {
        for version in versions() {
            let expected = entry.tag != MessageTag::AllDelivered || version >= entry.since;
            assert_eq!(entry.tag.is_read_in(version), expected);
        }
    }
    let sok = |version| BrokerMessage::decode(b"SOK 0", version);
    assert!(versions().all(|version| sok(version) == Ok(BrokerMessage::Subscribed(None))));
    let deleted = |version| BrokerMessage::decode(b"DELD", version);
    assert!(versions().all(|version| deleted(version) == Ok(BrokerMessage::Deleted)));
}

/// Version 19: count and hash of the queues of a service, in commands and answers.
#[test]
fn service_queues_in_version_19() {
    let parameters = [&3i64.to_be_bytes()[..], &[16], &[7; 16]].concat();
    let mut expected = BTreeMap::new();
    for (name, command) in
        [("SUBS", Command::SubscribeAll(queues())), ("NSUBS", Command::SubscribeAllNotifications(queues()))]
    {
        expected.insert(name, command);
    }
    for (name, command) in expected {
        let bytes = [name.as_bytes(), b" ", &parameters].concat();
        assert_eq!(command.to_bytes(SmpVersion(19)), bytes);
        assert_eq!(Command::decode(&bytes, SmpVersion(19)), Ok(command.clone()));
        assert_eq!(command.to_bytes(SmpVersion(18)), name.as_bytes());
        assert!(Command::decode(&bytes, SmpVersion(18)).is_err());
        assert!(Command::decode(name.as_bytes(), SmpVersion(19)).is_err());
        let short_hash = [name.as_bytes(), b" ", &parameters[..8], &[15], &[7; 15]].concat();
        assert!(Command::decode(&short_hash, SmpVersion(19)).is_err());
    }
    for (name, message) in
        [("SOKS", BrokerMessage::SubscribedAll(queues())), ("ENDS", BrokerMessage::EndAll(queues()))]
    {
        let bytes = [name.as_bytes(), b" ", &parameters].concat();
        assert_eq!(message.to_bytes(SmpVersion(19)), bytes);
        assert_eq!(BrokerMessage::decode(&bytes, SmpVersion(19)), Ok(message.clone()));
        let bytes = [name.as_bytes(), b" ", &parameters[..8]].concat();
        assert_eq!(message.to_bytes(SmpVersion(18)), bytes);
        assert!(BrokerMessage::decode(&bytes, SmpVersion(19)).is_err());
    }
    assert_eq!(BrokerMessage::AllDelivered.to_bytes(SmpVersion(19)), b"ALLS");
    assert!(BrokerMessage::Message(Default::default(), Cow::Borrowed(b"")).tag().is_read_in(SmpVersion(6)));
}

/// The hash of a set of IDs does not depend on their order, and an ID can be taken out again.
#[test]
fn hash_of_queue_ids() {
    // MD5("a") XOR MD5("abc"), RFC 1321 appendix A.5.
    let (a, abc) = (IdsHash::of(b"a"), IdsHash::of(b"abc"));
    assert_eq!(hex::encode(a.0), "0cc175b9c0f1b6a831c399e269772661");
    assert_eq!(hex::encode(abc.0), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(a.combine(abc), abc.combine(a));
    assert_eq!(a.combine(abc).combine(a), abc);
    assert_eq!(IdsHash::default().combine(a), a);
}
