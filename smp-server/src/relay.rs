//! Starting and stopping a relay.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use smp_protocol::address::RelayAddress;
use smp_transport::{
    connection::{AcceptorSettings, ConnectionError, RelayAcceptor},
    identity::{IdentityError, RelayIdentity, files},
};
use time::OffsetDateTime;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

use crate::{
    admission::{Bounds, Places},
    config::{Config, ConfigError, Durability},
    control::{self, Control, Question},
    init::make_private_dir,
    listener::{BindError, Connections, bind, listen},
    maintenance::{keep_notifications, restore_notifications, sweep},
    metrics,
    node::Node,
    operator::{Observer, carry_out},
    page::{self, PageTls, PageTlsError, Site},
    session::{self, Acceptor},
    store::{DiskDurability, MemoryStore, OpenError, SqliteConfig, SqliteStore, Store, StoreError},
};

/// Name of the database in the directory of the store.
pub(crate) const DATABASE: &str = "smp-server.sqlite";

/// Why a relay cannot be started. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificates or keys cannot be used.
    #[error(
        "cannot use the relay's identity: {0}; run `smp-server init`, or restore the files from the backup"
    )]
    Identity(#[from] IdentityError),
    /// On reload only: the certificates are those of another relay.
    #[error(
        "the certificates in {0} are those of another relay; its address is another one: restart to become it"
    )]
    OtherRelay(PathBuf),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The directory of the store cannot be made.
    #[error("cannot make the directory {0}: {1}; see store.path")]
    Directory(PathBuf, #[source] std::io::Error),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address for the monitoring system cannot be listened on.
    #[error("cannot listen on {0} for metrics: {1}; see metrics.listen")]
    Metrics(SocketAddr, #[source] std::io::Error),
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
    metrics_addr: Option<SocketAddr>,
    page_addr: Option<SocketAddr>,
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
        config.validate()?;
        let identity = files::load(&config.identity.path, OffsetDateTime::now_utc())?;
        warn_of_authority_key(&config);
        let acceptor = RelayAcceptor::new(&identity, acceptor_settings(&config))?;
        let page_tls = PageTls::new(page::load_tls(&config.page)?);
        // Listening first: a second process on the same port does not touch the store.
        let listeners = bind(&config.server.listen)?;
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
        let store = open_store(&config).await?;
        let node = Arc::new(Node::new(config, store.clone()));
        if let Err(error) = restore_notifications(&node) {
            tracing::warn!("notifications that waited when the relay was stopped are lost: {error}");
        }
        let acceptor = Acceptor::new(acceptor);
        let connections = connections(&node);
        let mut tasks = JoinSet::new();
        for listener in listeners {
            spawn_listener(listener, &node, &acceptor, &connections, &mut tasks);
        }
        tasks.spawn(sweep(node.clone()));
        let counters = node.metrics.clone();
        tasks.spawn(async move { counters.refusals.warn_regularly().await });
        if let Some(page) = page {
            let site = Site::new(node.settings.clone(), identity.fingerprint(), port);
            tasks.spawn(page::serve(page, site, page_tls.clone()));
        }
        let listens_on = local_addrs.clone();
        let (places, started) = (connections.places.clone(), Instant::now());
        let observer = Arc::new(Observer { node: node.clone(), places, listens_on, started });
        if let Some(path) = &node.config().server.control_socket {
            serve_control(path, observer.clone(), &mut tasks);
        }
        let metrics_addr = metrics.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = metrics {
            tasks.spawn(metrics::serve(listener, move || observer.metrics()));
        }
        Ok(RunningRelay {
            address,
            local_addrs,
            metrics_addr,
            page_addr,
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
        self.store.close().await
    }

    /// Stops as if the process had died: connections are cut, and what the store has not written is lost. For tests.
    pub async fn kill(mut self) {
        // Before anything else, so that no answer says `OK` for what is lost.
        self.connections.abort();
        self.tasks.shutdown().await;
        self.connections.ended().await;
        // It has nothing to say: there is nothing to be done about a failure.
        let _ = self.store.abandon().await;
        self.node.proxy.close();
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

/// What all listeners share.
fn connections(node: &Node) -> Connections {
    let places = Places::new(bounds(&node.config()));
    Connections::new(places, node.settings.clone(), node.metrics.clone(), node.abort.clone())
}

/// Serves SMP to the clients of a listener.
fn spawn_listener(
    listener: TcpListener,
    node: &Arc<Node>,
    acceptor: &Acceptor,
    connections: &Connections,
    tasks: &mut JoinSet<()>,
) {
    let (node, acceptor, stop) = (node.clone(), acceptor.clone(), connections.stopping().clone());
    let serve =
        move |stream, guest| session::serve(node.clone(), acceptor.clone(), stream, guest, stop.clone());
    tasks.spawn(listen(listener, connections.clone(), serve));
}

/// A relay that cannot be asked is better than none.
fn serve_control(path: &Path, observer: Arc<Observer>, tasks: &mut JoinSet<()>) {
    match Control::bind(path) {
        Ok(control) => {
            tasks.spawn(control::serve(control, async move |question| answer(&observer, question).await));
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
        Question::Queue(id, order) => serde_json::to_string(&carry_out(&observer.node, &id, &order).await),
    }
}

/// Whoever gets the key can pretend to be this relay.
pub(crate) fn warn_of_authority_key(config: &Config) {
    if files::has_authority_key(&config.identity.path) {
        tracing::warn!(
            "{} is on this machine: move it to a safe place, who has it can pretend to be this relay",
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

pub(crate) fn acceptor_settings(config: &Config) -> AcceptorSettings {
    AcceptorSettings {
        versions: config.server.versions(),
        handshake_timeout: config.limits.handshake_timeout,
        block_timeout: config.limits.block_timeout,
    }
}

async fn open_store(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    let Some(sqlite) = sqlite_config(config) else {
        return Ok(Arc::new(MemoryStore::new(config.queues.quota as usize)));
    };
    let path = &config.store.path;
    make_private_dir(path).map_err(|error| StartError::Directory(path.clone(), error))?;
    Ok(Arc::new(SqliteStore::open(sqlite).await?))
}

/// The database of a relay; `None` if it keeps everything in memory.
pub(crate) fn sqlite_config(config: &Config) -> Option<SqliteConfig> {
    let settings = &config.store;
    let durability = match settings.effective_durability() {
        Durability::Memory => return None,
        Durability::Fsync => DiskDurability::Fsync,
        Durability::Os => DiskDurability::Os,
    };
    Some(SqliteConfig {
        durability,
        quota: config.queues.quota as usize,
        queue_cache_bytes: settings.queue_cache_mib << 20,
        body_cache_bytes: settings.body_cache_mib << 20,
        pending_bytes: settings.pending_mib << 20,
        ack_wait: settings.ack_wait,
        overwrite_deleted: settings.overwrite_deleted,
        ..SqliteConfig::new(settings.path.join(DATABASE))
    })
}
