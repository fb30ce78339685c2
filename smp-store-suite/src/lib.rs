//! The conformance suite of stores: every rule of [`Store`](smp_server::store::Store), to be run for each store.
//!
//! A store is tested by one line, [`conformance_suite!`] with the name of a module and the path, as seen from inside that module, of an
//! async function that makes a [`Fixture`]: an empty store whose queues take [`QUOTA`] messages. `tests/stores.rs` does so.
//!
//! For tests only: what fails panics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

#[cfg(unix)]
pub mod cluster;
mod fixture;
pub mod links;
pub mod messages;
pub mod model;
mod place;
pub mod queues;
pub mod restarts;
pub mod services;
mod suite;
pub mod sweeps;

// Where the relay's own tests, which share `fixture`, have it.
use smp_server::store;

pub use fixture::{DAY, MustBeAccepted, QUOTA, id, key, new_queue, notifier, sent};
pub use place::Fixture;
