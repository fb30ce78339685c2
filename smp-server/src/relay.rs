//! `Relay`: the start and the stop of a relay, put together from its parts.

mod file_relay;
mod processes;
mod stores;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use smp_protocol::{
    address::{RelayAddress, XftpAddress},
    xftp,
};
use smp_transport::{
    connection::{AcceptorSettings, ConnectionError, RelayAcceptor},
    identity::{ChainError, IdentityError, RelayIdentity, files},
    surroundings::Surroundings,
};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

use crate::{
    admission::{Bounds, Places},
    advice,
    clock::Clock,
    cluster::{Reply, Request},
    config::{Config, ConfigError, StoreKind},
    control::{self, Control, Question, QueueAnswer, QueueId, QueueOrder},
    listener::{BindError, Connections, bind, listen},
    maintenance::{keep_notifications, keep_time, restore_notifications, restore_time, sweep, watch_time},
    metrics::{self, Refused},
    node::Node,
    operator::{Observer, carry_out},
    page::{self, PageTls, PageTlsError, Site},
    session::{self, Acceptor},
    store::{OpenError, Store, StoreError},
};

pub(crate) use file_relay::{Files, RECORDS};
use stores::make_dir;
pub(crate) use stores::{DATABASE, sqlite_config};
#[cfg(feature = "postgres")]
pub(crate) use stores::{postgres_config, presence};

/// How long an operator waits for an order to be carried out. It goes on after that.
const ORDER_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a relay cannot be started. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificates or keys cannot be used.
    #[error("cannot use the relay's identity: {0}; {advice}", advice = advice::of_identity(.0))]
    Identity(#[from] IdentityError),
    /// On reload only: the certificates are those of another relay.
    #[error(
        "the certificates in {0} are those of another relay; its address is another one: restart to become it"
    )]
    OtherRelay(PathBuf),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The note of the store that the relay has served from cannot be read.
    #[error("cannot read {0}: {1}; {advice}", advice = advice::of_file(.0, .1))]
    Note(PathBuf, #[source] std::io::Error),
    /// The directory of the store cannot be made.
    #[error("cannot make the directory {0}: {1}; {advice}; see store.path", advice = advice::of_file(.0, .1))]
    Directory(PathBuf, #[source] std::io::Error),
    /// The directory of the files cannot be used.
    #[error("cannot keep files in {0}: {1}; {advice}; see files.path", advice = advice::of_file(.0, .1))]
    Files(PathBuf, #[source] std::io::Error),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address for the monitoring system cannot be listened on.
    #[error("cannot listen on {0} for metrics: {1}; see metrics.listen")]
    Metrics(SocketAddr, #[source] std::io::Error),
    /// The address for other processes cannot be listened on.
    #[error("cannot listen on {0} for other processes of this relay: {1}; see cluster.listen")]
    Cluster(SocketAddr, #[source] std::io::Error),
    /// The certificate of the information page cannot be used.
    #[error(transparent)]
    Page(#[from] PageTlsError),
    /// The TLS library refuses the identity.
    #[error("cannot serve with the relay's identity: {0}")]
    Tls(#[from] ConnectionError),
}

/// A relay.
#[derive(Debug)]
pub struct Relay;

/// A relay that is running. Dropping it stops it at once, as [`RunningRelay::kill`] does.
pub struct RunningRelay {
    pub(crate) address: RelayAddress,
    pub(crate) identity: RelayIdentity,
    local_addrs: Vec<SocketAddr>,
    pub(crate) files: Option<Files>,
    pub(crate) files_address: Option<XftpAddress>,
    metrics_addr: Option<SocketAddr>,
    page_addr: Option<SocketAddr>,
    cluster_addr: Option<SocketAddr>,
    pub(crate) page_tls: PageTls,
    store: Arc<dyn Store>,
    pub(crate) node: Arc<Node>,
    pub(crate) acceptor: Acceptor,
    pub(crate) connections: Connections,
    tasks: JoinSet<()>,
}

impl Relay {
    /// Opens the store, listens, and serves clients in the background of the current tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`]; then nothing is left running.
    pub async fn start(config: Config) -> Result<RunningRelay, StartError> {
        Self::start_with(config, Surroundings::machine()).await
    }

    /// As [`Relay::start`], with another time, chance, network or way to start tasks than those of the machine.
    ///
    /// # Errors
    ///
    /// [`StartError`]; then nothing is left running.
    pub async fn start_with(config: Config, surroundings: Surroundings) -> Result<RunningRelay, StartError> {
        config.validate()?;
        let clock = Clock::new(surroundings.time.clone());
        let identity = load_identity(&config, &clock)?;
        warn_of_authority_key(&config);
        let acceptor = RelayAcceptor::new(&identity, acceptor_settings(&config, &surroundings))?;
        let page_tls = PageTls::new(page::load_tls(&config.page)?);
        page_tls.warn(seconds(&clock));
        // A standby that waits for the database must not look as if it served.
        let private = processes::bind(&config.cluster).await?;
        let shared_at = private.as_ref().map(|(_, address)| address.as_str());
        let store = match config.store.kind {
            StoreKind::Postgres => Some(stores::open(&config, shared_at, &surroundings).await?),
            StoreKind::Sqlite | StoreKind::Memory => None,
        };
        // Otherwise listening first: a second process on the same port does not touch the store.
        let listeners = bind(&config.server.listen)?;
        let files_listen = if config.files.enabled { config.files.listen.as_slice() } else { &[] };
        let files_listeners = bind(files_listen)?;
        let page = bind(config.page.listen.as_slice())?.pop();
        let page_addr = page.as_ref().and_then(|page| page.local_addr().ok());
        let local_addrs: Vec<SocketAddr> = listeners.iter().filter_map(|l| l.local_addr().ok()).collect();
        let port = local_addrs.first().map_or(0, SocketAddr::port);
        let address = config.address(identity.fingerprint(), port)?;
        let metrics = match config.metrics.listen {
            Some(address) => {
                Some(metrics::bind(address).await.map_err(|error| StartError::Metrics(address, error))?)
            }
            None => None,
        };
        let store = match store {
            Some(store) => store,
            None => stores::open(&config, None, &surroundings).await?,
        };
        if let Err(error) = restore_time(&clock, store.as_ref()).await {
            tracing::warn!("cannot note the time: {error}");
        }
        let cluster = processes::cluster(&store, &identity, &surroundings)?;
        let node = Node::new(config, store.clone(), clock.clone(), surroundings).in_cluster(cluster);
        let node = Arc::new(node);
        if let Some(listener) = local_addrs.first() {
            let hosts = address.hosts.iter().cloned().collect();
            node.proxy.set_own(identity.fingerprint(), *listener, hosts);
        }
        if let Err(error) = restore_notifications(&node) {
            tracing::warn!("notifications that waited when the relay was stopped are lost: {error}");
        }
        let files_addrs = files_listeners.iter().filter_map(|l| l.local_addr().ok()).collect();
        let files = file_relay::open(&node, &identity, files_addrs).await?;
        let files_address = match &files {
            Some(files) => Some(files.address(&node.config(), identity.fingerprint(), port)?),
            None => None,
        };
        let acceptor = Acceptor::new(acceptor);
        let connections = connections(&node);
        let mut tasks = JoinSet::new();
        let spawner = node.surroundings.spawner.clone();
        for listener in listeners {
            spawn_listener(listener, &node, &acceptor, files.as_ref(), &connections, &mut tasks);
        }
        if let Some(files) = &files {
            for listener in files_listeners {
                spawn_files_listener(listener, &node, files, &connections, &mut tasks);
            }
            spawner.spawn_in(&mut tasks, file_relay::sweep(files.relay.clone()));
        }
        let cluster_addr = private.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
        if let Some((listener, _)) = private {
            processes::start(listener, &node, &identity, &mut tasks)?;
        }
        spawner.spawn_in(&mut tasks, sweep(node.clone()));
        spawner.spawn_in(&mut tasks, watch_time(clock.clone(), store.clone()));
        spawner.spawn_in(&mut tasks, watch(store.clone()));
        let counters = node.metrics.clone();
        spawner.spawn_in(&mut tasks, async move { counters.refusals.warn_regularly().await });
        if let Some(page) = page {
            let site = Site::new(node.settings.clone(), node.metrics.clone(), identity.fingerprint(), port);
            spawner.spawn_in(&mut tasks, page::serve(page, site, page_tls.clone(), spawner.clone()));
            let clock = clock.clone();
            let watched = page::watch_tls(page_tls.clone(), node.settings.clone(), move || seconds(&clock));
            spawner.spawn_in(&mut tasks, watched);
        }
        let listens_on = local_addrs.clone();
        let (places, started) = (connections.places.clone(), node.now());
        let observer = Arc::new(Observer {
            node: node.clone(),
            places,
            listens_on,
            started,
            page_tls: page_tls.clone(),
            stopping: connections.stopping().clone(),
            files: files.as_ref().map(|files| files.relay.clone()),
        });
        if let Some(path) = &node.config().server.control_socket {
            serve_control(path, observer.clone(), &mut tasks);
        }
        let metrics_addr = metrics.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = metrics {
            let serving = metrics::serve(listener, spawner.clone(), observer);
            spawner.spawn_in(&mut tasks, serving);
        }
        Ok(RunningRelay {
            address,
            local_addrs,
            files,
            files_address,
            metrics_addr,
            page_addr,
            cluster_addr,
            page_tls,
            store,
            node,
            acceptor,
            connections,
            tasks,
            identity,
        })
    }
}

impl RunningRelay {
    /// The address to give to clients.
    #[must_use]
    pub fn address(&self) -> &RelayAddress {
        &self.address
    }

    /// The addresses it listens on, in the order of `server.listen`.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// The address for files to give to clients, if files are kept.
    #[must_use]
    pub fn files_address(&self) -> Option<&XftpAddress> {
        self.files_address.as_ref()
    }

    /// The addresses at which it listens for files alone, in the order of `files.listen`.
    #[must_use]
    pub fn files_addrs(&self) -> &[SocketAddr] {
        self.files.as_ref().map_or(&[], |files| &files.local_addrs)
    }

    /// Where a monitoring system can ask, if anywhere.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Where the information page is, if there is one.
    #[must_use]
    pub fn page_addr(&self) -> Option<SocketAddr> {
        self.page_addr
    }

    /// Connections that there are now, those in their handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.places.used()
    }

    /// Where other processes of the same relay reach this one, if there can be any.
    #[must_use]
    pub fn cluster_addr(&self) -> Option<SocketAddr> {
        self.cluster_addr
    }

    /// Other processes of the same relay that were alive a moment ago (`[cluster]`).
    #[must_use]
    pub fn other_processes(&self) -> usize {
        self.store.neighbours().len()
    }

    /// Limits because of which clients were refused since the start.
    #[must_use]
    pub fn refused(&self) -> Vec<Refused> {
        self.node.metrics.refusals.refused()
    }

    /// Stops accepting and lets clients go one after the other, over `limits.drain_timeout`: each is disconnected at a moment of its own,
    /// after what it has asked was answered. Resolves when all have gone. Does nothing if that time is zero.
    pub async fn drain(&self) {
        let over = self.node.config().limits.drain_timeout;
        if !over.is_zero() {
            self.connections.drain(over);
            // Answers that are still to come are waited for when it is shut down.
            let _ = timeout(over, self.connections.ended()).await;
        }
    }

    /// Stops accepting, answers what clients have asked, disconnects them, and writes everything to the store.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store could not write everything.
    pub async fn shutdown(mut self) -> Result<(), StoreError> {
        self.connections.stop();
        let limit = self.node.config().limits.shutdown_timeout;
        if timeout(limit, self.connections.ended()).await.is_err() {
            self.connections.abort();
            self.connections.ended().await;
        }
        self.tasks.shutdown().await;
        self.node.proxy.close();
        if let Err(error) = keep_notifications(&self.node) {
            tracing::warn!("notifications that nobody has taken are lost: {error}");
        }
        // Without it the time since it was noted last counts as a jump of the clock, which makes nothing older.
        let _ = keep_time(&self.node.clock, self.store.as_ref()).await;
        self.close_files().await;
        self.store.close().await
    }

    /// Resolves if a part of the relay has died, which has no other cause than a mistake in it: what is left would look like a
    /// relay and do only half of what one does. Kill it, and start it again.
    pub async fn died(&mut self) {
        match self.tasks.join_next().await {
            Some(ended) => {
                let why = ended.err().map_or_else(|| "it has ended".to_owned(), |error| error.to_string());
                tracing::error!("a part of the relay has died: {why}");
            }
            None => std::future::pending().await,
        }
    }

    /// Stops as if the process had died: connections are cut, and what the store has not written is lost. For tests.
    pub async fn kill(mut self) {
        // Before anything else, so that no answer says `OK` for what is lost.
        self.connections.abort();
        self.tasks.shutdown().await;
        self.connections.ended().await;
        // It has nothing to say: there is nothing to be done about a failure.
        let _ = self.store.abandon().await;
        self.close_files().await;
        self.node.proxy.close();
    }

    async fn close_files(&self) {
        if let Some(files) = &self.files
            && let Err(error) = files.relay.close().await
        {
            tracing::warn!("{error}");
        }
    }
}

impl Drop for RunningRelay {
    fn drop(&mut self) {
        self.node.abort.cancel();
    }
}

impl std::fmt::Debug for RunningRelay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningRelay").field("local_addrs", &self.local_addrs).finish_non_exhaustive()
    }
}

/// Seconds since 1970, as certificates count them.
pub(crate) fn seconds(clock: &Clock) -> i64 {
    clock.date().unix_timestamp()
}

/// Shared by all listeners.
fn connections(node: &Node) -> Connections {
    let places = Places::new(bounds(&node.config()));
    let surroundings = node.surroundings.clone();
    Connections::new(places, node.settings.clone(), node.metrics.clone(), surroundings, node.abort.clone())
}

/// Serves SMP to the clients of a listener, and files to those who agree on that by ALPN.
fn spawn_listener(
    listener: TcpListener,
    node: &Arc<Node>,
    acceptor: &Acceptor,
    files: Option<&Files>,
    connections: &Connections,
    tasks: &mut JoinSet<()>,
) {
    let spawner = node.surroundings.spawner.clone();
    let (node, acceptor, stopping) = (node.clone(), acceptor.clone(), connections.stopping().clone());
    let files = files.map(|files| files.relay.clone());
    let serve = move |stream, guest| {
        session::serve(node.clone(), acceptor.clone(), files.clone(), stream, guest, stopping.clone())
    };
    spawner.spawn_in(tasks, listen(listener, connections.clone(), serve));
}

/// Serves files to the clients of a listener.
fn spawn_files_listener(
    listener: TcpListener,
    node: &Arc<Node>,
    files: &Files,
    connections: &Connections,
    tasks: &mut JoinSet<()>,
) {
    let spawner = node.surroundings.spawner.clone();
    let (node, files, stopping) = (node.clone(), files.clone(), connections.stopping().clone());
    let serve = move |stream, guest| {
        let (node, files, stopping) = (node.clone(), files.clone(), stopping.clone());
        async move { files.serve(&node, stream, guest, &stopping).await }
    };
    spawner.spawn_in(tasks, listen(listener, connections.clone(), serve));
}

/// Ends if the store can do nothing any more.
async fn watch(store: Arc<dyn Store>) {
    // There is nothing that could be done about an error either.
    let _ = store.failed().await;
}

/// The identity, also by a clock that says that its certificates are not valid yet: it is the clock that is wrong.
pub(crate) fn load_identity(config: &Config, clock: &Clock) -> Result<RelayIdentity, IdentityError> {
    match files::load(&config.identity.path, clock.date()) {
        Err(IdentityError::Chain(ChainError::NotYetValid(_))) => {
            clock.not_before(files::valid_from(&config.identity.path)?);
            tracing::warn!(
                "the clock of this machine is behind: it says that the relay's certificates are not valid yet"
            );
            files::load(&config.identity.path, clock.date())
        }
        loaded => loaded,
    }
}

/// A relay that cannot be asked is better than none.
fn serve_control(path: &Path, observer: Arc<Observer>, tasks: &mut JoinSet<()>) {
    match Control::bind(path) {
        Ok(control) => {
            let spawner = observer.node.surroundings.spawner.clone();
            let serving = control::serve(control, async move |question| answer(&observer, question).await);
            spawner.spawn_in(tasks, serving);
        }
        Err(error) => tracing::warn!(
            "`smp-server status` and `block` will not work: cannot listen at {}: {error}; see server.control_socket",
            path.display()
        ),
    }
}

/// The line of JSON that a question is answered with.
async fn answer(observer: &Observer, question: Question) -> serde_json::Result<String> {
    match question {
        Question::Status => serde_json::to_string(&observer.status()),
        Question::Queue(id, order) => {
            let node = observer.node.clone();
            // Done whole, however long anybody waits for it.
            let spawner = node.surroundings.spawner.clone();
            let done = spawner.spawn(async move { carry_out_anywhere(&node, &id, &order).await });
            serde_json::to_string(&match timeout(ORDER_TIMEOUT, done).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => QueueAnswer::Failed(error.to_string()),
                Err(_) => QueueAnswer::GoesOn,
            })
        }
    }
}

/// Carries an order out in the process that has the queue.
async fn carry_out_anywhere(node: &Node, id: &QueueId, order: &QueueOrder) -> QueueAnswer {
    let process = match carry_out(node, id, order).await {
        Ok(answer) => return answer,
        Err(process) => process,
    };
    let link = node.cluster.as_ref().and_then(|cluster| cluster.link(process));
    let line = Question::Queue(id.clone(), order.clone()).to_string();
    let said = match link {
        Some(link) => link.ask(&Request::Order(line)).await.ok(),
        None => None,
    };
    match said {
        Some(Reply::Said(answer)) => serde_json::from_str(&answer).ok(),
        _ => None,
    }
    .unwrap_or_else(|| {
        QueueAnswer::Failed(format!("process {process} of this relay has the queue, and does not answer"))
    })
}

/// The key is enough to pretend to be this relay.
pub(crate) fn warn_of_authority_key(config: &Config) {
    if files::has_authority_key(&config.identity.path) {
        tracing::warn!(
            "{} is on this machine: move it to a safe place, with it anybody can pretend to be this relay",
            files::CA_KEY
        );
    }
}

/// How many connections there may be. A wider bound than that of an address is no narrower.
pub(crate) fn bounds(config: &Config) -> Bounds {
    let limits = &config.limits;
    let per_address = limits.max_connections_per_address;
    let wider = |bound: usize| if per_address == 0 || bound == 0 { 0 } else { bound.max(per_address) };
    Bounds {
        total: limits.max_connections,
        per_address,
        per_site: wider(limits.max_connections_per_site),
        per_network: wider(limits.max_connections_per_network),
    }
}

pub(crate) fn acceptor_settings(config: &Config, surroundings: &Surroundings) -> AcceptorSettings {
    AcceptorSettings {
        surroundings: surroundings.clone(),
        versions: config.server.versions(),
        handshake_timeout: config.limits.handshake_timeout,
        block_timeout: config.limits.block_timeout,
        others: if config.files.enabled { vec![xftp::ALPN.as_bytes()] } else { Vec::new() },
    }
}

#[cfg(test)]
mod tests {
    use smp_protocol::error::{BlockingInfo, BlockingReason};

    use super::*;
    use crate::{
        stopping::Stopping,
        store::{self, QueueStatus},
        testing,
    };

    /// The operator is told that it goes on, and it does.
    #[tokio::test(start_paused = true)]
    async fn an_order_is_carried_out_whole_however_long_the_store_takes() {
        let store = testing::memory();
        let node = testing::node_on(store.clone());
        let queue = testing::queue(&node).await;
        store.seam.hold_changes();
        let (places, started) = (Places::new(bounds(&node.config())), node.now());
        let page_tls = PageTls::new(None);
        let (listens_on, stopping) = (Vec::new(), Stopping::default());
        let observer =
            Observer { node: node.clone(), places, listens_on, started, page_tls, stopping, files: None };
        let info = BlockingInfo { reason: BlockingReason::Spam, notice: None };
        let id = QueueId::new(queue.sender_id.as_bytes()).unwrap();
        let told = answer(&observer, Question::Queue(id, QueueOrder::Block(info))).await.unwrap();
        assert_eq!(told, serde_json::to_string(&QueueAnswer::GoesOn).unwrap());
        assert_eq!(node.metrics.queues_blocked.get(), 0);
        store.seam.release_change();
        while node.metrics.queues_blocked.get() == 0 {
            tokio::task::yield_now().await;
        }
        let found = node.store.find_queue(store::QueueId::Recipient(&queue.recipient_id)).await.unwrap();
        assert!(matches!(found.unwrap().status, QueueStatus::Blocked(_)));
    }
}
