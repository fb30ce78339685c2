//! Requests on their way.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use smp_protocol::command::Command;
use smp_protocol::id::{CorrelationId, EntityId};
use smp_protocol::transmission::MAX_CONTENT;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use super::pending::Answer;
use super::queue::{Handed, Outgoing};
use super::{ClientError, Handle, RelayEvent, Request, Shared};

/// Bytes of a block's content besides its only transmission: count and length.
const ALONE_OVERHEAD: usize = 3;

impl Handle {
    /// Authorizes and queues a request, when there is room for it.
    pub(super) async fn queue(&self, request: Request<'_>) -> Result<InFlight, ClientError> {
        let shared = &self.shared;
        let limit = request.timeout.unwrap_or(shared.config.response_timeout);
        let place = room(shared, shared.places.clone().acquire_owned()).await?;
        let correlation_id = request.correlation_id.unwrap_or_else(|| shared.correlation_id());
        let entity_id = request.entity_id;
        let transmission =
            shared.authorizer.transmission(request.key, &correlation_id, &entity_id, &request.command)?;
        if transmission.len() + ALONE_OVERHEAD > MAX_CONTENT {
            return Err(ClientError::TooLarge);
        }
        let size = u32::try_from(transmission.len()).unwrap_or(u32::MAX);
        let room = room(shared, shared.queued.clone().acquire_many_owned(size)).await?;
        let answer = shared.pending.add(correlation_id.clone(), entity_id.clone(), place)?;
        let (to_us, written) = oneshot::channel();
        let in_flight = InFlight {
            correlation_id,
            entity_id: entity_id.clone(),
            answer,
            written,
            limit,
            shared: shared.clone(),
        };
        let urgent = matches!(request.command, Command::Ping);
        let handed = Handed { room, written: Some(to_us) };
        shared.queue.push(Outgoing { entity_id, transmission, urgent, handed });
        Ok(in_flight)
    }
}

/// Waits for room. It comes as requests are written, answered or given up, or the connection ends.
async fn room(
    shared: &Shared,
    room: impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>>,
) -> Result<OwnedSemaphorePermit, ClientError> {
    room.await.map_err(|_| shared.reason())
}

/// A request that was queued.
pub(super) struct InFlight {
    correlation_id: CorrelationId,
    entity_id: EntityId,
    answer: oneshot::Receiver<Answer>,
    written: oneshot::Receiver<()>,
    limit: Duration,
    shared: Arc<Shared>,
}

impl InFlight {
    /// Waits for the answer. Its time begins when the request was handed to the network: what waits for a slow link is late
    /// through no fault of the relay, and to send it again would only make more wait.
    pub(super) async fn answer(mut self) -> Answer {
        tokio::select! {
            biased;
            answer = &mut self.answer => return answer.unwrap_or_else(|_| Err(self.shared.reason())),
            // if it will never be written, the connection has ended, and the answer says why
            _ = &mut self.written => (),
        }
        match timeout(self.limit, &mut self.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.shared.reason()),
            Err(_) => {
                self.shared.pending.remove(&self.correlation_id);
                // it may have come just now
                self.answer.try_recv().unwrap_or(Err(ClientError::Timeout(self.limit)))
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.pending.remove(&self.correlation_id);
        self.answer.close();
        // an answer that came, but was not looked at before the caller left
        if let Ok(Ok(message)) = self.answer.try_recv()
            && let Some(events) = self.shared.events.upgrade()
        {
            let event = RelayEvent { entity_id: self.entity_id.clone(), message: Ok(message), late: true };
            // an application that has left that many events waiting will have to subscribe again anyway
            let _ = events.try_send(event);
        }
    }
}
