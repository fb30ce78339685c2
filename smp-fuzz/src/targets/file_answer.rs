//! Answers of a file relay. First byte: an answer, the content of a block, the relay's hello, or the beginning of a file.

use smp_protocol::version::XftpVersion;
use smp_protocol::xftp::handshake::client::{XftpClient, answer, verify_proof};
use smp_protocol::xftp::handshake::{XftpRelayHello, read_refusal};
use smp_protocol::xftp::header::{FileLayout, FilePrefix};
use smp_protocol::xftp::response::XftpResponse;
use smp_protocol::xftp::transmission::read_response;

use super::file_request::{padded, session};
use crate::check::{settles, way};
use crate::seeds::{Vectors, with_first};

/// Reads an answer.
pub fn run(data: &[u8]) {
    let Some((way, bytes)) = way(data, 4) else { return };
    match way {
        0 => response(bytes),
        1 => {
            let Some(block) = padded(bytes) else { return };
            let _ = read_response(&block, &session(bytes));
        }
        2 => hello(bytes),
        _ => prefix(bytes),
    }
}

fn response(bytes: &[u8]) {
    let Ok(response) = XftpResponse::decode(bytes) else { return };
    let mut written = Vec::new();
    response.encode(XftpVersion::MAX, &mut written);
    assert_eq!(XftpResponse::decode(&written), Ok(response));
}

fn hello(content: &[u8]) {
    settles!(XftpRelayHello, content);
    let refusal = read_refusal(content);
    let Ok(hello) = XftpRelayHello::read(content) else { return };
    assert_eq!(refusal, None, "a hello is never taken for an error");
    let fingerprint = hello.key.chain.relay_fingerprint().unwrap_or_default();
    let _ = verify_proof(&hello, &[1; 32], &fingerprint);
    let client = XftpClient {
        versions: XftpVersion::SUPPORTED,
        session_id: &hello.session_id,
        fingerprint: &fingerprint,
        relay_chain: &hello.key.chain,
    };
    if let Ok((answer, agreed)) = answer(&hello, &client) {
        assert_eq!(answer.version, agreed.session.version);
        assert!(XftpVersion::SUPPORTED.contains(answer.version));
    }
}

fn prefix(beginning: &[u8]) {
    const SIZE: u64 = 1 << 20;
    let Ok(prefix) = FilePrefix::read(beginning, SIZE) else { return };
    assert!(prefix.start as u64 + prefix.length <= SIZE - 16);
    let Ok(layout) = FileLayout::new(&prefix.header, prefix.length) else { panic!("the file is small") };
    assert_eq!(FilePrefix::read(&layout.prefix, SIZE), Ok(prefix));
}

/// Answers of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> =
        with_first(0, vectors.bytes("files", &["response", "response_block"], "response")).collect();
    seeds.extend(with_first(1, vectors.bytes("files", &["response_block"], "content")));
    seeds.extend(with_first(2, vectors.bytes("files", &["relay_hello", "refusal"], "content")));
    seeds.push(b"\x03\0\0\0\0\0\0\x07\x08\x05a.txt1\x01eabc###".to_vec());
    seeds
}
