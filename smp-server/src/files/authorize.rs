//! Authorization of a command: whether the chunk is unknown, the ID one of another kind, or the key another one, the answer is
//! `AUTH`, after the same work.

use smp_crypto::hash::sha512;
use smp_crypto::{Nonce, PublicAuthKey};
use smp_protocol::transmission::AuthorizationRef;
use smp_protocol::xftp::command::XftpCommand;
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::transmission::XftpCommandTransmission;

use super::records::{ChunkId, Found};
use super::relay::Inner;
use crate::auth::{Authorization, Proof, SessionKeys, verify};

/// The chunk that a command is about, if there is one. `FNEW` and `PING` are about none.
pub(super) async fn find(
    relay: &Inner,
    transmission: &XftpCommandTransmission<'_>,
) -> Result<Option<Found>, XftpError> {
    let id = transmission.entity_id.as_bytes();
    let id = match &transmission.command {
        XftpCommand::Ping | XftpCommand::New(_) => return Ok(None),
        command if command.tag().is_of_sender() => ChunkId::Sender(id),
        _ => ChunkId::Recipient(id),
    };
    Ok(relay.records.find(id).await?)
}

/// Checks that a command was authorized with the key of its chunk, or, if it creates one, with the key in it.
pub(super) fn authorize(
    relay: &Inner,
    found: Option<&Found>,
    transmission: &XftpCommandTransmission<'_>,
    keys: &mut SessionKeys,
) -> Result<(), XftpError> {
    let key = match &transmission.command {
        XftpCommand::Ping => return Ok(()),
        XftpCommand::New(chunk) => Some(chunk.sender_key.0),
        _ => found.map(|found| found.key),
    };
    let is_authorized = is_authorized(relay, key.as_ref(), transmission, keys);
    if is_authorized && may_create(relay, &transmission.command) { Ok(()) } else { Err(XftpError::Auth) }
}

fn is_authorized(
    relay: &Inner,
    key: Option<&PublicAuthKey>,
    transmission: &XftpCommandTransmission<'_>,
    keys: &mut SessionKeys,
) -> bool {
    let covered = transmission.authorized;
    let (signature, digest);
    let authorization = match transmission.authorization {
        None => Authorization::Missing,
        Some(AuthorizationRef::Authenticator(bytes)) => {
            digest = sha512(covered);
            Authorization::Authenticator(bytes, &digest)
        }
        Some(other) => match other.signature() {
            Some(made) => {
                signature = made;
                Authorization::Signature(&signature, covered)
            }
            None => Authorization::Missing,
        },
    };
    let nonce = Nonce::from_slice_padded(transmission.correlation_id.as_bytes());
    verify(key.map_or(&[], std::slice::from_ref), Proof { authorization, nonce }, keys, &relay.nobody)
}

/// Whether the password is the right one, if there is one and the command creates a chunk. Passwords compare in constant time.
fn may_create(relay: &Inner, command: &XftpCommand) -> bool {
    let XftpCommand::New(chunk) = command else { return true };
    let settings = relay.settings();
    let is_known =
        settings.password.as_ref().is_none_or(|password| chunk.password.as_ref() == Some(password));
    settings.new_files && is_known
}
