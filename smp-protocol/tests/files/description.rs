//! Descriptions and links in the vectors.

use serde_json::Value;
use smp_crypto::{Ed25519PrivateKey, Nonce, PrivateAuthKey, SecretBoxKey};
use smp_protocol::id::EntityId;
use smp_protocol::link::LinkScheme;
use smp_protocol::xftp::description::{
    ChunkReplica, DescriptionError, FileChunk, FileChunks, FileDescription, FileParty, Redirect,
};
use smp_protocol::xftp::link::{FileLink, FileLinkError, FileWebLink};
use smp_vectors::{array, bytes, fields, list, number, optional, text};

fn small(value: &Value) -> u32 {
    number(value).try_into().unwrap()
}

fn replica(value: &Value) -> ChunkReplica {
    let [server, id, key] = fields(value, ["server", "id", "ed25519_key"]);
    let id = EntityId::new(&bytes(id)).unwrap();
    let key = PrivateAuthKey::from(Ed25519PrivateKey::from_bytes(array(key)));
    ChunkReplica { relay: text(server).parse().unwrap(), id, key }
}

/// The description that a case has as a structure.
fn structure(value: &Value) -> FileDescription {
    let [party, size, digest, key, nonce, chunk_size, chunks, redirect] =
        fields(value, ["party", "size", "digest", "key", "nonce", "chunk_size", "chunks", "redirect"]);
    let chunks = (1_u64..).zip(list(chunks)).map(|(expected, chunk)| {
        let [chunk_number, size, digest, replicas] = fields(chunk, ["number", "size", "digest", "replicas"]);
        assert_eq!(number(chunk_number), expected);
        FileChunk {
            size: small(size),
            digest: array(digest),
            replicas: list(replicas).iter().map(replica).collect(),
        }
    });
    let redirect = optional(redirect, |redirect| {
        let [size, digest] = fields(redirect, ["size", "digest"]);
        Redirect { size: number(size), digest: array(digest) }
    });
    let description = FileDescription {
        party: match text(party) {
            "recipient" => FileParty::Recipient,
            "sender" => FileParty::Sender,
            other => panic!("unknown party {other}"),
        },
        digest: array(digest),
        key: SecretBoxKey::from_bytes(array(key)),
        nonce: Nonce::from_bytes(array(nonce)),
        chunk_size: small(chunk_size),
        chunks: FileChunks::new(chunks.collect()).unwrap(),
        redirect,
    };
    assert_eq!(description.size(), number(size));
    description
}

pub(crate) fn read(case: &Value) -> FileDescription {
    let description = FileDescription::from_yaml(text(&case["yaml"])).unwrap();
    // Its Debug has nothing to compare: it shows no more than a size.
    assert!(description == structure(&case["description"]));
    description
}

pub(crate) fn written(case: &Value) {
    let description = read(case);
    assert_eq!(description.to_yaml(), text(&case["yaml"]));
    let is_recipients = description.party == FileParty::Recipient;
    assert_eq!(FileDescription::for_recipient(text(&case["yaml"])).is_ok(), is_recipients);
    assert_eq!(FileDescription::for_sender(text(&case["yaml"])).is_ok(), !is_recipients);
    let shown = format!("{description:?}");
    assert!(shown.len() < 60 && shown.contains("bytes"), "{shown}");
}

pub(crate) fn refused(case: &Value) {
    let error = FileDescription::from_yaml(text(&case["yaml"])).unwrap_err();
    let name = match error {
        DescriptionError::Missing(_) => "missing",
        DescriptionError::Damaged { .. } => "damaged",
        DescriptionError::Chunks => "chunks",
        DescriptionError::Contradiction => "contradiction",
        DescriptionError::Size => "size",
        DescriptionError::Yaml(_) => "yaml",
        other => panic!("{other}"),
    };
    assert_eq!(name, text(&case["error"]), "{error}");
}

pub(crate) fn link(case: &Value) {
    let link = FileLink::from_uri(text(&case["uri"])).unwrap();
    assert_eq!(link.to_uri(), text(&case["uri"]));
    assert_eq!(link.description().to_yaml(), text(&case["yaml"]));
    assert_eq!(link.scheme.to_string(), text(&case["scheme"]));
    assert_eq!(link.client_data.as_deref(), case["client_data"].as_str());
    assert!(format!("{link:?}").len() < 70, "no key is shown");
    // A slash may follow the word.
    let slashed = text(&case["uri"]).replace("/file#", "/file/#");
    assert!(FileLink::from_uri(&slashed).unwrap() == link);
    if link.scheme == LinkScheme::Simplex {
        assert_eq!(FileLink::new(link.description().clone()).unwrap().to_uri(), text(&case["uri"]));
    }
}

pub(crate) fn web_link(case: &Value) {
    let link = FileWebLink::from_uri(text(&case["uri"])).unwrap();
    assert_eq!(link.description().to_yaml(), text(&case["yaml"]));
    assert_eq!(LinkScheme::Https(link.page.clone()).to_string(), text(&case["page"]));
    // Another deflater may write other bytes.
    let again = FileWebLink::of_first_relay(link.description().clone()).unwrap();
    assert!(FileWebLink::from_uri(&again.to_uri()).unwrap() == link);
    assert!(format!("{link:?}").len() < 70, "no key is shown");
    let cut = &text(&case["uri"])[..text(&case["uri"]).len() - 8];
    assert!(FileWebLink::from_uri(cut).is_err());
    assert_eq!(FileLink::from_uri(text(&case["uri"])).unwrap_err(), FileLinkError::NotALink);
}

pub(crate) fn link_refused(case: &Value) {
    let uri = text(&case["uri"]);
    assert!(FileLink::from_uri(uri).is_err() && FileWebLink::from_uri(uri).is_err());
}
