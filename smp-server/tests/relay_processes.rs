//! The tests of `relay/` about clients and queues, with two processes that share a store in PostgreSQL, and clients connected to either of them by
//! chance; where there is none, with one process and SQLite's. Those of services are left out: docs/scaling.md says why.

#![cfg(all(unix, feature = "postgres"))]
#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "relay/blocking.rs"]
mod blocking;
#[path = "relay/forwarding.rs"]
mod forwarding;
#[path = "relay/links.rs"]
mod links;
#[path = "relay/messages.rs"]
mod messages;
#[path = "relay/notifications.rs"]
mod notifications;
#[path = "relay/processes.rs"]
mod processes;
#[path = "relay/queues.rs"]
mod queues;
#[path = "relay/refusals.rs"]
mod refusals;
#[path = "relay/subscriptions.rs"]
mod subscriptions;
#[path = "relay/support.rs"]
mod support;

const STORE: smp_server::config::StoreKind = smp_server::config::StoreKind::Postgres;

/// Processes of each relay.
const PROCESSES: usize = 2;
