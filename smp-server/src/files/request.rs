//! Requests of clients: from a command that was read to its answer, and what of a chunk comes or goes with it.

use std::sync::{Arc, Mutex};

use rand::CryptoRng;
use smp_protocol::encoding::NonEmpty;
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId, CorrelationId, EntityId};
use smp_protocol::key::ChunkRecipientKey;
use smp_protocol::xftp::command::{NewChunk, XftpCommand, XftpCommandTag};
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::response::XftpResponse;
use smp_protocol::xftp::session::XftpSession;
use smp_protocol::xftp::transmission::{read_command, response_block};
use tokio::time::sleep;

use super::authorize::{authorize, find};
use super::records::{Change, ChunkRecipient, ChunkRecord, Outcome};
use super::relay::Inner;
use super::transfer::{Body, SealedDownload, download, upload};
use super::visitor::Visitor;
use crate::admission::{Guest, MAX_WAIT, TooOften};
use crate::auth::SessionKeys;
use crate::metrics::Limit;
use crate::sync::lock;

/// Bytes in an ID, as peers in use make them.
const ID_BYTES: usize = 16;

/// An answer: a block, and perhaps a chunk.
pub(super) struct Answer {
    pub(super) block: Vec<u8>,
    pub(super) chunk: Option<SealedDownload>,
}

/// A response, and perhaps a chunk.
type Done = (XftpResponse, Option<SealedDownload>);

/// Runs the command in a block. For an upload the chunk is read from `body`.
pub(super) async fn run(
    relay: &Arc<Inner>,
    session: &XftpSession,
    keys: &Mutex<SessionKeys>,
    visitor: &Visitor,
    block: &[u8],
    body: &mut impl Body,
) -> Answer {
    let (correlation_id, entity_id, done) = match read_command(block, session) {
        Err(refused) => (refused.correlation_id, refused.entity_id, Err(refused.error)),
        Ok(transmission) => {
            let found = find(relay, &transmission).await;
            let authorized = found.and_then(|found| {
                authorize(relay, found.as_ref(), &transmission, &mut lock(keys)).map(|()| found)
            });
            let (correlation_id, entity_id) = (transmission.correlation_id, transmission.entity_id);
            let command = transmission.command;
            let done = match authorized {
                Ok(found) => {
                    if command.tag() != XftpCommandTag::Ping {
                        visitor.note_known();
                    }
                    let chunk = found.map(|found| found.chunk);
                    execute(relay, command, chunk, &entity_id, visitor.guest(), body).await
                }
                Err(error) => {
                    slow_down(relay, visitor.guest()).await;
                    Err(error)
                }
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

/// `chunk`: the one that the command is about; there is one, unless it creates one.
async fn execute(
    relay: &Arc<Inner>,
    command: XftpCommand,
    chunk: Option<ChunkRecord>,
    entity: &EntityId,
    guest: &Guest,
    body: &mut impl Body,
) -> Result<Done, XftpError> {
    let chunk = chunk.ok_or(XftpError::Auth);
    let response = match command {
        XftpCommand::Ping => XftpResponse::Pong,
        XftpCommand::New(new) => create(relay, *new, guest).await?,
        XftpCommand::AddRecipients(keys) => add_recipients(relay, chunk?.sender_id, &keys).await?,
        XftpCommand::Put => {
            upload(relay, chunk?, guest, body).await?;
            XftpResponse::Ok
        }
        XftpCommand::Delete => {
            delete(relay, chunk?.sender_id).await?;
            XftpResponse::Ok
        }
        XftpCommand::Get(key) => {
            let (response, chunk) = download(relay, &chunk?, guest, &key).await?;
            return Ok((response, Some(chunk)));
        }
        XftpCommand::Acknowledge => {
            let id = ChunkRecipientId::from(entity.clone());
            done(relay.records.change(Change::Acknowledge(id)).await?)?;
            XftpResponse::Ok
        }
    };
    Ok((response, None))
}

/// Creates a chunk, if there may be one more.
async fn create(relay: &Arc<Inner>, new: NewChunk, guest: &Guest) -> Result<XftpResponse, XftpError> {
    let settings = relay.settings();
    if !settings.sizes.contains(&new.size) {
        return Err(XftpError::Size);
    }
    if new.recipient_keys.as_slice().len() > settings.recipients {
        return Err(XftpError::Quota);
    }
    wait_to_create(relay, guest).await?;
    let (record, recipients, ids) = {
        let mut rng = relay.surroundings.randomness.rng();
        let (recipients, ids) = recipients(&new.recipient_keys, &mut rng)?;
        let record = ChunkRecord {
            sender_id: new_id(&mut rng),
            sender_key: new.sender_key.0,
            size: new.size,
            digest: new.digest,
            created: relay.clock.now(),
            is_uploaded: false,
        };
        (record, recipients, ids)
    };
    if !relay.space.enter(settings.chunks) {
        relay.metrics.refusals.note(Limit::Chunks, settings.chunks);
        return Err(XftpError::Quota);
    }
    let sender_id = record.sender_id.clone();
    let creating = relay.clone();
    let created = relay.whole(async move {
        let made = creating.records.change(Change::Create(record, recipients)).await;
        if made.is_err() {
            creating.space.leave();
        }
        Ok(made?)
    });
    created.await?;
    Ok(XftpResponse::SenderIds(sender_id, ids))
}

/// Waits for a turn to create a chunk; whoever would wait for long is refused.
async fn wait_to_create(relay: &Inner, guest: &Guest) -> Result<(), XftpError> {
    let now = relay.surroundings.time.monotonic();
    match relay.new_chunks.turn(guest, relay.settings().new_chunks(), now) {
        Ok(wait) if wait.is_zero() => {}
        Ok(wait) => sleep(wait).await,
        Err(TooOften { limit, per_minute }) => {
            relay.metrics.refusals.note(limit, per_minute.into());
            return Err(XftpError::Quota);
        }
    }
    Ok(())
}

async fn add_recipients(
    relay: &Inner,
    sender_id: ChunkSenderId,
    keys: &NonEmpty<ChunkRecipientKey>,
) -> Result<XftpResponse, XftpError> {
    let (recipients, ids) = recipients(keys, &mut relay.surroundings.randomness.rng())?;
    let at_most = relay.settings().recipients;
    done(relay.records.change(Change::AddRecipients(sender_id, recipients, at_most)).await?)?;
    Ok(XftpResponse::RecipientIds(ids))
}

async fn delete(relay: &Arc<Inner>, sender_id: ChunkSenderId) -> Result<(), XftpError> {
    let (deleting, now) = (relay.clone(), relay.clock.now());
    let deleted =
        relay.whole(async move { Ok(deleting.remove(Change::Delete(sender_id, now)).await?) }).await?;
    // Deleted in the meantime.
    if deleted == 0 { Err(XftpError::Auth) } else { Ok(()) }
}

fn done(outcome: Outcome) -> Result<(), XftpError> {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::TooMany => Err(XftpError::Quota),
        // The ID went in the meantime.
        Outcome::Unknown | Outcome::Again | Outcome::Removed(_) => Err(XftpError::Auth),
    }
}

/// Lets a client that guesses wait for its answer, as the relay of messages does.
async fn slow_down(relay: &Inner, guest: &Guest) {
    let now = relay.surroundings.time.monotonic();
    let turn = relay.failures.turn(guest, relay.settings().failures(), now);
    let wait = turn.unwrap_or_else(|TooOften { limit, per_minute }| {
        relay.metrics.refusals.note(limit, per_minute.into());
        MAX_WAIT
    });
    if !wait.is_zero() {
        sleep(wait).await;
    }
}

/// A recipient for each key, and their IDs.
fn recipients(
    keys: &NonEmpty<ChunkRecipientKey>,
    rng: &mut impl CryptoRng,
) -> Result<(Vec<ChunkRecipient>, NonEmpty<ChunkRecipientId>), XftpError> {
    let recipient = |key: &ChunkRecipientKey| ChunkRecipient { id: new_id(rng), key: key.0 };
    let recipients: Vec<_> = keys.into_iter().map(recipient).collect();
    let ids = recipients.iter().map(|recipient| recipient.id.clone()).collect();
    Ok((recipients, NonEmpty::new(ids).ok_or(XftpError::Internal)?))
}

fn new_id<T: for<'a> TryFrom<&'a [u8]> + Default>(rng: &mut impl CryptoRng) -> T {
    let mut bytes = [0; ID_BYTES];
    rng.fill_bytes(&mut bytes);
    T::try_from(bytes.as_slice()).unwrap_or_default()
}
