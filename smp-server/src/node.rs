//! `Node`: the parts of a running relay that serving a client takes. One per relay, shared by all its tasks.

use std::sync::Arc;

use smp_transport::surroundings::{Rng, Surroundings};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    admission::{Memory, Rates},
    auth::NobodysKeys,
    broker::{Hub, Notifications},
    clock::Clock,
    cluster::Cluster,
    config::{Config, Durability, InForce},
    load::Load,
    metrics::{Limit, Metrics},
    proxy::Proxy,
    store::Store,
};

const FAILURES: [Limit; 3] = [Limit::FailuresPerAddress, Limit::FailuresPerNetwork, Limit::FailuresTotal];

/// The parts of a relay.
pub(crate) struct Node {
    /// The settings.
    pub(crate) settings: Arc<InForce>,
    /// Queues and messages.
    pub(crate) store: Arc<dyn Store>,
    /// Time, chance, network and tasks.
    pub(crate) surroundings: Surroundings,
    /// The relay's clock.
    pub(crate) clock: Clock,
    /// The promise of the store.
    pub(crate) durability: Durability,
    /// Subscriptions.
    pub(crate) hub: Hub,
    /// The other processes of this relay, if there can be any.
    pub(crate) cluster: Option<Cluster>,
    /// Sessions with other relays.
    pub(crate) proxy: Arc<Proxy>,
    /// Verified against when there is no queue.
    pub(crate) nobody: NobodysKeys,
    /// Counters for a monitoring system.
    pub(crate) metrics: Arc<Metrics>,
    /// Memory for commands and answers in flight.
    pub(crate) memory: Arc<Memory>,
    /// How often queues are created.
    pub(crate) creation: Rates,
    /// How often clients ask for relays that nobody has asked for.
    pub(crate) new_relays: Rates,
    /// How often commands are refused for a wrong authorization or password.
    pub(crate) failures: Rates,
    /// The same for commands that proxies forward.
    pub(crate) forwarded_failures: Rates,
    /// How busy the threads are.
    pub(crate) load: Load,
    /// Cancelled to stop everything at once.
    pub(crate) abort: CancellationToken,
}

impl Node {
    pub(crate) fn new(
        config: Config,
        store: Arc<dyn Store>,
        clock: Clock,
        surroundings: Surroundings,
    ) -> Self {
        let limits = &config.limits;
        let notifications =
            Notifications::new(limits.max_pending_notifications, limits.max_pending_notifications_total);
        Self {
            hub: Hub::new(notifications, surroundings.spawner.clone()),
            nobody: NobodysKeys::generate(&mut surroundings.randomness.rng()),
            metrics: Arc::new(Metrics::new(surroundings.time.clone())),
            memory: Memory::new(limits.max_pending_total_mib << 20),
            creation: Rates::new([
                Limit::NewQueuesPerAddress,
                Limit::NewQueuesPerNetwork,
                Limit::NewQueuesTotal,
            ]),
            new_relays: Rates::new([
                Limit::NewRelaysPerAddress,
                Limit::NewRelaysPerNetwork,
                Limit::NewRelaysTotal,
            ]),
            failures: Rates::new(FAILURES),
            forwarded_failures: Rates::new(FAILURES),
            load: Load::new(surroundings.time.clone()),
            abort: CancellationToken::new(),
            cluster: None,
            proxy: Proxy::new(config.proxy.clone(), surroundings.clone()),
            durability: config.store.effective_durability(),
            settings: Arc::new(InForce::new(config)),
            store,
            clock,
            surroundings,
        }
    }

    /// With other processes of the same relay.
    pub(crate) fn in_cluster(mut self, cluster: Option<Cluster>) -> Self {
        self.cluster = cluster;
        self
    }

    /// The settings that are in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.settings.get()
    }

    /// Now, by the monotonic clock.
    pub(crate) fn now(&self) -> Instant {
        self.surroundings.time.monotonic()
    }

    /// A generator of random bytes.
    pub(crate) fn rng(&self) -> Rng<'_> {
        self.surroundings.randomness.rng()
    }

    /// Before which time (seconds since 1970) messages are too old now.
    pub(crate) fn expire_before(&self) -> Option<u64> {
        self.config().queues.expire_messages.map(|age| self.clock.older_than(age))
    }
}
