//! Encrypted files and downloads in the vectors.

use serde_json::Value;
use smp_crypto::hash::{Sha256Stream, Sha512Stream, sha256};
use smp_crypto::tail_box::{OpeningBox, SealingBox};
use smp_crypto::{BoxKey, Nonce, OpenError, SecretBoxKey, X25519PrivateKey};
use smp_protocol::encoding::ShortText;
use smp_protocol::xftp::header::{FileHeader, FileLayout, FilePrefix, PADDING, TAG_BYTES};
use smp_vectors::{array, assert_bytes, bytes, list, number, text};

pub(crate) fn header(name: &str) -> FileHeader {
    FileHeader { name: ShortText::new(name.to_owned()).unwrap(), extra: None }
}

/// Seals in pieces of so many bytes.
fn seal(key: &BoxKey, nonce: &Nonce, content: &[u8], piece: usize) -> Vec<u8> {
    let (mut sealed, mut sealing) = (content.to_vec(), SealingBox::new(key, nonce));
    sealed.chunks_mut(piece).for_each(|piece| sealing.seal(piece));
    sealed.extend_from_slice(&sealing.finish());
    sealed
}

fn open(key: &BoxKey, nonce: &Nonce, sealed: &[u8], piece: usize) -> Result<Vec<u8>, OpenError> {
    let (content, tag) = sealed.split_at(sealed.len() - TAG_BYTES);
    let (mut opened, mut opening) = (content.to_vec(), OpeningBox::new(key, nonce));
    opened.chunks_mut(piece).for_each(|piece| opening.open(piece));
    opening.finish(tag).map(|()| opened)
}

pub(crate) fn download(case: &Value) {
    let private = |field: &str| X25519PrivateKey::from_bytes(array(&case[field]));
    let (recipient, relay) = (private("recipient_x25519_key"), private("relay_x25519_key"));
    let (chunk, nonce) = (bytes(&case["chunk"]), Nonce::from_bytes(array(&case["nonce"])));
    let body = seal(&relay.agree(&recipient.public_key()).box_key(), &nonce, &chunk, 1_000);
    assert_bytes(&body, &case["body"]);
    let opened = open(&recipient.agree(&relay.public_key()).box_key(), &nonce, &body, 777);
    assert_eq!(opened.as_deref(), Ok(&chunk[..]));
}

pub(crate) fn file(case: &Value) {
    let (content, name) = (bytes(&case["content"]), text(&case["file_name"]));
    let key = SecretBoxKey::from_bytes(array(&case["key"])).box_key();
    let nonce = Nonce::from_bytes(array(&case["nonce"]));
    let layout = FileLayout::new(&header(name), content.len() as u64).unwrap();
    let padding = vec![PADDING; usize::try_from(layout.padding).unwrap()];
    let plain = [&layout.prefix[..], &content, &padding].concat();
    let encrypted = seal(&key, &nonce, &plain, 65_536);
    assert_bytes(&encrypted, &case["encrypted"]);
    assert_eq!(encrypted.len() as u64, layout.encrypted_size());
    let mut whole = Sha512Stream::new();
    whole.update(&encrypted);
    assert_bytes(&whole.finish(), &case["sha512"]);
    check_chunks(case, &layout, &encrypted);

    let opened = open(&key, &nonce, &encrypted, 4_096).unwrap();
    let prefix = FilePrefix::read(&opened, encrypted.len() as u64).unwrap();
    assert_eq!((prefix.header, prefix.length), (header(name), content.len() as u64));
    assert_eq!(opened[prefix.start..][..content.len()], content);
    let mut damaged = encrypted;
    damaged[77] ^= 1;
    assert_eq!(open(&key, &nonce, &damaged, 4_096), Err(OpenError::Damaged));
}

fn check_chunks(case: &Value, layout: &FileLayout, encrypted: &[u8]) {
    let sizes: Vec<u64> = list(&case["chunk_sizes"]).iter().map(number).collect();
    assert!(layout.chunks.iter().map(|&size| u64::from(size)).eq(sizes));
    let mut rest = encrypted;
    for (&size, digest) in layout.chunks.iter().zip(list(&case["chunk_sha256"])) {
        let (chunk, after) = rest.split_at(size as usize);
        let mut stream = Sha256Stream::new();
        chunk.chunks(10_000).for_each(|piece| stream.update(piece));
        assert_eq!(sha256(chunk), stream.clone().finish());
        assert_bytes(&stream.finish(), digest);
        rest = after;
    }
    assert!(rest.is_empty());
}
