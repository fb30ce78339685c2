//! Running a command in the process that has its queue.

use std::time::Duration;

use smp_protocol::{command::Command, error::ErrorType, message::BrokerMessage, version::SmpVersion};

use super::state::Session;
use crate::{
    cluster::{CallerFacts, Cluster, Place, Reply, Request, Run, ServiceFacts},
    commands::{self, Context, Outcome, OwnedProof, OwnedQueueId},
    store::{StorageFault, StoreError},
};

/// How often a command is tried while its queue goes from process to process.
const ATTEMPTS: usize = 20;

/// Pause before each attempt after the first ones: another process may just have started, or ended.
const PAUSE: Duration = Duration::from_millis(100);
const WITHOUT_PAUSE: usize = 3;

/// Runs a command here, or in another process of this relay.
pub(super) async fn run(
    session: &Session,
    cx: &Context<'_>,
    command: Command<'static>,
    proof: &OwnedProof,
) -> Outcome {
    match (&cx.node.cluster, OwnedQueueId::of(&command, &cx.entity_id)) {
        (Some(cluster), Some(id)) => run_on_queue(session, cx, cluster, &id, command, proof).await,
        _ => commands::run(cx, command, proof).await,
    }
}

async fn run_on_queue(
    session: &Session,
    cx: &Context<'_>,
    cluster: &Cluster,
    id: &OwnedQueueId,
    command: Command<'static>,
    proof: &OwnedProof,
) -> Outcome {
    for attempt in 0..ATTEMPTS {
        if attempt >= WITHOUT_PAUSE {
            tokio::time::sleep(PAUSE).await;
        }
        let link = match cluster.place(id.get()).await {
            Ok(Place::At(link)) => link,
            Ok(Place::Here { is_at_hand }) => {
                let outcome = commands::run(cx, command.clone(), proof).await;
                if outcome.is_elsewhere() {
                    continue;
                }
                if is_at_hand && outcome.is_refusal() {
                    // As was done for an ID of no queue before it was refused.
                    let _ = cx.node.store.locate(id.get()).await;
                }
                return outcome;
            }
            Err(error) => return refused(error),
        };
        let request = Request::Run(Box::new(request(session, cx, cluster, &command, proof)));
        match link.ask(&request).await {
            Ok(Reply::Answer(message)) => return answered(cx, &message),
            Ok(Reply::MaySubscribe { notifier, previous }) => {
                return commands::subscribe_notifications(cx, &notifier, previous.as_ref()).await;
            }
            // It is this process's now, or that of another one.
            Ok(_) => cluster.forget(id.get()),
            Err(_) => {
                cluster.forget(id.get());
                break;
            }
        }
    }
    refused(StoreError::Unavailable(StorageFault::Io("another process of this relay does not answer".into())))
}

fn request(
    session: &Session,
    cx: &Context<'_>,
    cluster: &Cluster,
    command: &Command<'_>,
    proof: &OwnedProof,
) -> Run {
    let caller = cx.caller;
    let service = caller.service.as_ref().map(|service| ServiceFacts {
        id: service.id.clone(),
        role: service.role,
        fingerprint: service.fingerprint,
        key: service.key.to_der().to_vec(),
    });
    let number = caller.client.number();
    Run {
        from: cluster.own,
        caller: CallerFacts { number, key: session.private_key.clone(), service },
        is_of_service: cx.service.is_some(),
        version: cx.version.0,
        corr_id: cx.corr_id.clone(),
        entity_id: cx.entity_id.clone(),
        command: command.to_bytes(SmpVersion::MAX),
        proof: proof.to_other(),
    }
}

fn answered(cx: &Context<'_>, message: &[u8]) -> Outcome {
    match BrokerMessage::decode(message, SmpVersion::MAX) {
        Ok(message) => {
            if !matches!(message, BrokerMessage::Error(_)) {
                cx.caller.guest.note_known();
            }
            message.into_owned().into()
        }
        Err(_) => BrokerMessage::Error(ErrorType::Internal).into(),
    }
}

fn refused(error: StoreError) -> Outcome {
    BrokerMessage::Error(error.into()).into()
}
