//! Many prepared requests over one connection.

use anyhow::{Result, bail};
use smp_protocol::id::EntityId;
use smp_protocol::message::BrokerMessage;
use smp_protocol::transmission::{CommandBlock, DoesNotFit, read_messages};
use tokio::sync::Semaphore;

use super::link::{Link, LinkReader, LinkWriter};
use super::prepare::{CorrelationIds, Ready};

/// Blocks that are written before they are flushed together.
const BLOCKS_PER_FLUSH: usize = 4;

/// Something that the relay sent.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// Which request it answers, by its number; `None` if it answers none.
    pub request: Option<u64>,
    /// The queue.
    pub entity_id: EntityId,
    /// The message.
    pub message: BrokerMessage<'a>,
}

/// Sends requests in order, at most `window` unanswered, as many in a block as fit, no two about one queue, and gives all
/// that comes in to `each` until every request is answered.
///
/// # Errors
/// If the connection is lost, an answer cannot be read, or `each` fails.
pub async fn exchange(
    link: &mut Link,
    requests: &[Ready],
    window: usize,
    each: impl FnMut(Incoming<'_>) -> Result<()>,
) -> Result<()> {
    let places = Semaphore::new(window.max(1));
    let Link { session, reader, writer } = link;
    let reading = read(reader, requests.len(), &places, &session.parameters, each);
    tokio::try_join!(write(writer, requests, &places), reading).map(|_| ())
}

async fn write(writer: &mut LinkWriter, requests: &[Ready], places: &Semaphore) -> Result<()> {
    let mut content = CommandBlock::new();
    let mut blocks = 0;
    for request in requests {
        let place = match places.try_acquire() {
            Ok(place) => place,
            Err(_) => {
                send(writer, &mut content).await?;
                writer.flush().await?;
                blocks = 0;
                places.acquire().await?
            }
        };
        place.forget();
        if push(&mut content, request) == Err(DoesNotFit::Full) {
            send(writer, &mut content).await?;
            blocks += 1;
            if blocks == BLOCKS_PER_FLUSH {
                writer.flush().await?;
                blocks = 0;
            }
            push(&mut content, request)?;
        }
    }
    send(writer, &mut content).await?;
    writer.flush().await
}

fn push(content: &mut CommandBlock, request: &Ready) -> Result<(), DoesNotFit> {
    content.push(&request.entity_id, &request.bytes)
}

async fn send(writer: &mut LinkWriter, content: &mut CommandBlock) -> Result<()> {
    if !content.is_empty() {
        writer.block(content.as_bytes()).await?;
        content.clear();
    }
    Ok(())
}

async fn read(
    reader: &mut LinkReader,
    requests: usize,
    places: &Semaphore,
    session: &smp_protocol::session::SessionParameters,
    mut each: impl FnMut(Incoming<'_>) -> Result<()>,
) -> Result<()> {
    let mut unanswered = requests;
    while unanswered > 0 {
        let block = reader.block().await?;
        for received in read_messages(&block, session) {
            let Ok(message) = received.message else { bail!("the relay sent something that cannot be read") };
            let request = CorrelationIds::number(&received.correlation_id);
            if request.is_some() {
                unanswered = unanswered.saturating_sub(1);
                places.add_permits(1);
            }
            each(Incoming { request, entity_id: received.entity_id, message })?;
        }
    }
    Ok(())
}
