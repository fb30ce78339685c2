//! Running the commands of a session: each in the order of its entity, then its answer, then its effect.

use std::sync::Arc;

use futures_util::FutureExt as _;
use smp_protocol::{
    id::EntityId,
    transmission::{CommandTransmission, RefusedTransmission},
};

use super::{
    anywhere,
    entity_queues::Work,
    receive::{Received, receive},
    request::Request,
    service::{deliver_all, notify_all},
    state::Session,
    time_slice::TimeSlice,
};
use crate::{
    admission::{MAX_WAIT, TooOften},
    broker::Notification,
    client::{Content, Permit, Signal, Transmission},
    commands::{Context, Effect, Outcome},
    node::Node,
    store::{QueueRecord, ServiceRole},
};

impl Session {
    /// Answers a transmission that cannot be read.
    pub(super) fn refuse(&self, refused: RefusedTransmission, permit: Permit) {
        self.answer_in_order(Transmission {
            corr_id: refused.correlation_id,
            entity_id: refused.entity_id,
            content: Content::Message(refused.error.into()),
            envelope: None,
            permit: Some(permit),
            timer: None,
        });
    }

    /// Answers what is not run, as soon as what is before it about the same entity is done.
    fn answer_in_order(&self, answer: Transmission) {
        let entity = Some(answer.entity_id.clone()).filter(|id| !id.is_empty());
        if let Some(answer) = self.waiting.join_answer(entity.as_ref(), answer) {
            self.client().mailbox.answer(entity, None, answer);
        }
    }

    /// Runs a command as soon as those before it about the same entity are done.
    pub(super) fn submit(
        self: &Arc<Self>,
        node: &Arc<Node>,
        transmission: CommandTransmission<'_>,
        permit: Permit,
    ) {
        match receive(self, transmission, permit, node.now()) {
            Received::Request(request) => {
                if let Some(request) = self.waiting.join(request) {
                    self.start(node, request);
                }
            }
            Received::Answered(answer) => self.answer_in_order(answer),
        }
    }

    /// Most commands are done without waiting for anything; only the others get a task of their own.
    fn start(self: &Arc<Self>, node: &Arc<Node>, request: Request) {
        let entity = request.order.clone();
        let mut first = Box::pin(run(self.clone(), node.clone(), request));
        if (&mut first).now_or_never().is_some() {
            return;
        }
        if let Some(entity) = &entity {
            self.waiting.occupy(entity.clone());
        }
        let (session, node) = (self.clone(), node.clone());
        let (abort, spawner) = (node.abort.clone(), node.surroundings.spawner.clone());
        let finish = async move {
            let unfinished = Unfinished(&session);
            first.await;
            if let Some(entity) = entity {
                run_waiting(&session, &node, &entity).await;
            }
            std::mem::forget(unfinished);
        };
        // Also when the client has gone: what it has asked for is done.
        spawner.spawn(abort.run_until_cancelled_owned(finish));
    }

    /// Lets a client that guesses wait for its answer. All refusals wait alike: they stay indistinguishable.
    async fn slow_down(&self, node: &Node, is_forwarded: bool) {
        let limits = &node.config().limits;
        let (rates, rate) = if is_forwarded {
            (&node.forwarded_failures, limits.forwarded_failures())
        } else {
            (&node.failures, limits.failures())
        };
        let turn = rates.turn(&self.caller.guest, rate, node.now());
        let wait = turn.unwrap_or_else(|TooOften { limit, per_minute }| {
            node.metrics.refusals.note(limit, per_minute.into());
            MAX_WAIT
        });
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// A command that is being run. If it dies, by a mistake in it, the session ends: whatever waits about the same entity would wait
/// for ever.
struct Unfinished<'a>(&'a Session);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.failed.cancel();
    }
}

/// Runs what has waited for a command about this entity.
async fn run_waiting(session: &Arc<Session>, node: &Arc<Node>, entity: &EntityId) {
    let mut slice = TimeSlice::begin(&node.surroundings.time);
    while let Some(work) = session.waiting.next(entity) {
        slice.yield_if_used().await;
        match work {
            // Boxed as the first: otherwise every task has room for another one, mostly in vain.
            Work::Run(request) => Box::pin(run(session.clone(), node.clone(), *request)).await,
            Work::Answer(answer) => session.client().mailbox.answer(Some(entity.clone()), None, answer),
        }
    }
}

async fn run(session: Arc<Session>, node: Arc<Node>, request: Request) {
    let Request { order, corr_id, entity_id, version, command, proof, envelope, mut permit, timer } = request;
    let caller = &session.caller;
    let service = caller.service.as_ref().filter(|_| envelope.is_none());
    let cx = Context { node: &node, caller, version, corr_id, entity_id, service };
    let outcome = anywhere::run(&session, &cx, command, &proof).await;
    // Not while the answer waits.
    drop(proof);
    permit.answered_by(&outcome.answer);
    if outcome.is_refusal() {
        session.slow_down(&node, envelope.is_some()).await;
    }
    let Context { corr_id, entity_id, .. } = cx;
    let Outcome { answer: content, durable, effect } = outcome;
    // A proxy gets the answer under the IDs of its RFWD.
    let (corr_id, entity_id) = match &envelope {
        Some(envelope) => (envelope.relay_corr_id.clone(), EntityId::empty()),
        None => (corr_id, entity_id),
    };
    let answer =
        Transmission { corr_id, entity_id, content, envelope, permit: Some(permit), timer: Some(timer) };
    session.client().mailbox.answer(order, durable, answer);
    apply(effect, session, node);
}

/// A message was put into a queue.
pub(super) fn sent(node: &Node, queue: &QueueRecord, notification: Option<Notification>) {
    if let (Some(notifier), Some(notification)) = (&queue.notifier, notification) {
        node.hub.notify(notifier, notification);
    }
    node.hub.message_sent(queue);
}

/// Does what follows an answer.
fn apply(effect: Effect, session: Arc<Session>, node: Arc<Node>) {
    match effect {
        Effect::Nothing => {}
        Effect::Sent(queue, notification) => sent(&node, &queue, notification),
        Effect::Deliver(queue) => session.client().mailbox.signal(Signal::Message(queue)),
        Effect::Notify(notifier) => node.hub.notifications.flush(&notifier, None),
        Effect::DeliverAll(role, service) => {
            let (abort, spawner) = (node.abort.clone(), node.surroundings.spawner.clone());
            spawner.spawn(abort.run_until_cancelled_owned(async move {
                match role {
                    ServiceRole::Messaging => deliver_all(session, node, service).await,
                    ServiceRole::Notifier => notify_all(session, node, service).await,
                }
            }));
        }
    }
}
