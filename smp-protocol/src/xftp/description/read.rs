//! Reading descriptions.

use std::collections::BTreeMap;

use smp_crypto::{Nonce, PrivateAuthKey, SecretBoxKey};
use zeroize::Zeroizing;

use super::yaml::{self, Node};
use super::{
    ChunkReplica, DescriptionError, FileChunk, FileChunks, FileDescription, FileParty, MAX_DESCRIPTION_BYTES,
    MAX_REPLICAS, Redirect, parse_size,
};
use crate::address::XftpAddress;
use crate::base64url;
use crate::encoding::DecodeError;
use crate::id::EntityId;

pub(super) fn read(text: &str) -> Result<FileDescription, DescriptionError> {
    if text.len() > MAX_DESCRIPTION_BYTES {
        return Err(DescriptionError::TooLong);
    }
    let document = yaml::parse(text)?;
    let fields = Fields(&document);
    let chunk_size = fields.chunk_size("chunkSize")?;
    let chunks = read_chunks(&document, chunk_size)?;
    if chunks.size() != fields.read("size", parse_size)? {
        return Err(DescriptionError::Size);
    }
    Ok(FileDescription {
        party: fields.read("party", read_party)?,
        digest: fields.read("digest", bytes)?,
        key: fields.read("key", |text| bytes(text).map(SecretBoxKey::from_bytes))?,
        nonce: fields.read("nonce", |text| bytes(text).map(Nonce::from_bytes))?,
        chunk_size,
        chunks,
        redirect: read_redirect(&document)?,
    })
}

/// The fields of a map.
struct Fields<'a>(&'a Node);

impl Fields<'_> {
    fn read<T>(
        &self,
        field: &'static str,
        read: impl FnOnce(&str) -> Result<T, DecodeError>,
    ) -> Result<T, DescriptionError> {
        let node = self.0.get(field).ok_or(DescriptionError::Missing(field))?;
        let text = node.text().ok_or(DecodeError::Invalid("kind of value"));
        text.and_then(read).map_err(|error| DescriptionError::Damaged { field, error })
    }

    fn chunk_size(&self, field: &'static str) -> Result<u32, DescriptionError> {
        self.read(field, read_chunk_size)
    }
}

fn read_party(text: &str) -> Result<FileParty, DecodeError> {
    match text {
        "recipient" => Ok(FileParty::Recipient),
        "sender" => Ok(FileParty::Sender),
        _ => Err(DecodeError::Invalid("party")),
    }
}

fn read_chunk_size(text: &str) -> Result<u32, DecodeError> {
    u32::try_from(parse_size(text)?).map_err(|_| DecodeError::Invalid("size of a chunk"))
}

/// Base64url text of so many bytes.
fn bytes<const N: usize>(text: &str) -> Result<[u8; N], DecodeError> {
    let bytes = Zeroizing::new(base64url::decode(text)?);
    bytes.as_slice().try_into().map_err(|_| DecodeError::Invalid("number of bytes"))
}

fn read_redirect(document: &Node) -> Result<Option<Redirect>, DescriptionError> {
    let Some(redirect) = document.get("redirect").filter(|node| !node.is_null()) else {
        return Ok(None);
    };
    let fields = Fields(redirect);
    Ok(Some(Redirect { size: fields.read("size", parse_size)?, digest: fields.read("digest", bytes)? }))
}

fn read_chunks(document: &Node, chunk_size: u32) -> Result<FileChunks, DescriptionError> {
    const FIELD: &str = "replicas";
    let damaged = |error| DescriptionError::Damaged { field: FIELD, error };
    let relays = document.get(FIELD).ok_or(DescriptionError::Missing(FIELD))?;
    let mut chunks = Numbered::default();
    for relay in relays.list().ok_or(damaged(DecodeError::Invalid("kind of value")))? {
        let address = Fields(relay).read("server", read_address)?;
        let replicas = relay.get("chunks").ok_or(DescriptionError::Missing("chunks"))?;
        for replica in replicas.list().ok_or(damaged(DecodeError::Invalid("kind of value")))? {
            let text = replica.text().ok_or(damaged(DecodeError::Invalid("kind of value")))?;
            chunks.add(read_replica(text, &address).map_err(damaged)?)?;
        }
    }
    chunks.finish(chunk_size)
}

fn read_address(text: &str) -> Result<XftpAddress, DecodeError> {
    let address: XftpAddress = text.parse()?;
    if address.0.password.is_some() {
        return Err(DecodeError::Invalid("address: a password has no place in a description"));
    }
    Ok(address)
}

/// One line: `number:ID:key[:digest[:size]]`.
struct ReplicaLine {
    number: u32,
    replica: ChunkReplica,
    digest: Option<[u8; 32]>,
    size: Option<u32>,
}

fn read_replica(text: &str, relay: &XftpAddress) -> Result<ReplicaLine, DecodeError> {
    let mut parts = text.split(':');
    let mut part = || parts.next().ok_or(DecodeError::UnexpectedEnd);
    let number = part()?;
    if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(DecodeError::Invalid("number of a chunk"));
    }
    let number = number.parse().map_err(|_| DecodeError::Invalid("number of a chunk"))?;
    let id = base64url::decode(part()?)?;
    let id = EntityId::new(&id).map_err(|_| DecodeError::Invalid("ID of a chunk"))?;
    let key = Zeroizing::new(base64url::decode(part()?)?);
    let key = PrivateAuthKey::from_der(&key)?;
    let digest = parts.next().map(bytes).transpose()?;
    let size = parts.next().map(read_chunk_size).transpose()?;
    if parts.next().is_some() {
        return Err(DecodeError::TrailingBytes);
    }
    if id.is_empty() {
        return Err(DecodeError::Invalid("ID of a chunk"));
    }
    Ok(ReplicaLine { number, replica: ChunkReplica { relay: relay.clone(), id, key }, digest, size })
}

/// Chunks by their numbers, as far as they have been read.
#[derive(Default)]
struct Numbered {
    chunks: BTreeMap<u32, Known>,
    replicas: usize,
}

/// Facts that the replicas of a chunk have told so far.
#[derive(Default)]
struct Known {
    digest: Option<[u8; 32]>,
    size: Option<u32>,
    replicas: Vec<ChunkReplica>,
}

impl Numbered {
    fn add(&mut self, line: ReplicaLine) -> Result<(), DescriptionError> {
        self.replicas += 1;
        if self.replicas > MAX_REPLICAS {
            return Err(DescriptionError::TooLong);
        }
        let known = self.chunks.entry(line.number).or_default();
        agree(&mut known.digest, line.digest)?;
        agree(&mut known.size, line.size)?;
        known.replicas.push(line.replica);
        Ok(())
    }

    fn finish(self, chunk_size: u32) -> Result<FileChunks, DescriptionError> {
        if !self.chunks.keys().copied().eq((1..).take(self.chunks.len())) {
            return Err(DescriptionError::Chunks);
        }
        let chunk = |known: Known| {
            let digest = known.digest.ok_or(DescriptionError::Contradiction)?;
            Ok(FileChunk { size: known.size.unwrap_or(chunk_size), digest, replicas: known.replicas })
        };
        FileChunks::new(self.chunks.into_values().map(chunk).collect::<Result<_, _>>()?)
    }
}

/// Takes what is told for the first time; told again, it must be the same.
fn agree<T: PartialEq>(known: &mut Option<T>, told: Option<T>) -> Result<(), DescriptionError> {
    match (&*known, told) {
        (Some(known), Some(told)) if *known != told => Err(DescriptionError::Contradiction),
        (None, Some(told)) => {
            *known = Some(told);
            Ok(())
        }
        _ => Ok(()),
    }
}
