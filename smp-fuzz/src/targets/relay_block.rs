//! The content of a block that a relay received. First byte: the version, and from 128 on that the other bytes are the only
//! transmission in the block: blind changes to a whole block seldom leave all of its lengths right.

use std::borrow::Cow;

use smp_protocol::id::SessionId;
use smp_protocol::session::SessionParameters;
use smp_protocol::transmission::{MAX_TRANSMISSIONS, read_commands};
use smp_protocol::version::SmpVersion;

use super::command::settles;
use crate::check::{join_parts, two_parts, version};
use crate::seeds::{Vectors, version_byte};

/// The session of the vectors, so that their transmissions belong to it.
pub(super) fn session(version: SmpVersion) -> SessionParameters {
    let id = b"\x0b\x53\xc3\xbb\x86\x9c\x58\x08\xc5\x50\xf1\x77\xe2\x40\xf9\x5b\
        \x2f\xa3\x62\xe8\x6e\x18\x6b\xf0\x1c\x27\xe7\x5b\x28\x84\x6a\x52";
    SessionParameters { version, id: SessionId::new(id).unwrap_or_default() }
}

/// The version and the content of the block that an input stands for.
pub(super) fn block(data: &[u8]) -> Option<(SmpVersion, Cow<'_, [u8]>)> {
    let (version, bytes) = version(data)?;
    let whole = data.first().is_some_and(|&first| first < 128);
    Some((version, if whole { bytes.into() } else { [&[1], &join_parts(bytes, &[])[..]].concat().into() }))
}

/// Reads a block as a relay does.
pub fn run(data: &[u8]) {
    let Some((version, content)) = block(data) else { return };
    let content = &content[..];
    let session = session(version);
    let mut authorized = Vec::new();
    let mut count = 0;
    for read in read_commands(content, &session) {
        count += 1;
        let Ok(transmission) = read else { continue };
        authorized.clear();
        transmission.write_authorized(&session, &mut authorized);
        assert!(authorized.len() <= content.len() + 1 + session.id.as_bytes().len());
        let tag = transmission.command.tag();
        let has_entity = !transmission.entity_id.is_empty();
        assert_eq!(tag.check_credentials(transmission.authorization.is_some(), has_entity), Ok(()));
        settles(&transmission.command, version);
    }
    assert!((1..=MAX_TRANSMISSIONS).contains(&count));
}

/// Blocks of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    blocks(vectors, "transmissions", &["transmission", "server_reads", "batch"])
}

/// The blocks in cases with a version, and the first transmission of each.
pub(super) fn blocks(vectors: &Vectors, file: &str, kinds: &[&str]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for case in vectors.cases(file, kinds) {
        let (Some(Ok(content)), Some(version)) =
            (case["block_content"].as_str().map(hex::decode), case["version"].as_u64())
        else {
            continue;
        };
        let version = version_byte(version);
        if let Some((transmission, _)) = content.get(1..).and_then(two_parts) {
            // 140 is a multiple of the number of versions.
            seeds.push([&[140 + version], transmission].concat());
        }
        seeds.push([&[version], &content[..]].concat());
    }
    seeds
}
