//! The identity of a relay: an offline certificate authority and the online certificate it issued.
//!
//! A relay is named by the SHA-256 of its *offline* certificate. The offline key signs an *online* certificate, whose
//! key the relay uses in TLS and to sign its handshake key. So the online key can be replaced at any time without
//! changing the address, and the offline key need not be on the relay's machine (`protocol-spec/2-transport.md`).
//!
//! ```
//! use smp_transport::identity::{CertificateAuthority, KeyAlgorithm};
//!
//! let now = time::OffsetDateTime::now_utc();
//! let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, &mut rand::rng());
//! let relay = authority.issue("smp.example.com", KeyAlgorithm::Ed25519, now, &mut rand::rng())?;
//! assert_eq!(relay.fingerprint(), authority.fingerprint());
//! # Ok::<(), smp_transport::identity::IdentityError>(())
//! ```

mod authority;
mod chain;
mod der;
mod error;
pub mod files;
mod issue;
mod key;
mod pem;
mod relay;

pub use authority::CertificateAuthority;
pub use chain::{
    MAX_CHAIN_LENGTH, check_relay_chain, check_service_chain, fingerprint, public_key, relay_fingerprint,
    validity,
};
pub use error::{CertificateRole, ChainError, IdentityError};
pub use key::KeyAlgorithm;
pub use relay::RelayIdentity;
pub use rustls_pki_types::{CertificateDer, UnixTime};
