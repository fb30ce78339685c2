//! A ratchet message that reaches a ratchet in the middle of a conversation.
//!
//! First byte: which conversation. Second byte: whether the other bytes are the message; or a header (two bytes of length
//! in front) and a body, of which the header is encrypted as the other side would do it, for the current or the next chain;
//! or a text that the other side encrypts, with one byte changed. The authentic headers are what finds mistakes in the
//! ratchet step and in counting: nobody but a hostile partner can make them.

use std::sync::OnceLock;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use smp_crypto::aes_gcm::{AesIv, AesKey};
use smp_crypto::padding::pad;
use smp_protocol::version::RatchetVersion;
use smp_ratchet::{
    Decrypted, EncryptOptions, JoiningKeys, MAX_SKIPPED, OfferedKeys, PADDED_PQ_HEADER, POST_QUANTUM_VERSION,
    Ratchet, RatchetVersions, ReceivingHeaderKey, SkippedChange, SkippedKeys,
};

use crate::check::{join_parts, two_parts, way};
use crate::seeds::{Vectors, with_first};

/// Length of bodies in these conversations.
const BODY: usize = 200;

/// Both sides of a conversation, seen from the one that receives.
#[derive(Debug)]
pub(super) struct Conversation {
    receiver: Ratchet,
    skipped: SkippedKeys,
    sender: Ratchet,
    /// Messages that have not arrived.
    on_the_way: Vec<Vec<u8>>,
}

impl Conversation {
    /// The receiver's ratchet.
    pub(super) fn ratchet(&self) -> &Ratchet {
        &self.receiver
    }
}

fn options(version: u16) -> EncryptOptions {
    EncryptOptions { padded_length: BODY, pq: None, max_version: RatchetVersion(version) }
}

/// Conversations of each version, at their beginning and after some turns, with messages left out.
pub(super) fn conversations() -> &'static [Conversation] {
    static CONVERSATIONS: OnceLock<Vec<Conversation>> = OnceLock::new();
    CONVERSATIONS.get_or_init(|| {
        let kinds = [(2, false), (3, false), (3, true)];
        let turns = kinds.into_iter().flat_map(|(version, pq)| [0, 1, 3].map(|turns| (version, pq, turns)));
        turns.filter_map(|(version, pq, turns)| conversation(version, pq, turns)).collect()
    })
}

fn conversation(version: u16, pq: bool, turns: usize) -> Option<Conversation> {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(version));
    let versions = RatchetVersions { current: RatchetVersion(version), max_supported: RatchetVersion(3) };
    let offered = OfferedKeys::generate(RatchetVersion(version), pq, &mut rng);
    let offer = offered.parameters(RatchetVersion(version));
    let joining = JoiningKeys::generate(&offer, pq, &mut rng);
    let mut sender = joining.ratchet(&offer, versions, &mut rng).ok()?;
    let mut receiver = offered.ratchet(&joining.parameters(RatchetVersion(version)), versions, pq).ok()?;
    let mut skipped = SkippedKeys::default();
    for _ in 0..turns {
        for number in 0..4 {
            let sent = sender.encrypt(b"text", options(version)).ok()?;
            sender = sent.ratchet;
            // The second of four is left out.
            if number != 1 {
                let received = receiver.decrypt(&sent.message, &skipped, &mut rng).ok()?;
                skipped.apply(received.skipped);
                receiver = received.ratchet;
            }
        }
        let answer = receiver.encrypt(b"answer", options(version)).ok()?;
        receiver = answer.ratchet;
        sender = sender.decrypt(&answer.message, &SkippedKeys::default(), &mut rng).ok()?.ratchet;
    }
    let mut on_the_way = Vec::new();
    for _ in 0..3 {
        let sent = sender.encrypt(b"later text", options(version)).ok()?;
        sender = sent.ratchet;
        on_the_way.push(sent.message);
    }
    Some(Conversation { receiver, skipped, sender, on_the_way })
}

/// Gives the message to the ratchet.
pub fn run(data: &[u8]) {
    let conversations = conversations();
    let Some((number, rest)) = way(data, conversations.len() as u8) else { return };
    let (Some((way, bytes)), Some(conversation)) = (way(rest, 4), conversations.get(usize::from(number)))
    else {
        return;
    };
    let state = conversation.receiver.state();
    let current = state.receiving.as_ref().map(|chain| &chain.header_key);
    match way {
        0 => receive(conversation, bytes),
        1 => authentic(conversation, current.unwrap_or(&state.next_receiving_header_key), bytes),
        2 => authentic(conversation, &state.next_receiving_header_key, bytes),
        _ => damaged(conversation, bytes),
    }
}

fn receive(conversation: &Conversation, message: &[u8]) {
    let before = conversation.receiver.clone();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let received = conversation.receiver.decrypt(message, &conversation.skipped, &mut rng);
    assert_eq!(conversation.receiver, before, "a ratchet is a value");
    let Ok(Decrypted { ratchet, skipped, plaintext, .. }) = received else { return };
    if let SkippedChange::Added(keys) = &skipped {
        assert!(keys.len() <= 2 * MAX_SKIPPED as usize);
        assert_ne!(ratchet, before);
    }
    if let Ok(plaintext) = plaintext {
        assert!(plaintext.len() < message.len());
    }
    assert_eq!(Ratchet::from_bytes(&ratchet.to_bytes()), Ok(ratchet.clone()));
    // A key that was used is gone.
    let mut after = conversation.skipped.clone();
    after.apply(skipped);
    if let Ok(again) = ratchet.decrypt(message, &after, &mut rng) {
        assert!(again.plaintext.is_err());
    }
}

/// A message whose header was encrypted with this key.
fn authentic(conversation: &Conversation, key: &ReceivingHeaderKey, bytes: &[u8]) {
    let Some((header, body)) = two_parts(bytes) else { return };
    let state = conversation.receiver.state();
    let version = state.versions.current;
    let header = &header[..header.len().min(PADDED_PQ_HEADER - 2)];
    let Ok(mut text) = pad(header, if version >= POST_QUANTUM_VERSION { PADDED_PQ_HEADER } else { 88 })
    else {
        return;
    };
    let iv = AesIv([19; 16]);
    let associated_data = state.associated_data.as_bytes();
    let Ok(tag) = AesKey::from_bytes(*key.as_bytes()).seal_in_place(&iv, associated_data, &mut text) else {
        return;
    };
    let sealed = [&version.0.to_be_bytes()[..], &iv.0, &tag.0, &length(version, text.len()), &text].concat();
    receive(conversation, &[&length(version, sealed.len()), &sealed[..], body].concat());
}

fn length(version: RatchetVersion, length: usize) -> Vec<u8> {
    let bytes = (length as u16).to_be_bytes();
    if version >= POST_QUANTUM_VERSION { bytes.to_vec() } else { bytes[1..].to_vec() }
}

/// A message of the other side with one byte changed, or none.
fn damaged(conversation: &Conversation, bytes: &[u8]) {
    let Some((position, text)) = bytes.split_first_chunk() else { return };
    let version = conversation.sender.versions().current;
    let Ok(sent) = conversation.sender.encrypt(text, options(version.0)) else { return };
    let mut message = sent.message;
    if let Some(byte) = message.get_mut(usize::from(u16::from_be_bytes(*position))) {
        *byte ^= 1;
    }
    receive(conversation, &message);
}

/// Messages on the way, headers of the vectors, texts.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let headers = vectors.bytes("ratchet_x3dh", &["message_header"], "encoded");
    let files = ["ratchet_v2", "ratchet_v3_no_pq", "ratchet_v3_pq"];
    for (number, conversation) in conversations().iter().enumerate() {
        let mut own = Vec::from_iter(with_first(0, conversation.on_the_way.clone()));
        let of_version = vectors.bytes(files[number / 3], &["encrypt"], "header").into_iter().take(6);
        for header in headers.iter().cloned().chain(of_version) {
            let parts = join_parts(&header, &[20; BODY + 16]);
            own.extend([1, 2].map(|way| [&[way], &parts[..]].concat()));
        }
        own.push([&[3, 0xff, 0xff][..], b"an undamaged text"].concat());
        own.push([&[3, 0, 200][..], b"a damaged text"].concat());
        seeds.extend(with_first(number as u8, own));
    }
    seeds
}
