//! The tests of `relay/`, with the SQLite store.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "relay/blocking.rs"]
mod blocking;
#[path = "relay/clock.rs"]
mod clock;
#[path = "relay/forwarding.rs"]
mod forwarding;
#[path = "relay/full_disk.rs"]
mod full_disk;
#[path = "relay/links.rs"]
mod links;
#[path = "relay/messages.rs"]
mod messages;
#[path = "relay/notifications.rs"]
mod notifications;
#[path = "relay/queues.rs"]
mod queues;
#[path = "relay/refusals.rs"]
mod refusals;
#[path = "relay/restart.rs"]
mod restart;
#[path = "relay/services.rs"]
mod services;
#[path = "relay/subscriptions.rs"]
mod subscriptions;
#[path = "relay/support.rs"]
mod support;

const STORE: smp_server::config::StoreKind = smp_server::config::StoreKind::Sqlite;

/// Processes of each relay.
const PROCESSES: usize = 1;
