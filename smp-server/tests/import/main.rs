//! `smp-server import`: whole relays of the reference implementation, and damaged ones.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clients;
mod damage;
mod samples;
mod support;
