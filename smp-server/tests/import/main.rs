//! `smp-server import`: whole relays of the reference implementation, and damaged ones.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clients;
mod damage;
mod samples;
mod support;
