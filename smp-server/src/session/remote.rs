//! Commands of clients that are connected to another process of this relay, about queues of this one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use smp_crypto::Ed25519PublicKey;
use smp_protocol::{
    command::Command,
    error::ErrorType,
    id::{RecipientId, ServiceId},
    message::BrokerMessage,
    version::SmpVersion,
};

use super::run::sent;
use crate::{
    admission::{Bounds, Origin, Place, Places},
    cluster::{CallerFacts, Reply, Run},
    commands::{self, Caller, Context, Effect, Outcome, OwnedProof, Service},
    node::Node,
    store::{ProcessId, QueueId, StoreError},
    sync::lock,
};

/// The clients of one other process that have sent commands here.
pub(crate) struct RemoteClients {
    places: Places,
    callers: Mutex<HashMap<u64, Arc<RemoteCaller>>>,
}

struct RemoteCaller {
    caller: Caller,
    _place: Place,
}

impl Default for RemoteClients {
    fn default() -> Self {
        // They have places in their own process.
        let bounds = Bounds { total: usize::MAX, per_address: 0, per_site: 0, per_network: 0 };
        Self { places: Places::new(bounds), callers: Mutex::default() }
    }
}

impl RemoteClients {
    /// A client has gone.
    pub(crate) fn ended(&self, client: u64) {
        lock(&self.callers).remove(&client);
    }

    fn caller(&self, node: &Node, facts: CallerFacts) -> Option<Arc<RemoteCaller>> {
        let mut callers = lock(&self.callers);
        if let Some(caller) = callers.get(&facts.number) {
            return Some(caller.clone());
        }
        let service = match facts.service {
            None => None,
            Some(service) => Some(Service {
                key: Ed25519PublicKey::from_der(&service.key).ok()?,
                id: service.id,
                role: service.role,
                fingerprint: service.fingerprint,
                is_kept: Arc::default(),
            }),
        };
        let (place, _) = self.places.take(Origin::Local).ok()?;
        let caller = Caller::new(place.guest().clone(), service, facts.key, &node.config());
        let caller = Arc::new(RemoteCaller { caller, _place: place });
        callers.insert(facts.number, caller.clone());
        Some(caller)
    }
}

/// Runs a command of a client of another process.
pub(crate) async fn run_remote(node: &Node, clients: &RemoteClients, run: Run) -> Reply {
    let Run { from, caller, is_of_service, version, corr_id, entity_id, command, proof } = run;
    let Some(remote) = clients.caller(node, caller) else { return answer(ErrorType::Internal.into()) };
    let Ok(command) = Command::decode(&command, SmpVersion::MAX) else {
        return answer(ErrorType::Internal.into());
    };
    let proof = OwnedProof::from_other(proof);
    let service = remote.caller.service.as_ref().filter(|_| is_of_service);
    let version = SmpVersion(version);
    let cx = Context { node, caller: &remote.caller, version, corr_id, entity_id, service };
    let outcome = match command {
        Command::Subscribe => match commands::may_subscribe(&cx, &command, &proof).await {
            Ok(queue) => match give_away(node, &queue.recipient_id, from).await {
                Ok(()) => return Reply::Given,
                Err(error) => BrokerMessage::Error(error.into()).into(),
            },
            Err(error) => BrokerMessage::Error(error).into(),
        },
        Command::SubscribeNotifications => {
            match commands::may_subscribe_notifications(&cx, &command, &proof).await {
                Ok((notifier, previous)) => return Reply::MaySubscribe { notifier, previous },
                Err(error) => BrokerMessage::Error(error).into(),
            }
        }
        command => commands::run(&cx, command, &proof).await,
    };
    finish(node, outcome).await
}

async fn finish(node: &Node, outcome: Outcome) -> Reply {
    if outcome.is_elsewhere() {
        return Reply::NotHere;
    }
    let Outcome { answer: content, durable, effect } = outcome;
    // The recipient need not wait for what the sender waits for.
    if let Effect::Sent(queue, notification) = effect {
        sent(node, &queue, notification);
    }
    match durable {
        Some(durable) => match durable.await {
            Ok(()) => answer(content.into_message()),
            Err(error) => answer(BrokerMessage::Error(error.into())),
        },
        None => answer(content.into_message()),
    }
}

fn answer(message: BrokerMessage<'_>) -> Reply {
    Reply::Answer(message.to_bytes(SmpVersion::MAX))
}

/// Gives a queue to the process where a client subscribes to it, and tells the one that was subscribed here.
async fn give_away(node: &Node, queue: &RecipientId, to: ProcessId) -> Result<(), StoreError> {
    node.store.give_away(queue, to).await?;
    node.hub.queue_given_away(queue);
    Ok(())
}

/// Gives a queue to the process where its service has subscribed to all its queues.
pub(crate) async fn give_to_service(
    node: &Node,
    queue: &RecipientId,
    service: &ServiceId,
    to: ProcessId,
) -> Reply {
    match node.store.find_queue(QueueId::Recipient(queue)).await {
        Ok(Some(found)) if found.recipient_service.as_ref() == Some(service) => {
            match give_away(node, queue, to).await {
                Ok(()) => Reply::Given,
                Err(_) => Reply::NotHere,
            }
        }
        _ => Reply::NotHere,
    }
}
