//! Settings and identity of a file relay, and what it is told of a connection.

use std::path::PathBuf;
use std::time::Duration;

use smp_crypto::PrivateSignatureKey;
use smp_protocol::address::Password;
use smp_protocol::certificate::CertificateChain;
use smp_protocol::encoding::TooLong;
use smp_protocol::id::SessionId;
use smp_protocol::xftp::chunk_size::CHUNK_SIZES;
use smp_transport::identity::RelayIdentity;

use crate::admission::{Bounds, Quota};
use crate::config::Rate;

/// Settings of a file relay.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// The directory of the chunks, which belongs to this relay alone.
    pub directory: PathBuf,
    /// Whether an upload that was answered `OK` survives a power cut, not only the end of the process.
    pub fsync: bool,
    /// Bytes of all chunks together, those that are being uploaded too.
    pub quota: u64,
    /// Bytes that one network may upload in the time for which chunks are kept. 0: no bound.
    pub quota_per_network: u64,
    /// Free bytes that uploads leave on the disk. 0: no bound.
    pub min_free: u64,
    /// Chunks that may exist, uploaded or not.
    pub chunks: u64,
    /// Recipients that a chunk may have.
    pub recipients: usize,
    /// Sizes of chunks that are taken, in bytes.
    pub sizes: Vec<u32>,
    /// How long a chunk is kept after it was created.
    pub keep: Duration,
    /// Whether chunks can be created at all.
    pub new_files: bool,
    /// Must be known to create a chunk.
    pub password: Option<Password>,
    /// Connections; a sixteenth of them from one address, a quarter from one network.
    pub connections: usize,
    /// Uploads and downloads at the same time; a quarter of them for one network.
    pub transfers: usize,
    /// Requests of one connection at the same time.
    pub streams: u32,
    /// How long a connection may be without a request, and a request without a byte in either direction.
    pub idle: Duration,
    /// How long a request may take as a whole, with the chunk that comes or goes with it.
    pub transfer: Duration,
    /// Chunks that may be created in a minute: from one address, from one network, and by all together. 0: no bound.
    pub new_chunks: [u32; 3],
    /// Authorizations that may fail in a minute, likewise; the answers to further ones wait.
    pub failures: [u32; 3],
}

impl FileSettings {
    /// The usual settings: 48 hours, the sizes of the protocol, 1 GiB.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            fsync: true,
            quota: 1 << 30,
            quota_per_network: 0,
            min_free: 0,
            chunks: 100_000,
            recipients: 1_000,
            sizes: CHUNK_SIZES.to_vec(),
            keep: Duration::from_secs(48 * 3600),
            new_files: true,
            password: None,
            connections: 1_000,
            transfers: 400,
            streams: 16,
            idle: Duration::from_secs(60),
            transfer: Duration::from_secs(600),
            new_chunks: [0; 3],
            failures: [0; 3],
        }
    }

    /// The bytes of a network, and the time in which it has them.
    pub(super) fn network(&self) -> Quota {
        Quota { bytes: self.quota_per_network, time: self.keep }
    }

    pub(super) fn new_chunks(&self) -> Rate {
        let [per_address, per_network, total] = self.new_chunks;
        Rate { per_address, per_network, total }
    }

    pub(super) fn failures(&self) -> Rate {
        let [per_address, per_network, total] = self.failures;
        Rate { per_address, per_network, total }
    }

    pub(super) fn bounds(&self) -> Bounds {
        let part = |divisor: usize| self.connections.div_ceil(divisor).max(1);
        Bounds { total: self.connections, per_address: part(16), per_site: part(8), per_network: part(4) }
    }
}

/// The identity by which clients know the relay.
#[derive(Debug, Clone)]
pub struct FileIdentity {
    /// The chain of TLS, leaf first.
    pub chain: CertificateChain,
    /// The private key of its first certificate.
    pub leaf_key: PrivateSignatureKey,
    /// SHA-256 of its identity certificate.
    pub fingerprint: [u8; 32],
}

impl FileIdentity {
    /// That of a relay of messages: one relay may be both.
    ///
    /// # Errors
    /// [`TooLong`] if its chain cannot be sent.
    pub fn of(relay: &RelayIdentity) -> Result<Self, TooLong> {
        let chain = CertificateChain::new(relay.chain().iter().map(|der| der.to_vec()).collect())?;
        Ok(Self { chain, leaf_key: relay.key().clone(), fingerprint: relay.fingerprint() })
    }
}

/// A connection, as far as TLS has made it.
#[derive(Debug, Clone)]
pub struct FileConnection {
    /// `tls-unique`.
    pub session_id: SessionId,
    /// Whether both sides have agreed on `xftp/1` by ALPN. If nothing was agreed there is no handshake, and the version is 1.
    pub alpn: bool,
}
