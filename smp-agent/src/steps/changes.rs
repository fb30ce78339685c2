//! The rows that a step changes in the database.

use super::slot::Present;
use super::{OUTGOING_IN_MEMORY, Request, Steps, number_after};
use crate::connection::{NewRequest, Phase};
use crate::error::{AgentError, SendError};
use crate::event::Event;
use crate::id::ConnectionId;
use crate::store::{Changes, Fault, Lasting, QueueRow, RequestRow, StoredOutgoing};
use crate::stored::to_bytes;
use std::sync::atomic::Ordering;

/// First capacity of a buffer for a body at rest: with a header that has a KEM and a short text.
const CONTENT_CAPACITY: usize = 4096;

impl Steps {
    /// The rows that a step changes.
    pub(super) fn changes(&self, present: &mut Present, request: Request) -> Result<Changes, AgentError> {
        let Request { effects, sent, done, received, give_up, released, send_key, next: _ } = request;
        let state = present.connection.changed_state_bytes().map_err(Fault::from)?;
        let changed = state.filter(|state| *state != present.state);
        let lasts = changed.is_none();
        let connection = &present.connection;
        let (id, user) = (connection.id, connection.user);
        let failed = connection.phase == Phase::Failed && !lasts;
        let give_up = give_up.or(failed.then_some(SendError::ConnectionFailed));
        let lasting = changed.as_ref().map(|state| Lasting {
            state: state.clone(),
            busy: connection.command().is_some() || connection.errand().is_some() || connection.releases(),
            joined: connection.waits_for_acceptance(),
            unfinished: connection.is_unfinished_invitation(),
            request_of: connection.request_of(),
        });
        let queues = if lasts { None } else { Some(QueueRow::all(connection)) };
        let (position, plain) = (connection.position_bytes().map_err(Fault::from)?, connection.plain());
        let requested = effects.requested.into_iter().map(|request| self.request_row(id, request));
        let requested = requested.collect::<Result<_, _>>()?;
        let (mut outgoing, mut shared) = (Vec::with_capacity(effects.outgoing.len()), Vec::new());
        for body in effects.outgoing {
            let row = number_after(&self.last_outgoing);
            let content = to_bytes(&body, CONTENT_CAPACITY).map_err(Fault::from)?;
            shared.extend(body.content.shared().map(|body| (row, body)));
            outgoing.push((row, body.message, content));
            present.add_outgoing(StoredOutgoing { row, outgoing: body }, OUTGOING_IN_MEMORY);
        }
        present.remove_outgoing(&sent);
        if give_up.is_some() {
            present.outgoing.clear();
            present.more = false;
        }
        if let Some(state) = changed {
            present.state = state;
        }
        let before = queues.map(|queues| std::mem::replace(&mut present.queues, queues));
        let before = before.as_ref().unwrap_or(&present.queues);
        let (new_queues, gone_queues) = (not_in(&present.queues, before), not_in(before, &present.queues));
        let received = received.map(|hash| (present.connection.received.number, hash));
        Ok(Changes {
            connection: id,
            user,
            lasting,
            position,
            plain,
            new_queues: new_queues.cloned().collect(),
            gone_queues: gone_queues.map(|queue| queue.recipient_id.clone()).collect(),
            outgoing,
            joins: None,
            send_key,
            shared,
            sent_outgoing: sent,
            deferred: effects.deferred,
            released,
            give_up: give_up.map(|error| (error, self.last_outgoing.load(Ordering::Relaxed))),
            sent: effects.sent,
            receipts: effects.receipts,
            forget_skipped: effects.forget_skipped,
            skipped: effects.skipped,
            deleted: effects.deleted.iter().filter_map(QueueRow::made).collect(),
            received,
            events: effects.events,
            done,
            requested,
            ..Changes::default()
        })
    }

    /// The rows of a connection that somebody has asked for.
    fn request_row(&self, address: ConnectionId, request: NewRequest) -> Result<RequestRow, AgentError> {
        let NewRequest { mut connection, hash, info } = request;
        connection.id = self.next_connection();
        Ok(RequestRow {
            connection: connection.id,
            state: connection.state_bytes().map_err(Fault::from)?,
            position: connection.position_bytes().map_err(Fault::from)?,
            hash,
            event: Event::Request { connection: connection.id, address, info },
        })
    }
}

/// The queues of one list that are not in another.
fn not_in<'q>(queues: &'q [QueueRow], others: &'q [QueueRow]) -> impl Iterator<Item = &'q QueueRow> {
    let is_in = |queue: &QueueRow| others.iter().any(|other| other.recipient_id == queue.recipient_id);
    queues.iter().filter(move |queue| !is_in(queue))
}
