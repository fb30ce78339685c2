//! One answer or message of a relay. First byte: the version.

use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;

use super::command::{encodings, parsed};
use crate::check::version;
use crate::seeds::{Vectors, version_byte};

/// Reads a message, checks that its encoding settles.
pub fn run(data: &[u8]) {
    let Some((version, bytes)) = version(data) else { return };
    if let Ok(message) = BrokerMessage::decode(bytes, version) {
        settles(&message, version);
        let owned = message.clone().into_owned();
        assert_eq!(owned, message);
    }
}

/// Checks that a message that was read is written and read again, and then written the same.
pub(super) fn settles(message: &BrokerMessage<'_>, version: SmpVersion) {
    let written = message.to_bytes(version);
    match BrokerMessage::decode(&written, version) {
        Ok(again) => assert_eq!(again.to_bytes(version), written),
        Err(error) => panic!("{:?} of {version} is not read back: {error}", message.tag()),
    }
}

/// Messages of the vectors, each in all of its versions, and every error inside of `ERR`.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = encodings(vectors, "broker_message");
    seeds.extend(parsed(vectors, "client_parse"));
    for error in vectors.bytes("commands", &["error_text_form"], "smp_encoded") {
        seeds.push([&[version_byte(18)], b"ERR ".as_slice(), &error].concat());
        seeds.push([&[version_byte(18)], b"ERR PROXY PROTOCOL ".as_slice(), &error].concat());
    }
    seeds.push([&[version_byte(19)], b"SOKS ".as_slice(), &[0; 8], &[16], &[7; 16]].concat());
    seeds.push([&[version_byte(19)], b"ALLS".as_slice()].concat());
    seeds
}
