//! TLS, relay identity, handshake, block framing and the relay client of the SimpleX Messaging Protocol.
//!
//! | module | what it holds | who uses it |
//! |---|---|---|
//! | [`identity`] | offline authority, online certificate, their files | relays; fingerprints are in addresses |
//! | [`tls`] | TLS with the profile of the protocol, channel binding | the next one |
//! | [`connection`] | handshake and blocks, for either role | relays accept, clients connect |
//! | [`dial`] | connections to hosts, directly or through a SOCKS5 proxy | the next one |
//! | [`surroundings`] | time, chance, network and tasks, which are handed in | all others |
//! | [`client`] | requests and events over one connection | agents, proxies, benchmarks |
//!
//! The chapter of the specification is `protocol-spec/2-transport.md`.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests are programs of their own, with the time and chance of this machine"
    )
)]

pub mod causes;
pub mod client;
pub mod connection;
pub mod dial;
pub mod durable;
pub mod identity;
pub mod owner;
pub mod socket;
mod stream;
pub mod surroundings;
pub mod tls;
