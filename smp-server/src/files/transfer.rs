//! Chunks on their way: uploads to the disk, and downloads to recipients.

use std::sync::Arc;

use smp_crypto::tail_box::SealingBox;
use smp_crypto::{Nonce, X25519PrivateKey};
use smp_protocol::key::{RecipientDownloadKey, RelayDownloadKey};
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::response::XftpResponse;
use smp_transport::durable::space::space;
use tokio::time::timeout;

use super::bodies::{Download, Upload};
use super::records::{Change, ChunkRecord, Outcome};
use super::relay::Inner;
use super::space::Room;
use crate::admission::{Guest, Taken, Turn};
use crate::metrics::Limit;

/// The rest of a request's body, piece by piece.
pub(super) trait Body {
    /// The next bytes, none at the end.
    async fn next(&mut self) -> Result<bytes::Bytes, XftpError>;
}

/// A chunk on its way to a recipient.
pub(super) struct SealedDownload {
    download: Download,
    sealing: Option<SealingBox>,
    _turn: Turn,
}

/// Reads a chunk, writes it, and counts it once it has its name: `OK` means that it is there.
pub(super) async fn upload(
    relay: &Arc<Inner>,
    chunk: ChunkRecord,
    guest: &Guest,
    body: &mut impl Body,
) -> Result<(), XftpError> {
    let _turn = turn(relay, guest).await?;
    if chunk.is_uploaded {
        return forget(chunk.size, body).await;
    }
    let place = admit(relay, chunk.size, guest)?;
    let mut upload = relay.bodies.create(&chunk.sender_id, chunk.size, chunk.digest).await?;
    loop {
        let piece = body.next().await?;
        if piece.is_empty() {
            break;
        }
        upload.write(&piece).await?;
    }
    let finishing = finish(relay.clone(), chunk, upload, place);
    relay.whole(finishing).await
}

/// Room for an upload: in total, and for the network that it comes from.
fn admit(relay: &Inner, size: u32, guest: &Guest) -> Result<(Room, Taken), XftpError> {
    let (settings, refusals) = (relay.settings(), &relay.metrics.refusals);
    let bytes = u64::from(size);
    let full = |limit, value| {
        refusals.note(limit, value);
        XftpError::Quota
    };
    let free = space(relay.bodies.directory()).map_or(u64::MAX, |space| space.free);
    if free < settings.min_free.saturating_add(bytes) {
        return Err(full(Limit::FilesDisk, settings.min_free >> 20));
    }
    let now = relay.surroundings.time.monotonic();
    let taken = relay.allowance.take(guest.origin, bytes, settings.network(), now);
    let taken = taken.ok_or_else(|| full(Limit::FilesPerNetwork, settings.quota_per_network >> 20))?;
    let room = relay.space.room(bytes, settings.quota);
    let room = room.ok_or_else(|| full(Limit::Files, settings.quota >> 20))?;
    Ok((room, taken))
}

/// The file first, then the record: what a crash leaves in between goes with the record, and may be uploaded again.
async fn finish(
    relay: Arc<Inner>,
    chunk: ChunkRecord,
    upload: Upload,
    (room, taken): (Room, Taken),
) -> Result<(), XftpError> {
    let sender_id = &chunk.sender_id;
    relay.bodies.finish(upload, sender_id).await?;
    match relay.records.change(Change::SetUploaded(sender_id.clone())).await? {
        Outcome::Done => {
            room.keep();
            taken.keep();
            relay.metrics.files.uploaded(chunk.size);
            Ok(())
        }
        Outcome::Again => Ok(()),
        // Deleted in the meantime.
        _ => {
            relay.bodies.remove(sender_id).await;
            Err(XftpError::Auth)
        }
    }
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

/// Opens a chunk, and seals it for this download alone.
pub(super) async fn download(
    relay: &Inner,
    chunk: &ChunkRecord,
    guest: &Guest,
    key: &RecipientDownloadKey,
) -> Result<(XftpResponse, SealedDownload), XftpError> {
    if !chunk.is_uploaded {
        return Err(XftpError::NoFile);
    }
    let turn = turn(relay, guest).await?;
    let download = relay.bodies.read(&chunk.sender_id, chunk.size).await?;
    let mut rng = relay.surroundings.randomness.rng();
    let own_key = X25519PrivateKey::generate(&mut rng);
    let nonce = Nonce::generate(&mut rng);
    let sealing = SealingBox::new(&own_key.agree(&key.0).box_key(), &nonce);
    let response = XftpResponse::File(RelayDownloadKey(own_key.public_key()), nonce);
    relay.metrics.files.downloaded(chunk.size);
    Ok((response, SealedDownload { download, sealing: Some(sealing), _turn: turn }))
}

/// Waits until one more transfer may go on.
async fn turn(relay: &Inner, guest: &Guest) -> Result<Turn, XftpError> {
    let settings = relay.settings();
    timeout(settings.idle, relay.turns.take(guest.origin)).await.map_err(|_| {
        relay.metrics.refusals.note(Limit::Transfers, settings.transfers as u64);
        XftpError::Timeout
    })
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
