//! Settings and limits of a client.

use std::time::Duration;

use smp_protocol::version::{SmpVersion, VersionRange};

use crate::connection::{BLOCK_TIMEOUT, ServiceIdentity};
use crate::dial::Dialler;
use crate::surroundings::Surroundings;

/// Requests that may wait for their answers at once; more wait until there is room.
pub const MAX_IN_FLIGHT: usize = 4096;

/// Bytes of requests that may wait to be written; more wait until there is room. At least one block.
pub const MAX_QUEUED_BYTES: usize = 4 << 20;

/// Events that may wait for the application. When there are more, nothing is read from the relay until there is room.
pub const MAX_EVENTS: usize = 1024;

/// Secrets of queue keys and the relay's session key that are kept, so that X25519 runs once per queue and session.
pub const MAX_AGREED_KEYS: usize = 4096;

/// Blocks that are written before they are flushed together.
pub(super) const MAX_BLOCKS_PER_FLUSH: u32 = 4;

/// How long to try to tell the relay that we are leaving.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Ports to try in this order if an address has none.
pub(super) const DEFAULT_PORTS: [u16; 2] = [smp_protocol::address::DEFAULT_PORT, 443];

/// How a client behaves. The defaults suit background work of a messenger.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Clock, randomness, network and tasks. Default: those of this machine.
    pub surroundings: Surroundings,
    /// How hosts are connected to. Default: directly, onion hosts not at all.
    pub dialler: Dialler,
    /// SMP versions to accept.
    pub versions: VersionRange<SmpVersion>,
    /// Whether this is a proxy on its way to a destination relay.
    pub proxy: bool,
    /// Certificates and role, if this is a service.
    pub service: Option<ServiceIdentity>,
    /// How long finding a host, TCP, TLS and the SMP handshake may take together, for each host and port that is tried.
    /// Default: 25 s.
    pub connect_timeout: Duration,
    /// How long an answer may take, from when the block of the request was handed to the network. Also how long the
    /// network may take to accept a block. Default: 30 s.
    pub response_timeout: Duration,
    /// How long nothing may have been received before `PING` is sent; `None` to send none. Default: 10 minutes.
    pub ping_interval: Option<Duration>,
    /// How many `PING`s in a row, `response_timeout` apart, may stay without any sign of life before the connection
    /// counts as lost. Default: 3.
    pub ping_count: u32,
    /// How long a block that has begun may take to arrive. Default: 60 s.
    pub block_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            surroundings: Surroundings::machine(),
            dialler: Dialler::default(),
            versions: SmpVersion::SUPPORTED,
            proxy: false,
            service: None,
            connect_timeout: Duration::from_secs(25),
            response_timeout: Duration::from_secs(30),
            ping_interval: Some(Duration::from_secs(600)),
            ping_count: 3,
            block_timeout: BLOCK_TIMEOUT,
        }
    }
}
