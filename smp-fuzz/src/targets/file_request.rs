//! Requests to a file relay. First byte: a command, the content of a block, or a message of the handshake.

use smp_protocol::encoding::to_bytes;
use smp_protocol::id::SessionId;
use smp_protocol::xftp::command::XftpCommand;
use smp_protocol::xftp::handshake::{WebHello, XftpClientHello};
use smp_protocol::xftp::session::XftpSession;
use smp_protocol::xftp::transmission::{read_command, response_block};
use smp_protocol::xftp::{BLOCK_BYTES, response::XftpResponse};

use crate::check::{settles, way};
use crate::seeds::{Vectors, with_first};

/// Reads a request, and answers it.
pub fn run(data: &[u8]) {
    let Some((way, bytes)) = way(data, 3) else { return };
    match way {
        0 => command(bytes),
        1 => block(bytes),
        _ => {
            settles!(WebHello, bytes);
            settles!(XftpClientHello, bytes);
            let _ = (WebHello::read(bytes), XftpClientHello::read(bytes));
        }
    }
}

fn command(bytes: &[u8]) {
    let Ok(command) = XftpCommand::decode(bytes) else { return };
    assert_eq!(XftpCommand::decode(&to_bytes(&command)), Ok(command));
}

/// The session whose ID stands behind the authorization of the transmission, so that one that is like a good one gets further.
pub(super) fn session(content: &[u8]) -> XftpSession {
    let id = || {
        let authorization = usize::from(*content.get(3)?);
        let length = usize::from(*content.get(4 + authorization)?);
        content.get(5 + authorization..)?.get(..length)
    };
    XftpSession::without_handshake(SessionId::new(id().unwrap_or_default()).unwrap_or_default())
}

/// The content as a block.
pub(super) fn padded(content: &[u8]) -> Option<Vec<u8>> {
    smp_crypto::padding::pad(content, BLOCK_BYTES).ok()
}

fn block(content: &[u8]) {
    let Some(block) = padded(content) else { return };
    let session = session(content);
    let (correlation_id, entity_id, response) = match read_command(&block, &session) {
        Ok(read) => (read.correlation_id, read.entity_id, XftpResponse::Ok),
        Err(refused) => (refused.correlation_id, refused.entity_id, XftpResponse::Error(refused.error)),
    };
    assert!(response_block(&session, &correlation_id, &entity_id, &response).is_ok());
}

/// Requests of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> =
        with_first(0, vectors.bytes("files", &["command", "command_refused"], "command")).collect();
    seeds.extend(with_first(1, vectors.bytes("files", &["command", "command_block_refused"], "content")));
    let hellos = ["client_hello", "client_hello_read", "web_hello", "web_hello_refused"];
    seeds.extend(with_first(2, vectors.bytes("files", &hellos, "content")));
    seeds
}
