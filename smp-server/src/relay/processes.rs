//! The part of a relay that other processes of the same relay reach: its listener, and what its clients' notifications and services need there.

use std::{net::SocketAddr, sync::Arc};

use smp_transport::{identity::RelayIdentity, surroundings::Surroundings, tls::TlsServer};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::StartError;
use crate::{
    broker::Abroad,
    cluster::{self, Cluster, Reply, Request, Served},
    config,
    control::Question,
    node::Node,
    operator::carry_out,
    session::{RemoteClients, give_to_service, run_remote},
    store::Store,
};

/// Events and notifications that wait to be told to other processes; more are left out.
const WAITING: usize = 16_384;

/// Notifications that are offered to other processes at the same time.
const OFFERED: usize = 256;

/// Listens for other processes, if the settings say so. Returns where they reach this one.
pub(super) async fn bind(settings: &config::Cluster) -> Result<Option<(TcpListener, String)>, StartError> {
    let Some(address) = settings.listen else { return Ok(None) };
    let failed = |error| StartError::Cluster(address, error);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let reached = match &settings.address {
        Some(reached) => reached.clone(),
        None => listener
            .local_addr()
            .as_ref()
            .map(SocketAddr::to_string)
            .map_err(|_| failed(std::io::ErrorKind::AddrNotAvailable.into()))?,
    };
    Ok(Some((listener, reached)))
}

/// The other processes, if the store is shared.
pub(super) fn cluster(
    store: &Arc<dyn Store>,
    identity: &RelayIdentity,
    surroundings: &Surroundings,
) -> Result<Option<Cluster>, StartError> {
    let Some(own) = store.process() else { return Ok(None) };
    let cluster = Cluster::new(own, store.clone(), identity, surroundings.clone());
    cluster.map(Some).map_err(|error| StartError::Tls(error.into()))
}

/// Serves other processes, and tells them what concerns their clients.
pub(super) fn start(
    listener: TcpListener,
    node: &Arc<Node>,
    identity: &RelayIdentity,
    tasks: &mut JoinSet<()>,
) -> Result<(), StartError> {
    let surroundings = &node.surroundings;
    let tls = TlsServer::new(identity, surroundings.time.clone());
    let tls = tls.map_err(|error| StartError::Tls(error.into()))?;
    let spawner = surroundings.spawner.clone();
    let serving = cluster::serve(
        listener,
        tls,
        identity.fingerprint(),
        spawner.clone(),
        Arc::new(Serving { node: node.clone() }),
    );
    spawner.spawn_in(tasks, serving);
    let (border, waiting) = mpsc::channel(WAITING);
    node.hub.open_border(border);
    spawner.spawn_in(tasks, tell(node.clone(), waiting));
    Ok(())
}

/// Tells all other processes what concerns their clients.
async fn tell(node: Arc<Node>, mut waiting: mpsc::Receiver<Abroad>) {
    let offers = Arc::new(Semaphore::new(OFFERED));
    while let Some(abroad) = waiting.recv().await {
        let Some(cluster) = &node.cluster else { continue };
        let Abroad::Notify { notifier, notification, .. } = &abroad else {
            let request = Request::Abroad(abroad);
            cluster.links().iter().for_each(|link| link.tell(&request));
            continue;
        };
        let (notifier, nonce) = (notifier.clone(), notification.nonce);
        // It is never closed.
        let Ok(offer) = offers.clone().acquire_owned().await else { return };
        let (node, request) = (node.clone(), Request::Abroad(abroad));
        let spawner = node.surroundings.spawner.clone();
        spawner.spawn(async move {
            if let Some(cluster) = &node.cluster
                && cluster.ask_all(&request).await.contains(&Reply::Taken)
            {
                node.hub.notifications.taken(&notifier, &nonce);
            }
            drop(offer);
        });
    }
}

/// Does what other processes ask for.
struct Serving {
    node: Arc<Node>,
}

impl Served for Serving {
    type Peer = RemoteClients;

    fn connected(&self) -> RemoteClients {
        RemoteClients::default()
    }

    async fn answer(self: Arc<Self>, clients: Arc<RemoteClients>, request: Request) -> Option<Reply> {
        let node = &self.node;
        match request {
            Request::Run(run) => Some(run_remote(node, &clients, *run).await),
            Request::Ended(client) => {
                clients.ended(client);
                None
            }
            Request::Give { to, queue, service } => Some(give_to_service(node, &queue, &service, to).await),
            Request::ClaimNotifications { notifiers, subscribed } => {
                Some(Reply::Notifications(node.hub.claim_notifications(&notifiers, subscribed)))
            }
            Request::Abroad(abroad) => {
                let is_offer = matches!(abroad, Abroad::Notify { .. });
                let taken = node.hub.take_from_abroad(&abroad);
                is_offer.then_some(if taken { Reply::Taken } else { Reply::Nothing })
            }
            Request::Order(line) => {
                let Some(Question::Queue(id, order)) = Question::read(&line) else {
                    return Some(Reply::Nothing);
                };
                let done = match carry_out(node, &id, &order).await {
                    Ok(answer) => serde_json::to_string(&answer).ok(),
                    Err(_) => None,
                };
                Some(done.map_or(Reply::NotHere, Reply::Said))
            }
        }
    }
}
