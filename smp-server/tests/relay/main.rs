//! A running relay, spoken to over TCP and TLS.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod blocking;
mod bounds;
mod clock;
mod crowd;
mod forwarded_connections;
mod forwarding;
mod limits;
mod links;
mod messages;
mod metrics;
mod notifications;
mod onion;
mod proxying;
mod queues;
mod refusals;
mod services;
mod subscriptions;
mod support;

const STORE: smp_server::config::StoreKind = smp_server::config::StoreKind::Memory;

/// Processes of each relay.
const PROCESSES: usize = 1;
