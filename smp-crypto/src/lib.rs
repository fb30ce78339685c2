//! Keys, boxes, key chains and post-quantum encapsulation of the SimpleX Messaging Protocol.
//!
//! Everything here is pure: no input or output, no clock, no hidden source of randomness. A function that needs
//! random bytes takes a generator. The primitives come from well-kept crates; what this crate adds is how the
//! protocol puts them together, and a type for each kind of key, so that a wrong key does not compile.
//!
//! The chapters of this crate follow the first chapter of the specification (`protocol-spec/1-primitives.md`):
//!
//! | module | what it holds | who uses it |
//! |---|---|---|
//! | [`ed25519`], [`ed448`] | signature keys | command authorization, certificates, link data |
//! | [`x25519`] | key agreement keys, [`DhSecret`] | every box, authenticators |
//! | [`x448`] | key agreement keys | the ratchet |
//! | [`sntrup761`] | post-quantum key encapsulation | the ratchet, hybrid boxes |
//! | [`auth_key`] | one of the keys that may authorize commands, or sign | queues on a relay, services, links |
//! | [`signature`] | a signature of either algorithm | transmissions, links |
//! | [`nonce`] | the 24 byte nonce of boxes | correlation and message ids too |
//! | [`crypto_box`] | XSalsa20-Poly1305 boxes, [`BoxKey`] | nearly everything that is encrypted |
//! | [`tail_box`] | the same in pieces, with the tag at the end | files |
//! | [`aes_gcm`] | AES-256-GCM | messages of the ratchet |
//! | [`authenticator`] | deniable command authorization | transmissions from version 7 |
//! | [`block_chain`] | encryption of whole transport blocks | the transport from version 11 |
//! | [`hybrid_box`] | a box key made of two secrets | boxes that resist quantum computers |
//! | [`link_kdf`] | ids and keys derived from a short link | short links |
//! | [`padding`] | two length bytes, content, filling | in front of nearly every encryption |
//! | [`hkdf`] | key derivation | chains, links, the ratchet |
//! | [`hash`] | the hash functions in use | throughout |
//! | [`passphrase`] | keys made of passphrases | archives |
//! | [`sealed_stream`] | XChaCha20-Poly1305 in pieces | archives |
//! | [`base64url`] | the text form of bytes and keys | links, addresses, stored keys |
//!
//! # Secrets
//!
//! Types that hold a secret overwrite it when dropped, print as their name only, and compare in constant time. None
//! of them appears in an error. Public keys do not print either: a relay must not write a key into a log by accident.
//! Ask for [`Ed25519PublicKey::to_text`] and its likes when the text is wanted.
//!
//! # Example
//!
//! ```
//! use smp_crypto::{Nonce, X25519PrivateKey};
//!
//! let mut rng = rand::rng();
//! let (ours, theirs) = (X25519PrivateKey::generate(&mut rng), X25519PrivateKey::generate(&mut rng));
//! let nonce = Nonce::generate(&mut rng);
//!
//! let boxed = ours.agree(&theirs.public_key()).box_key().seal(&nonce, b"hello");
//! let opened = theirs.agree(&ours.public_key()).box_key().open(&nonce, &boxed)?;
//! assert_eq!(opened, b"hello");
//! # Ok::<(), smp_crypto::OpenError>(())
//! ```

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests are programs of their own, with the time and chance of this machine"
    )
)]

pub mod aes_gcm;
pub mod auth_key;
pub mod authenticator;
pub mod base64url;
pub mod block_chain;
pub mod crypto_box;
mod der;
pub mod ed25519;
pub mod ed448;
mod error;
pub mod hash;
pub mod hkdf;
pub mod hybrid_box;
mod key_types;
pub mod link_kdf;
pub mod nonce;
pub mod padding;
pub mod passphrase;
pub mod sealed_stream;
mod secret;
pub mod signature;
pub mod sntrup761;
pub mod tail_box;
pub mod x25519;
pub mod x448;

pub use auth_key::{PrivateAuthKey, PrivateSignatureKey, PublicAuthKey, PublicSignatureKey};
pub use crypto_box::{BoxKey, DhSecret, SecretBoxKey};
pub use der::Algorithm;
pub use ed448::{Ed448PrivateKey, Ed448PublicKey};
pub use ed25519::{Ed25519PrivateKey, Ed25519PublicKey};
pub use error::{KeyError, OpenError, SignatureError, TooLongError};
pub use nonce::Nonce;
pub use signature::Signature;
pub use x448::{X448PrivateKey, X448PublicKey, X448Secret};
pub use x25519::{X25519PrivateKey, X25519PublicKey};
