//! Running the commands of a session.

use std::{sync::Arc, time::Instant};

use futures_util::FutureExt as _;
use smp_protocol::{
    command::Command,
    error::{CommandError, ErrorType},
    id::{CorrelationId, EntityId},
    transmission::{CommandTransmission, RefusedTransmission},
    version::SmpVersion,
};

use super::{
    Permit, Session,
    lanes::Work,
    reply::{Answer, Content, Reply, Then},
    service::{deliver_all, notify_all},
    turn::Turn,
};
use crate::{
    broker::Broker,
    commands::{self, Context, Envelope, OwnedProof},
    metrics::Timer,
    sync::lock,
};

/// A command that was received, to be verified and run.
pub(super) struct Request {
    /// Commands and answers of one lane keep their order.
    pub(super) lane: Option<EntityId>,
    corr_id: CorrelationId,
    entity_id: EntityId,
    version: SmpVersion,
    command: Command<'static>,
    proof: OwnedProof,
    /// Where the answer goes if the command was forwarded by a proxy: correlation ID of `RFWD`, and the envelope.
    forwarded: Option<(CorrelationId, Box<Envelope>)>,
    permit: Permit,
    timer: Timer,
}

impl Session {
    /// Answers a transmission that cannot be read.
    pub(super) fn refuse(&self, refused: RefusedTransmission, permit: Permit) {
        self.answer_in_turn(Reply {
            corr_id: refused.correlation_id,
            entity_id: refused.entity_id,
            content: Content::Message(refused.error.into()),
            permit: Some(permit),
            timer: None,
        });
    }

    /// Answers what is not run, as soon as what is before it about the same queue is done.
    fn answer_in_turn(&self, reply: Reply) {
        let lane = Some(reply.entity_id.clone()).filter(|id| !id.is_empty());
        if let Some(reply) = self.lanes.join_answer(lane.as_ref(), reply) {
            self.outbox.answer(lane, None, reply);
        }
    }

    /// Runs a command as soon as those before it about the same queue are done.
    pub(super) fn submit(
        self: &Arc<Self>,
        broker: &Arc<Broker>,
        transmission: CommandTransmission<'_>,
        permit: Permit,
    ) {
        let (corr_id, entity_id) = (transmission.correlation_id.clone(), transmission.entity_id.clone());
        match self.request(transmission, permit) {
            Ok(request) => {
                if let Some(request) = self.lanes.join(request) {
                    self.start(broker, request);
                }
            }
            Err((content, mut permit)) => {
                permit.answered_by(&content);
                self.answer_in_turn(Reply { corr_id, entity_id, content, permit: Some(permit), timer: None });
            }
        }
    }

    /// Takes a command out of the block, and out of the boxes of a proxy. Some are answered at once.
    fn request(
        &self,
        transmission: CommandTransmission<'_>,
        permit: Permit,
    ) -> Result<Request, (Content, Permit)> {
        if let Command::RelayForward(boxed) = &transmission.command {
            if self.service.is_some() || transmission.service_signature.is_some() {
                return Err((Content::Message(ErrorType::from(CommandError::Prohibited).into()), permit));
            }
            let relay_corr_id = transmission.correlation_id;
            return match commands::open(self, relay_corr_id.clone(), boxed) {
                Ok((Some(inner), envelope)) => Ok(Request {
                    timer: Timer::start(inner.command.tag()),
                    lane: Some(inner.entity_id.clone()),
                    corr_id: inner.corr_id,
                    entity_id: inner.entity_id,
                    version: envelope.parameters().version,
                    command: inner.command,
                    proof: inner.proof,
                    forwarded: Some((relay_corr_id, envelope)),
                    permit,
                }),
                Ok((None, envelope)) => Err((Content::Forwarded(envelope), permit)),
                Err(error) => Err((Content::Message(error.into()), permit)),
            };
        }
        let proof = OwnedProof::of(&transmission, &self.parameters);
        // Forwarded commands are about different queues, although the session is the same.
        let ordered = !matches!(transmission.command, Command::ProxyForward { .. });
        Ok(Request {
            timer: Timer::start(transmission.command.tag()),
            lane: Some(transmission.entity_id.clone()).filter(|id| ordered && !id.is_empty()),
            corr_id: transmission.correlation_id,
            entity_id: transmission.entity_id,
            version: self.parameters.version,
            command: transmission.command.into_owned(),
            proof,
            forwarded: None,
            permit,
        })
    }

    /// Most commands are done without waiting for anything; only the others get a task of their own.
    fn start(self: &Arc<Self>, broker: &Arc<Broker>, request: Request) {
        let lane = request.lane.clone();
        let mut first = Box::pin(run(self.clone(), broker.clone(), request));
        if (&mut first).now_or_never().is_some() {
            return;
        }
        if let Some(lane) = &lane {
            self.lanes.occupy(lane.clone());
        }
        let (session, broker) = (self.clone(), broker.clone());
        let abort = broker.abort.clone();
        let finish = async move {
            first.await;
            let Some(lane) = lane else { return };
            let mut turn = Turn::begin();
            while let Some(work) = session.lanes.next(&lane) {
                turn.pass_on().await;
                match work {
                    // Boxed as the first: otherwise every task has room for another one, mostly in vain.
                    Work::Run(request) => Box::pin(run(session.clone(), broker.clone(), *request)).await,
                    Work::Answer(reply) => session.outbox.answer(Some(lane.clone()), None, reply),
                }
            }
        };
        // Also when the client has gone: what it has asked for is done.
        tokio::spawn(abort.run_until_cancelled_owned(finish));
    }
}

impl Session {
    /// Lets a client that guesses wait for its answer. All refusals wait alike: they stay indistinguishable.
    async fn slow_down(&self) {
        let wait = lock(&self.refusals).turn(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

async fn run(session: Arc<Session>, broker: Arc<Broker>, request: Request) {
    let Request { lane, corr_id, entity_id, version, command, proof, forwarded, mut permit, timer } = request;
    let timer = Some(timer);
    let service = session.service.clone().filter(|_| forwarded.is_none());
    let cx = Context { broker, session, version, corr_id, entity_id, service };
    let answer = commands::run(&cx, command, &proof).await;
    // Not while the answer waits.
    drop(proof);
    permit.answered_by(&answer.content);
    if forwarded.is_none() && answer.is_refusal() {
        cx.session.slow_down().await;
    }
    let Context { broker, session, corr_id, entity_id, .. } = cx;
    let Answer { content, kept, then } = answer;
    let reply = match (forwarded, content) {
        (Some((corr_id, mut envelope)), Content::Message(message)) => {
            envelope.message = message;
            let content = Content::Forwarded(envelope);
            Reply { corr_id, entity_id: EntityId::empty(), content, permit: Some(permit), timer }
        }
        (_, content) => Reply { corr_id, entity_id, content, permit: Some(permit), timer },
    };
    session.outbox.answer(lane, kept, reply);
    match then {
        Then::Nothing => {}
        Then::Tell(queue) => broker.message_sent(&queue),
        Then::Deliver(queue) => session.outbox.schedule(queue),
        Then::Notify(notifier) => broker.notifications.flush(&notifier, None),
        Then::DeliverAll(id) => {
            let abort = broker.abort.clone();
            tokio::spawn(abort.run_until_cancelled_owned(deliver_all(session, broker, id)));
        }
        Then::NotifyAll(id) => {
            let abort = broker.abort.clone();
            tokio::spawn(abort.run_until_cancelled_owned(notify_all(session, broker, id)));
        }
    }
}
