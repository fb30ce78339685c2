//! Shared parts of tests that cross crates: end to end, restart and crash, interoperability.
//!
//! [`conformance`] checks any relay by its address, from the outside.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

pub mod balancer;
pub mod conformance;
pub mod kills;
pub mod relay_process;
pub mod test_relay;
