//! Cost of the codec for a full block of 16 KiB, beside that of encrypting the same block.
//!
//! `cargo bench -p smp-protocol --bench block`. The codec should stay under 3 % of the encryption: see `BENCHMARKS.md`.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(missing_docs, clippy::unwrap_used)]

use std::borrow::Cow;
use std::convert::Infallible;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use smp_crypto::block_chain::{BLOCK_SIZE, Block, CONTENT_OFFSET, ChainKeys, MAX_CONTENT};
use smp_crypto::{DhSecret, Nonce};
use smp_protocol::body::{RECEIVED_ENCRYPTED_LENGTH, max_message_length};
use smp_protocol::command::{Command, MessageFlags};
use smp_protocol::id::{CorrelationId, EntityId, MessageId, SessionId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::session::SessionParameters;
use smp_protocol::transmission::{
    AUTHENTICATOR_BYTES, Authorization, BlockContent, CommandKey, authorize, read_commands, read_messages,
    write_command, write_message,
};
use smp_protocol::version::SmpVersion;

struct Setting {
    session: SessionParameters,
    correlation_id: CorrelationId,
    entity_id: EntityId,
    authorization: Authorization,
    send: Command<'static>,
    message: BrokerMessage<'static>,
}

fn setting() -> Setting {
    let session = SessionParameters { version: SmpVersion::MAX, id: SessionId::new(&[1; 32]).unwrap() };
    let key = DhSecret::from_bytes([2; 32]).box_key();
    let authorization =
        authorize(CommandKey::Agreed(&key), None, &Nonce::from_bytes([3; 24]), b"authorized", None).unwrap();
    let body = vec![4; max_message_length(session.version)];
    Setting {
        session,
        correlation_id: CorrelationId::from([5; 24]),
        entity_id: EntityId::from([6; 24]),
        authorization,
        send: Command::Send(MessageFlags { notification: true }, Cow::Owned(body)),
        message: BrokerMessage::Message(
            MessageId::from([7; 24]),
            Cow::Owned(vec![8; RECEIVED_ENCRYPTED_LENGTH]),
        ),
    }
}

/// The authorization is made before: signing and hashing are cryptography.
fn encode_send(setting: &Setting, content: &mut BlockContent) {
    let Setting { session, correlation_id, entity_id, authorization, send, .. } = setting;
    let authorize = |covered: &[u8]| {
        black_box(covered);
        Ok::<_, Infallible>(Some(authorization.clone()))
    };
    let length = AUTHENTICATOR_BYTES;
    content.clear();
    let write = |out: &mut Vec<u8>| {
        write_command(session, correlation_id, entity_id, send, length, authorize, out).unwrap();
    };
    content.push(write).unwrap();
}

fn encode_message(setting: &Setting, content: &mut BlockContent) {
    let Setting { session, correlation_id, entity_id, message, .. } = setting;
    content.clear();
    content.push(|out| write_message(session, correlation_id, entity_id, message, out)).unwrap();
}

/// Reads a block, and makes sure that the body is borrowed from it.
fn decode_send(content: &[u8], session: &SessionParameters) -> usize {
    let mut length = 0;
    for transmission in read_commands(content, session) {
        let Ok(Command::Send(_, Cow::Borrowed(body))) = transmission.map(|t| t.command) else {
            panic!("the body was copied")
        };
        length += black_box(body).len();
    }
    length
}

fn decode_message(content: &[u8], session: &SessionParameters) -> usize {
    let mut length = 0;
    for transmission in read_messages(content, session) {
        let Ok(BrokerMessage::Message(_, Cow::Borrowed(body))) = transmission.message else {
            panic!("the body was copied")
        };
        length += black_box(body).len();
    }
    length
}

fn codec(criterion: &mut Criterion) {
    let setting = setting();
    let (mut send, mut message) = (BlockContent::new(), BlockContent::new());
    encode_send(&setting, &mut send);
    encode_message(&setting, &mut message);
    let mut reused = BlockContent::new();
    let mut group = criterion.benchmark_group("block");
    group.bench_function("encode SEND", |b| b.iter(|| encode_send(black_box(&setting), &mut reused)));
    group.bench_function("encode MSG", |b| b.iter(|| encode_message(black_box(&setting), &mut reused)));
    group.bench_function("decode SEND", |b| {
        b.iter(|| decode_send(black_box(send.as_bytes()), &setting.session));
    });
    group.bench_function("decode MSG", |b| {
        b.iter(|| decode_message(black_box(message.as_bytes()), &setting.session));
    });
    group.finish();
}

fn encryption(criterion: &mut Criterion) {
    let keys = ChainKeys::new(&[1; 32], &DhSecret::from_bytes([9; 32]));
    let (mut seals, _) = keys.clone().into_relay_chains();
    let (_, opens) = keys.into_client_chains();
    let mut block: Block = [0; BLOCK_SIZE];
    block[CONTENT_OFFSET..].fill(10);
    let mut sealed = block;
    seals.clone().seal_in_place(MAX_CONTENT, &mut sealed).unwrap();
    let mut group = criterion.benchmark_group("block");
    group.bench_function("encrypt", |b| {
        b.iter(|| seals.seal_in_place(black_box(MAX_CONTENT), black_box(&mut block)).unwrap());
    });
    group.bench_function("decrypt", |b| {
        b.iter_batched_ref(
            || (opens.clone(), Box::new(sealed)),
            |(opens, block)| black_box(opens.open(block).unwrap()).len(),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, codec, encryption);
criterion_main!(benches);
