//! Properties of all codecs: what is written is read back, and no input makes a reader panic.

#![allow(clippy::unwrap_used)]

mod arbitrary;

use arbitrary::{any_command, any_id, any_message, any_version, bytes};
use proptest::prelude::*;
use smp_crypto::{Nonce, X25519PublicKey};
use smp_protocol::address::{Host, Password, RelayAddress};
use smp_protocol::body::{ClientEnvelope, ClientMessage, NotificationMeta, PrivateHeader, ReceivedBody};
use smp_protocol::certificate::{CertificateChain, CertifiedKey, SignedKey};
use smp_protocol::command::{Command, MessageFlags, NewQueue, QueueMode, QueueRequest, ServiceQueues};
use smp_protocol::encoding::{
    Decode, Encode, LargeString, List, NonEmpty, Reader, ShortString, ShortText, TextDecode, TextReader,
    UnixSeconds, UtcTime, from_bytes, from_text, to_bytes, to_text,
};
use smp_protocol::error::{
    BlockingInfo, BrokerErrorType, ErrorType, NetworkError, ProxyError, TransportError,
};
use smp_protocol::handshake::{ClientHello, ClientService, RelayHello, ServiceResponse, ServiceRole};
use smp_protocol::id::{CorrelationId, EntityId, SessionId};
use smp_protocol::key::SenderDhKey;
use smp_protocol::message::{BrokerMessage, QueueIds};
use smp_protocol::proxy::{ForwardedResponse, ForwardedTransmission};
use smp_protocol::session::SessionParameters;
use smp_protocol::transmission::{
    Batch, BatchPart, BlockContent, Transmissions, prepare, prepare_message, read_commands, read_messages,
};
use smp_protocol::version::{SmpClientVersion, SmpVersion, VersionRange};

/// A command without the parts that a version does not have: the other half of the rules of the encoder.
fn command_in(command: Command<'static>, version: SmpVersion) -> Command<'static> {
    let v = version.0;
    match command {
        Command::New(queue) => {
            let mode = queue.request.as_ref().map(QueueRequest::mode);
            let request = match v {
                15.. => queue.request,
                9.. if mode == Some(QueueMode::Messaging) => Some(QueueRequest::Messaging(None)),
                9.. => Some(QueueRequest::Contact(None)),
                _ => None,
            };
            let notifier = queue.notifier.filter(|_| v >= 17);
            Command::New(Box::new(NewQueue { request, notifier, ..*queue }))
        }
        Command::SubscribeAll(_) if v < 19 => Command::SubscribeAll(ServiceQueues::UNKNOWN),
        Command::SubscribeAllNotifications(_) if v < 19 => {
            Command::SubscribeAllNotifications(ServiceQueues::UNKNOWN)
        }
        other => other,
    }
}

/// A message without the parts that a version does not have.
fn message_in(message: BrokerMessage<'static>, version: SmpVersion) -> BrokerMessage<'static> {
    let v = version.0;
    let counted = |queues: ServiceQueues| {
        if v >= 19 { queues } else { ServiceQueues { count: queues.count, ..Default::default() } }
    };
    match message {
        BrokerMessage::QueueIds(ids) => {
            let mode = match v {
                15.. => ids.mode,
                9.. if ids.mode == Some(QueueMode::Messaging) => ids.mode,
                9.. => Some(QueueMode::Contact),
                _ => None,
            };
            BrokerMessage::QueueIds(Box::new(QueueIds {
                mode,
                link_id: ids.link_id.filter(|_| v >= 15),
                service_id: ids.service_id.filter(|_| v >= 16),
                notifier: ids.notifier.filter(|_| v >= 17),
                ..*ids
            }))
        }
        BrokerMessage::Subscribed(_) if v < 16 => BrokerMessage::Ok,
        BrokerMessage::Deleted if v < 10 => BrokerMessage::End,
        BrokerMessage::SubscribedAll(queues) => BrokerMessage::SubscribedAll(counted(queues)),
        BrokerMessage::EndAll(queues) => BrokerMessage::EndAll(counted(queues)),
        BrokerMessage::Error(error) => BrokerMessage::Error(error_in(error, version)),
        other => other,
    }
}

fn error_in(error: ErrorType, version: SmpVersion) -> ErrorType {
    match error {
        ErrorType::Blocked(_) if version.0 < 12 => ErrorType::Auth,
        ErrorType::Blocked(info) if version.0 < 18 => {
            ErrorType::Blocked(BlockingInfo { notice: None, ..info })
        }
        other => without_details(other),
    }
}

/// Details of network errors are never written.
fn without_details(error: ErrorType) -> ErrorType {
    match error {
        ErrorType::Proxy(proxy) => ErrorType::Proxy(Box::new(match *proxy {
            ProxyError::Protocol(error) => ProxyError::Protocol(without_details(error)),
            ProxyError::Broker(BrokerErrorType::Network(_)) => {
                ProxyError::Broker(BrokerErrorType::Network(NetworkError::Failed))
            }
            other => other,
        })),
        other => other,
    }
}

fn session() -> impl Strategy<Value = SessionParameters> {
    (any_version(), bytes(0..40))
        .prop_map(|(version, id)| SessionParameters { version, id: SessionId::new(&id).unwrap() })
}

fn round_trip<T>(value: &T)
where
    T: Encode + for<'a> Decode<'a> + PartialEq + std::fmt::Debug,
{
    assert_eq!(from_bytes::<T>(&to_bytes(value)).as_ref(), Ok(value));
}

proptest! {
    // Failures are printed; nothing is written next to the sources.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commands(command in any_command(), version in any_version()) {
        let encoded = command.to_bytes(version);
        let expected = command_in(command, version);
        prop_assert_eq!(Command::decode(&encoded, version), Ok(expected.clone()));
        prop_assert_eq!(expected.to_bytes(version), encoded.clone());
        // No command is the beginning of another one with the same name but those that end with a body.
        let mut longer = encoded;
        longer.push(b' ');
        let has_tail = matches!(
            expected,
            Command::Send(..) | Command::ProxyForward { .. } | Command::RelayForward(_)
        );
        prop_assert_eq!(Command::decode(&longer, version).is_ok(), has_tail);
    }

    #[test]
    fn messages(message in any_message(), version in any_version()) {
        let encoded = message.to_bytes(version);
        let expected = message_in(message, version);
        if expected == BrokerMessage::AllDelivered && version.0 < 19 {
            prop_assert!(BrokerMessage::decode(&encoded, version).is_err());
            return Ok(());
        }
        prop_assert_eq!(BrokerMessage::decode(&encoded, version), Ok(expected.clone()));
        prop_assert_eq!(expected.to_bytes(version), encoded);
    }

    #[test]
    fn transmissions_of_commands(
        session in session(),
        all in prop::collection::vec((any_command(), any_id(), any_id()), 1..5),
    ) {
        let mut content = BlockContent::new();
        let mut sent = Vec::new();
        for (command, correlation_id, entity_id) in all {
            let correlation_id = CorrelationId::new(&correlation_id).unwrap();
            let entity_id = EntityId::new(&entity_id).unwrap();
            let prepared = prepare(&session, &correlation_id, &entity_id, &command);
            prop_assert!(prepared.authorized().ends_with(prepared.to_send()));
            if content.push(|out| prepared.write(None, &session, out)).is_ok() {
                sent.push((correlation_id, entity_id, command_in(command, session.version)));
            }
        }
        prop_assume!(!sent.is_empty());
        let read: Vec<_> = read_commands(content.as_bytes(), &session).collect();
        prop_assert_eq!(read.len(), sent.len());
        for (read, (correlation_id, entity_id, command)) in read.into_iter().zip(sent) {
            let allowed = command.tag().check_credentials(false, !entity_id.is_empty());
            match read {
                Ok(read) => {
                    prop_assert_eq!(allowed, Ok(()));
                    prop_assert_eq!(read.command, command);
                    prop_assert_eq!((read.correlation_id, read.entity_id), (correlation_id, entity_id));
                }
                Err(refused) => {
                    prop_assert_eq!(Err(refused.error), allowed.map_err(ErrorType::from));
                    prop_assert_eq!((refused.correlation_id, refused.entity_id), (correlation_id, entity_id));
                }
            }
        }
    }

    #[test]
    fn transmissions_of_messages(
        session in session(),
        message in any_message(),
        correlation_id in any_id(),
        entity_id in any_id(),
    ) {
        let correlation_id = CorrelationId::new(&correlation_id).unwrap();
        let entity_id = EntityId::new(&entity_id).unwrap();
        let mut content = BlockContent::new();
        let prepared = prepare_message(&session, &correlation_id, &entity_id, &message);
        prop_assume!(content.push(|out| prepared.write(None, &session, out)).is_ok());
        let read: Vec<_> = read_messages(content.as_bytes(), &session).collect();
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!((&read[0].correlation_id, &read[0].entity_id), (&correlation_id, &entity_id));
        let expected = BrokerMessage::decode(&message.to_bytes(session.version), session.version)
            .and_then(|message| message.tag().check_entity(!entity_id.is_empty()).map(|()| message.into_owned()));
        prop_assert_eq!(&read[0].message, &expected.map_err(ErrorType::from));
    }

    /// In two pieces or in one is the same, and the second piece is not written in vain.
    #[test]
    fn blocks_with_tails(lengths in prop::collection::vec((0..100usize, prop_oneof![0..300usize, 0..17_000usize]), 0..40)) {
        let (mut whole, mut pieces) = (BlockContent::new(), BlockContent::new());
        for (head, tail) in lengths {
            let write = |length: usize| move |out: &mut Vec<u8>| out.resize(out.len() + length, b'x');
            let mut written = false;
            let pushed = pieces.push_with_tail(write(head), tail, |out| {
                written = true;
                write(tail)(out);
            });
            prop_assert_eq!(written, pushed.is_ok());
            prop_assert_eq!(pushed, whole.push(write(head + tail)));
            prop_assert_eq!(pieces.as_bytes(), whole.as_bytes());
        }
    }

    /// Every transmission is in exactly one part, in order, and only the first of neighbouring blocks has room left.
    #[test]
    fn batches(lengths in prop::collection::vec(prop_oneof![0..300usize, 0..20_000usize], 0..600)) {
        let mut batch = Batch::new();
        for length in &lengths {
            batch.push(|out| out.resize(out.len() + length, b'x'));
        }
        let parts = batch.parts();
        let mut next = 0;
        for part in &parts {
            match part {
                BatchPart::Block { indices, transmissions } => {
                    prop_assert_eq!(indices.start, next);
                    next = indices.end;
                    let content: usize = lengths[indices.clone()].iter().map(|length| length + 2).sum();
                    prop_assert_eq!(transmissions.len(), content);
                    prop_assert!(content < 16366 && (1..=255).contains(&indices.len()));
                    let mut written = Vec::new();
                    part.write_content(&mut written);
                    prop_assert_eq!(Transmissions::read(&written).unwrap().len(), indices.len());
                }
                BatchPart::TooLarge(index) => {
                    prop_assert_eq!(*index, next);
                    next += 1;
                    prop_assert!(lengths[*index] + 3 > 16366);
                }
            }
        }
        prop_assert_eq!(next, lengths.len());
        for pair in parts.windows(2) {
            if let [BatchPart::Block { indices: before, .. }, BatchPart::Block { indices, transmissions }] = pair {
                let last = lengths[before.end - 1] + 2;
                prop_assert!(indices.len() == 255 || 1 + transmissions.len() + last > 16366);
            }
        }
    }

    #[test]
    fn strings_and_lists(
        short in bytes(0..256),
        large in bytes(0..2000),
        list in prop::collection::vec(any::<u16>(), 0..256),
        text in "\\PC{0,60}",
        numbers in any::<(u16, u32, i64, bool, Option<i64>)>(),
    ) {
        round_trip(&numbers);
        round_trip(&UnixSeconds(numbers.2));
        prop_assert_eq!(from_text(&to_text(&numbers.2)), Ok(numbers.2));
        let encoded = to_bytes(&ShortString::new(&short[..]).unwrap());
        assert_eq!(from_bytes::<ShortString<'_>>(&encoded).unwrap().as_bytes(), &short[..]);
        let encoded = to_bytes(&LargeString::new(&large[..]).unwrap());
        assert_eq!(from_bytes::<LargeString<'_>>(&encoded).unwrap().as_bytes(), &large[..]);
        round_trip(&List::new(list.clone()).unwrap());
        if let Some(list) = NonEmpty::new(list) {
            round_trip(&list);
            prop_assert_eq!(from_text(&to_text(&list)), Ok(list));
        }
        if let Ok(text) = ShortText::new(text) {
            let encoded = to_bytes(&text);
            prop_assert_eq!(from_bytes(&encoded), Ok(text));
        }
    }

    #[test]
    fn times(seconds in -62_167_219_200i64..253_402_300_800, nanoseconds in 0..1_000_000_000u32) {
        let time = UtcTime::new(seconds, nanoseconds).unwrap();
        prop_assert_eq!((time.seconds(), time.nanoseconds()), (seconds, nanoseconds));
        prop_assert_eq!(from_text(&to_text(&time)), Ok(time));
    }

    #[test]
    fn versions(min in any::<u16>(), max in any::<u16>(), other in any::<(u16, u16)>()) {
        let range = VersionRange::new(SmpVersion(min), SmpVersion(max));
        prop_assert_eq!(range.is_some(), min <= max);
        let Some(range) = range else { return Ok(()) };
        round_trip(&range);
        prop_assert_eq!(from_text(&to_text(&range)), Ok(range));
        if let Some(other) = VersionRange::new(SmpVersion(other.0), SmpVersion(other.1)) {
            prop_assert_eq!(range.compatible(&other), other.compatible(&range));
            if let Some(version) = range.compatible(&other) {
                prop_assert!(range.contains(version) && other.contains(version));
            }
        }
    }

    #[test]
    fn addresses(address in arbitrary::any_address()) {
        let without = address.without_password();
        round_trip(&without);
        prop_assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn bodies(
        time in any::<i64>(),
        notification in any::<bool>(),
        body in bytes(0..300),
        key in any::<Option<[u8; 32]>>(),
        sender_key in arbitrary::any_auth_key(),
        version in any::<u16>(),
        id in any_id(),
    ) {
        let time = UnixSeconds(time);
        let flags = MessageFlags { notification };
        // A time that begins with the letters of the quota mark is no time of a message of this millennium.
        prop_assume!(!to_bytes(&time).starts_with(b"QUOTA "));
        let received = ReceivedBody::Message { time, flags, body: body.clone().into() };
        assert_eq!(from_bytes(&to_bytes(&received)), Ok(received.clone()));
        let quota = ReceivedBody::Quota { time };
        assert_eq!(from_bytes(&to_bytes(&quota)), Ok(quota.clone()));
        let envelope = ClientEnvelope {
            version: SmpClientVersion(version),
            key: key.map(|key| SenderDhKey(X25519PublicKey::from_bytes(key))),
            nonce: Nonce::from_slice_padded(&id),
            encrypted: body.clone().into(),
        };
        assert_eq!(from_bytes(&to_bytes(&envelope)), Ok(envelope.clone()));
        for header in [PrivateHeader::Empty, PrivateHeader::Confirmation(sender_key.into())] {
            let message = ClientMessage { header, body: body.clone().into() };
            assert_eq!(from_bytes(&to_bytes(&message)), Ok(message.clone()));
        }
        let correlation_id = CorrelationId::new(&id).unwrap();
        let meta = NotificationMeta { message_id: id.as_slice().try_into().unwrap(), time };
        round_trip(&meta);
        let forwarded = ForwardedTransmission {
            correlation_id: correlation_id.clone(),
            version: SmpVersion(version),
            key: X25519PublicKey::from_bytes(key.unwrap_or_default()).into(),
            transmission: body.clone().into(),
        };
        assert_eq!(from_bytes(&to_bytes(&forwarded)), Ok(forwarded.clone()));
        let response = ForwardedResponse { correlation_id, response: body.into() };
        assert_eq!(from_bytes(&to_bytes(&response)), Ok(response.clone()));
    }

    #[test]
    fn handshakes(
        version in any_version(),
        fingerprint in bytes(0..40),
        key in any::<Option<[u8; 32]>>(),
        proxy in any::<bool>(),
        certified in prop::option::of(arbitrary::any_certified_key()),
        id in any_id(),
    ) {
        let hello = RelayHello {
            versions: VersionRange::new(SmpVersion(6), version).unwrap(),
            session_id: SessionId::new(&id).unwrap(),
            key: certified.clone().filter(|_| version.0 >= 7),
        };
        prop_assert_eq!(RelayHello::read(&to_bytes(&hello)), Ok(hello.clone()));
        let service = certified.map(|key| ClientService { role: ServiceRole::Notifier, key });
        let hello = ClientHello {
            version,
            fingerprint: ShortString::new(fingerprint).unwrap(),
            key: key.map(X25519PublicKey::from_bytes).filter(|_| version.0 >= 7),
            proxy: proxy && version.0 >= 14,
            service: service.filter(|_| version.0 >= 16),
        };
        prop_assert_eq!(ClientHello::read(&to_bytes(&hello)), Ok(hello.clone()));
        let response = ServiceResponse::Registered(id.as_slice().try_into().unwrap());
        round_trip(&response);
    }

    /// Arbitrary bytes, and valid encodings with a few bytes changed, inserted or removed.
    #[test]
    fn no_input_panics(
        random in bytes(0..600),
        command in any_command(),
        message in any_message(),
        session in session(),
        key in arbitrary::any_certified_key(),
        address in arbitrary::any_address(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 0..4),
    ) {
        let valid = [
            random,
            command.to_bytes(session.version),
            message.to_bytes(session.version),
            to_bytes(&key),
            key.chain.leaf().to_vec(),
            address.to_string().into_bytes(),
            to_bytes(&address),
        ];
        for mut input in valid {
            for (index, byte, edit) in &edits {
                let index = index.index(input.len() + 1);
                match edit {
                    0 if index < input.len() => input[index] = *byte,
                    1 if index < input.len() => drop(input.remove(index)),
                    _ => input.insert(index, *byte),
                }
            }
            read_everything(&input, &session);
            let mut transmission = vec![1, 0, 0, 0];
            transmission.extend_from_slice(&input);
            let length = (transmission.len() - 3) as u16;
            transmission[1..3].copy_from_slice(&length.to_be_bytes());
            read_everything(&transmission, &session);
        }
    }
}

fn text<T: TextDecode>(input: &[u8]) {
    let _ = T::text_decode(&mut TextReader::new(input));
}

/// Every reader on the same bytes.
fn read_everything(input: &[u8], session: &SessionParameters) {
    let version = session.version;
    if let Ok(command) = Command::decode(input, version) {
        let _ = command.to_bytes(version);
    }
    if let Ok(message) = BrokerMessage::decode(input, version) {
        let _ = message.to_bytes(version);
    }
    let _ = read_commands(input, session).count();
    let _ = read_messages(input, session).count();
    let _ = (RelayHello::read(input), ClientHello::read(input), ServiceResponse::read(input));
    let _ = (from_bytes::<ReceivedBody<'_>>(input), from_bytes::<NotificationMeta>(input));
    let _ = (from_bytes::<ClientEnvelope<'_>>(input), from_bytes::<ClientMessage<'_>>(input));
    let _ = (from_bytes::<ForwardedTransmission<'_>>(input), from_bytes::<ForwardedResponse<'_>>(input));
    let _ = (from_bytes::<RelayAddress>(input), from_bytes::<Host>(input), from_bytes::<Password>(input));
    let _ = (from_bytes::<TransportError>(input), ErrorType::decode(&mut Reader::new(input)));
    let _ = from_bytes::<NonEmpty<LargeString<'_>>>(input);
    text::<RelayAddress>(input);
    text::<Host>(input);
    text::<UtcTime>(input);
    text::<NonEmpty<i64>>(input);
    text::<VersionRange<SmpVersion>>(input);
    read_certificates(input);
}

fn read_certificates(input: &[u8]) {
    for key in [from_bytes::<CertifiedKey>(input).ok()].into_iter().flatten() {
        let _ = (key.chain.leaf_key(), key.chain.is_linked(), key.chain.relay_fingerprint());
        if let Some(leaf) = key.chain.leaf_key() {
            let _ = (key.signed_key.verify_x25519(&leaf), key.signed_key.verify_ed25519(&leaf));
        }
    }
    let _ = from_bytes::<SignedKey>(input);
    if let Ok(chain) = CertificateChain::new(vec![input.to_vec(), input.to_vec()]) {
        let _ = (chain.leaf_key(), chain.is_linked(), chain.service_fingerprint());
    }
}
