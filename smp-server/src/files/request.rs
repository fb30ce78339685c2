//! Requests of clients: from a command that was read to its answer, and what of a chunk comes or goes with it.

use std::sync::Mutex;

use smp_crypto::tail_box::SealingBox;
use smp_crypto::{Nonce, X25519PrivateKey};
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId, CorrelationId, EntityId};
use smp_protocol::key::{RecipientDownloadKey, RelayDownloadKey};
use smp_protocol::xftp::command::XftpCommand;
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::response::XftpResponse;
use smp_protocol::xftp::session::XftpSession;
use smp_protocol::xftp::transmission::{read_command, response_block};

use super::authorize::authorize;
use super::bodies::Download;
use super::relay::Inner;
use crate::auth::SessionKeys;
use crate::sync::lock;

/// The rest of a request's body, piece by piece.
pub(super) trait Body {
    /// The next bytes, none at the end.
    async fn next(&mut self) -> Result<bytes::Bytes, XftpError>;
}

/// An answer: a block, and perhaps a chunk.
pub(super) struct Answer {
    pub(super) block: Vec<u8>,
    pub(super) chunk: Option<SealedDownload>,
}

/// A chunk on its way to a recipient.
pub(super) struct SealedDownload {
    download: Download,
    sealing: Option<SealingBox>,
}

/// A response, and perhaps a chunk.
type Done = (XftpResponse, Option<SealedDownload>);

/// Runs the command in a block. For an upload the chunk is read from `body`.
pub(super) async fn run(
    relay: &Inner,
    session: &XftpSession,
    keys: &Mutex<SessionKeys>,
    block: &[u8],
    body: &mut impl Body,
) -> Answer {
    let (correlation_id, entity_id, done) = match read_command(block, session) {
        Err(refused) => (refused.correlation_id, refused.entity_id, Err(refused.error)),
        Ok(transmission) => {
            let authorized = authorize(relay, &transmission, &mut lock(keys));
            let (correlation_id, entity_id) = (transmission.correlation_id, transmission.entity_id);
            let done = match authorized {
                Ok(()) => execute(relay, transmission.command, &entity_id, body).await,
                Err(error) => Err(error),
            };
            (correlation_id, entity_id, done)
        }
    };
    let (response, chunk) = done.unwrap_or_else(|error| (XftpResponse::Error(error), None));
    answer(session, &correlation_id, &entity_id, &response, chunk)
}

fn answer(
    session: &XftpSession,
    correlation_id: &CorrelationId,
    entity_id: &EntityId,
    response: &XftpResponse,
    chunk: Option<SealedDownload>,
) -> Answer {
    match response_block(session, correlation_id, entity_id, response) {
        Ok(block) => Answer { block, chunk },
        // As many IDs as a command has keys fit.
        Err(_) => Answer { block: Vec::new(), chunk: None },
    }
}

async fn execute(
    relay: &Inner,
    command: XftpCommand,
    entity: &EntityId,
    body: &mut impl Body,
) -> Result<Done, XftpError> {
    let sender_id = || ChunkSenderId::from(entity.clone());
    let recipient_id = || ChunkRecipientId::from(entity.clone());
    let rng = || relay.surroundings.randomness.rng();
    let response = match command {
        XftpCommand::New(chunk) => {
            let now = relay.surroundings.time.unix_seconds();
            let (sender_id, recipients) = relay.index.create(&chunk, now, &mut rng())?;
            XftpResponse::SenderIds(sender_id, recipients)
        }
        XftpCommand::AddRecipients(keys) => {
            XftpResponse::RecipientIds(relay.index.add_recipients(&sender_id(), &keys, &mut rng())?)
        }
        XftpCommand::Put => {
            upload(relay, &sender_id(), body).await?;
            XftpResponse::Ok
        }
        XftpCommand::Delete => {
            relay.index.delete(&sender_id())?;
            relay.bodies.remove(&sender_id()).await;
            XftpResponse::Ok
        }
        XftpCommand::Get(key) => return download(relay, &recipient_id(), &key).await,
        XftpCommand::Acknowledge => {
            relay.index.acknowledge(&recipient_id())?;
            XftpResponse::Ok
        }
        XftpCommand::Ping => XftpResponse::Pong,
    };
    Ok((response, None))
}

/// Reads a chunk, writes it, and counts it once it has its name: `OK` means that it is there.
async fn upload(relay: &Inner, sender_id: &ChunkSenderId, body: &mut impl Body) -> Result<(), XftpError> {
    let to_upload = relay.index.begin_upload(sender_id)?;
    let Some(room) = to_upload.room else { return forget(to_upload.size, body).await };
    let mut upload = relay.bodies.create(sender_id, to_upload.size, to_upload.digest).await?;
    loop {
        let piece = body.next().await?;
        if piece.is_empty() {
            break;
        }
        upload.write(&piece).await?;
    }
    relay.bodies.finish(upload, sender_id).await?;
    if let Err(error) = room.take() {
        // Deleted in the meantime.
        relay.bodies.remove(sender_id).await;
        return Err(error);
    }
    Ok(())
}

/// Reads a chunk that is there already: clients send it to its end before they look at the answer.
async fn forget(size: u32, body: &mut impl Body) -> Result<(), XftpError> {
    let mut missing = u64::from(size);
    loop {
        let piece = body.next().await?;
        if piece.is_empty() {
            break;
        }
        missing = missing.checked_sub(piece.len() as u64).ok_or(XftpError::Size)?;
    }
    if missing == 0 { Ok(()) } else { Err(XftpError::Size) }
}

async fn download(
    relay: &Inner,
    recipient_id: &ChunkRecipientId,
    key: &RecipientDownloadKey,
) -> Result<Done, XftpError> {
    let (sender_id, size) = relay.index.to_download(recipient_id)?;
    let download = match relay.bodies.read(&sender_id, size).await {
        Ok(download) => download,
        // It may have been deleted in between; then the recipient is unknown now.
        Err(error) => return Err(relay.index.to_download(recipient_id).err().unwrap_or(error)),
    };
    let mut rng = relay.surroundings.randomness.rng();
    let own_key = X25519PrivateKey::generate(&mut rng);
    let nonce = Nonce::generate(&mut rng);
    let sealing = SealingBox::new(&own_key.agree(&key.0).box_key(), &nonce);
    let response = XftpResponse::File(RelayDownloadKey(own_key.public_key()), nonce);
    Ok((response, Some(SealedDownload { download, sealing: Some(sealing) })))
}

impl SealedDownload {
    /// The next bytes of the sealed chunk, as many as fit in the buffer at most; its tag in the end, and then none.
    pub(super) async fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8], XftpError> {
        let Some(sealing) = &mut self.sealing else { return Ok(&[]) };
        let tag_place = buffer.len().min(smp_crypto::crypto_box::TAG_SIZE);
        let length = {
            let piece = self.download.next(buffer).await?;
            sealing.seal(piece);
            piece.len()
        };
        if length > 0 {
            return Ok(&buffer[..length]);
        }
        if let Some(sealing) = self.sealing.take() {
            buffer[..tag_place].copy_from_slice(&sealing.finish()[..tag_place]);
        }
        Ok(&buffer[..tag_place])
    }
}
