//! The SMP relay: keeps sealed messages in queues until their recipients fetch them, and knows nothing about who they are.
//!
//! ```text
//!  listener ──► session ───────────────► commands ──────► store
//!  sockets,     reader: block to         one file for     memory or SQLite: the truth
//!  places       commands, in order       each command        ▲
//!               of their queues              │               │
//!                                            ▼               │
//!               writer: mailbox to ◄─── broker: hub ─────────┘
//!               blocks                  who is subscribed to what
//! ```
//!
//! * `listener` opens sockets and accepts connections; `admission` bounds them.
//! * `stopping` is the end of serving: for all connections at once, or for each at a moment of its own.
//! * `session` has two tasks for each client. Commands about one queue are run and answered in order; a command that waits
//!   for the disk does not hold up those about other queues. Messages are encrypted for the recipient when they are written.
//! * `client` is the address of a connected client: a mailbox, and what it is subscribed to.
//! * `auth` verifies the key that has authorized a command, in a time that tells nothing.
//! * `commands` has the rules. A command returns its answer, what the answer waits for, and what follows it.
//! * `broker` knows subscriptions, notifications and services; in memory only, clients subscribe again after a restart.
//! * `cluster` knows the other processes of this relay, and passes commands on to the one that has the queue.
//! * `node` holds what all of these share; `relay` puts it together.
//! * `maintenance` removes what is old; `operator` carries out what `smp-server status` and `block` ask by way of [`control`].
//! * [`backup`] copies a relay, also while it runs.
//! * `metrics` counts, and answers a monitoring system.
//! * `proxy` forwards commands to other relays.
//! * [`store`] keeps queues and messages.
//! * `files` is the relay of files, for clients who ask for that protocol.
//! * `migrate` copies a store into another database.
//! * [`import`] takes over a relay of the reference implementation.
//! * `page` shows people what this relay is, in their browsers.
//!
//! Imports run one way: `tests/tests/layers/table.rs` says which.
//!
//! Invariants: a sender reads `OK` only when the message is kept; a queue has one message at a time with its recipient;
//! no log, at any level, has an ID, a key or an address of a client.
//!
//! The program `smp-server` is a thin shell around this library, which can be embedded:
//!
//! ```
//! use smp_server::{Relay, config::StoreKind, init};
//! use smp_transport::surroundings::Surroundings;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let dir = tempfile::tempdir()?;
//! let mut config = init::local::embedded(dir.path(), &Surroundings::machine())?;
//! config.store.kind = StoreKind::Memory;
//! let relay = Relay::start(config).await?;
//! println!("{}", relay.address());
//! relay.shutdown().await?;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests are programs of their own, with the time and chance of this machine"
    )
)]

mod admission;
mod advice;
mod auth;
pub mod backup;
mod broker;
mod client;
mod clock;
mod cluster;
mod commands;
pub mod config;
pub mod control;
// For tests of other crates: programs start a whole relay.
#[doc(hidden)]
pub mod files;
pub mod import;
pub mod init;
mod listener;
mod load;
mod maintenance;
mod metrics;
#[cfg(feature = "postgres")]
pub mod migrate;
mod node;
mod operator;
mod page;
mod proxy;
mod relay;
mod reload;
mod served;
mod session;
mod stopping;
pub mod store;
mod sync;
#[cfg(test)]
mod testing;

pub use listener::BindError;
pub use page::PageTlsError;
pub use relay::{Relay, RunningRelay, StartError};
pub use reload::Reloaded;
