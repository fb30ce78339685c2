//! `[files]`: the relay of files.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;
use smp_protocol::address::Password;

use super::{ConfigError, limits::rate, text};
use crate::config::Rate;

/// Largest chunk, in KiB: what peers in use can read.
const MAX_CHUNK_KIB: u32 = 4_096;

/// Largest bounds of connections, transfers and requests.
const MAX_CONNECTIONS: usize = 100_000;

/// Largest number of recipients of a chunk.
const MAX_RECIPIENTS: usize = 100_000;

/// Largest quota: a pebibyte.
const MAX_QUOTA_MIB: u64 = 1 << 30;

/// Whether files are kept for people, where, how many and for how long.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    /// Whether they are kept at all.
    pub enabled: bool,
    /// Directory of the chunks and, unless queues are in memory only, of their records; made if missing.
    pub path: PathBuf,
    /// Addresses and ports besides `server.listen` where files are served, and nothing else. Port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// The port in the address of the relay of files. 0 stands for that of the first entry of `listen`, or else the one of `server.listen`.
    pub port: u16,
    /// MiB of all chunks together.
    pub quota_mib: u64,
    /// MiB that one network (IPv4 /24, IPv6 /48) may upload in the time of `expire`. 0: no bound.
    pub quota_mib_network: u64,
    /// After how long a chunk is deleted.
    #[serde(deserialize_with = "text::duration")]
    pub expire: Duration,
    /// Sizes of chunks that are taken, in KiB.
    pub chunk_sizes_kib: Vec<u32>,
    /// Whether new files can be uploaded at all; those that there are can be downloaded.
    pub new_files: bool,
    /// If set, only clients that know it can upload.
    #[serde(deserialize_with = "text::password")]
    pub create_password: Option<Password>,
    /// Chunks that may be created in a minute from one IPv4 address or IPv6 /64 network; further ones wait, and are refused with `QUOTA` if
    /// they would wait for long. 0: no bound, for nobody.
    pub new_chunks_per_minute: u32,
    /// The same for an IPv4 /24, IPv6 /56 or IPv6 /48 network. 0: no bound.
    pub new_chunks_per_minute_network: u32,
    /// The same for all together. 0: no bound.
    pub new_chunks_per_minute_total: u32,
    /// Chunks that there may be, uploaded or not.
    pub max_chunks: u64,
    /// Recipients that a chunk may have.
    pub max_recipients: usize,
    /// Connections for files. A sixteenth of them may come from one address, a quarter from one network.
    pub max_connections: usize,
    /// Uploads and downloads at the same time, a quarter of them for one network; further ones wait.
    pub max_transfers: usize,
    /// Requests of one connection at the same time.
    pub max_requests: u32,
    /// A connection without a request, and a request without a byte in either direction for this long, is closed.
    #[serde(deserialize_with = "text::duration")]
    pub idle_timeout: Duration,
    /// An upload or download that takes longer is broken off.
    #[serde(deserialize_with = "text::duration")]
    pub transfer_timeout: Duration,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            enabled: false,
            path: PathBuf::from("files"),
            listen: Vec::new(),
            port: 0,
            quota_mib: 10_240,
            quota_mib_network: 2_560,
            expire: Duration::from_secs(48 * 3_600),
            chunk_sizes_kib: vec![64, 256, 1_024, 4_096],
            new_files: true,
            create_password: None,
            new_chunks_per_minute: 1_200,
            new_chunks_per_minute_network: 3_000,
            new_chunks_per_minute_total: 6_000,
            max_chunks: 1_000_000,
            max_recipients: 1_000,
            max_connections: 1_000,
            max_transfers: 400,
            max_requests: 16,
            idle_timeout: Duration::from_secs(60),
            transfer_timeout: Duration::from_secs(600),
        }
    }
}

impl Files {
    /// How often chunks may be created.
    pub(crate) fn new_chunks(&self) -> Rate {
        rate(self.new_chunks_per_minute, self.new_chunks_per_minute_network, self.new_chunks_per_minute_total)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let is_size = |kib: &u32| (1..=MAX_CHUNK_KIB).contains(kib);
        let rules = [
            (
                !(1..=MAX_QUOTA_MIB).contains(&self.quota_mib) || self.quota_mib_network > MAX_QUOTA_MIB,
                "files.quota_mib must be 1 to 1073741824, files.quota_mib_network 0 to 1073741824; try 10240 and 2560",
            ),
            (self.expire.is_zero(), "files.expire is 0; try \"48h\""),
            (
                self.chunk_sizes_kib.is_empty() || !self.chunk_sizes_kib.iter().all(is_size),
                "files.chunk_sizes_kib must be sizes of 1 to 4096 KiB; apps use 64, 256, 1024 and 4096",
            ),
            (self.max_chunks == 0, "files.max_chunks is 0; try 1000000"),
            (
                !(1..=MAX_RECIPIENTS).contains(&self.max_recipients),
                "files.max_recipients must be 1 to 100000; try 1000",
            ),
            (
                !(1..=MAX_CONNECTIONS).contains(&self.max_connections)
                    || !(1..=MAX_CONNECTIONS).contains(&self.max_transfers),
                "files.max_connections and files.max_transfers must be 1 to 100000; try 1000 and 400",
            ),
            (!(1..=1_000).contains(&self.max_requests), "files.max_requests must be 1 to 1000; try 16"),
            (self.idle_timeout.is_zero(), "files.idle_timeout is 0; try \"60s\""),
            (self.transfer_timeout.is_zero(), "files.transfer_timeout is 0; try \"10m\""),
        ];
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, sentence)) => Err(ConfigError::Invalid((*sentence).to_owned())),
            None => Ok(()),
        }
    }
}
