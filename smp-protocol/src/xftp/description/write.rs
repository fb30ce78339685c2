//! Writing descriptions, byte for byte as the reference does: fields in the order of the alphabet, replicas by relay.

use std::cmp::Ordering;

use zeroize::Zeroizing;

use super::{ChunkReplica, FileChunk, FileDescription, FileParty, format_size};
use crate::address::XftpAddress;
use crate::base64url;

pub(super) fn write(description: &FileDescription) -> String {
    let mut lines = Lines::default();
    lines.field("chunkSize", &format_size(description.chunk_size.into()));
    lines.field("digest", &base64url::encode(&description.digest));
    lines.field("key", &base64url::encode(description.key.as_bytes()));
    lines.field("nonce", &description.nonce.to_text());
    let party = match description.party {
        FileParty::Recipient => "recipient",
        FileParty::Sender => "sender",
    };
    lines.field("party", party);
    if let Some(redirect) = &description.redirect {
        lines.line("redirect:");
        lines.field("  digest", &base64url::encode(&redirect.digest));
        // The only number: all other sizes are texts.
        lines.line(&format!("  size: {}", redirect.size));
    }
    lines.line("replicas:");
    for (relay, replicas) in by_relay(description) {
        lines.line("- chunks:");
        replicas.iter().for_each(|replica| lines.line(&format!("  - {}", &**replica)));
        lines.field("  server", &relay.without_password().to_string());
    }
    lines.field("size", &format_size(description.size()));
    lines.0
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Values that another reader could take for something else than a text stand in quotes. None has a quote in it.
    fn field(&mut self, name: &str, value: &str) {
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        if is_number || value.starts_with("---") {
            self.line(&format!("{name}: '{value}'"));
        } else {
            self.line(&format!("{name}: {value}"));
        }
    }
}

/// The replicas by relay, in the order of relays.
fn by_relay(description: &FileDescription) -> Vec<(&XftpAddress, Vec<Zeroizing<String>>)> {
    let chunks = description.chunks.as_slice();
    let mut replicas: Vec<(&XftpAddress, Zeroizing<String>)> = (1_u32..)
        .zip(chunks)
        .flat_map(|(number, chunk)| {
            chunk.replicas.iter().enumerate().map(move |replica| (number, chunk, replica))
        })
        .map(|(number, chunk, (index, replica))| {
            (&replica.relay, line(number, chunk, index, replica, description.chunk_size))
        })
        .collect();
    // Stable: within a relay they stay in the order of the chunks.
    replicas.sort_by(|(one, _), (other, _)| order(one, other));
    let mut groups: Vec<(&XftpAddress, Vec<Zeroizing<String>>)> = Vec::new();
    for (relay, line) in replicas {
        match groups.last_mut() {
            Some((last, lines)) if order(last, relay).is_eq() => lines.push(line),
            _ => groups.push((relay, vec![line])),
        }
    }
    groups
}

/// By hosts, then by the port as text, then by fingerprint.
fn order(one: &XftpAddress, other: &XftpAddress) -> Ordering {
    let port = |address: &XftpAddress| address.0.port.map(|port| port.to_string()).unwrap_or_default();
    let hosts = one.0.hosts.as_slice().cmp(other.0.hosts.as_slice());
    hosts.then_with(|| port(one).cmp(&port(other))).then_with(|| one.0.fingerprint.cmp(&other.0.fingerprint))
}

/// Only the first replica of a chunk says its digest, and its size if that is not the usual one.
fn line(
    number: u32,
    chunk: &FileChunk,
    index: usize,
    replica: &ChunkReplica,
    chunk_size: u32,
) -> Zeroizing<String> {
    let key = Zeroizing::new(base64url::encode(&replica.key.to_der()));
    let id = base64url::encode(replica.id.as_bytes());
    let mut line = Zeroizing::new(format!("{number}:{id}:{}", &**key));
    if index == 0 {
        line.push(':');
        line.push_str(&base64url::encode(&chunk.digest));
        if chunk.size != chunk_size {
            line.push(':');
            line.push_str(&format_size(chunk.size.into()));
        }
    }
    line
}
