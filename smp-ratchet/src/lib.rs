//! The post-quantum double ratchet with header encryption.
//!
//! Two people who exchange messages through relays that they do not trust want three things of encryption beyond
//! secrecy. A key that is stolen today must not open what was said before; a stolen key must soon be worth nothing
//! again; and what is recorded today must not open to a quantum computer later. This crate does that for one pair of
//! people, byte for byte as the SimpleX Messaging Protocol does it. It has no input or output and no clock; random
//! keys come in as arguments. The specification is chapter `7-ratchet.md` of `protocol-spec/`.
//!
//! # Two ratchets and a third
//!
//! *Chains.* Each direction has a chain of keys. [`SendingChainKey`] gives the key of one message and the key that
//! replaces it; who finds the replacement cannot go back.
//!
//! *Turns.* Every header carries its sender's current X448 key. When the first message with a new key arrives, the
//! receiver makes a [ratchet step](OpenedHeader::decrypt): both chains are made anew, from the [`RootKey`] and from
//! two fresh agreements, and the answer will carry a new key of our own. So after one message in each direction
//! every stolen key is worthless.
//!
//! *The KEM.* X448 falls to a quantum computer. In version 3 headers may also carry an sntrup761 key, and a secret
//! encapsulated to the other side's key; it goes into the step beside the X448 agreement. Either side
//! [asks for it or refuses it](EncryptOptions::pq) at any time, and it takes effect as turns are taken: one side
//! proposes a key, the other accepts it and offers its own. Keys are long, so headers grow from 88 to 2310 bytes
//! when it is first asked for, and stay so.
//!
//! *Headers* are encrypted too, with keys that change with the chains: a relay cannot tell a new turn from an old one.
//!
//! # A beginning
//!
//! Alice makes [`OfferedKeys`] and puts their public half into a link. Bob answers with [`JoiningKeys`]. Both now have
//! the same [`Agreement`]; Bob sends first.
//!
//! ```
//! use smp_protocol::version::RatchetVersion;
//! use smp_ratchet::{EncryptOptions, JoiningKeys, OfferedKeys, RatchetVersions, SkippedKeys};
//!
//! let mut rng = rand::rng();
//! let version = RatchetVersion(3);
//! let versions = RatchetVersions { current: version, max_supported: version };
//!
//! let alice_keys = OfferedKeys::generate(version, true, &mut rng);
//! let offer = alice_keys.parameters(version);
//!
//! let bob_keys = JoiningKeys::generate(&offer, true, &mut rng);
//! let bob = bob_keys.ratchet(&offer, versions, &mut rng)?;
//! let answer = bob_keys.parameters(version);
//!
//! let alice = alice_keys.ratchet(&answer, versions, true)?;
//! assert_eq!(alice.security_code(), bob.security_code());
//!
//! let options = EncryptOptions { padded_length: 13_618, pq: None, max_version: version };
//! let sent = bob.encrypt(b"hello", options)?;
//! let received = alice.decrypt(&sent.message, &SkippedKeys::default(), &mut rng)?;
//! assert_eq!(*received.plaintext?, b"hello");
//!
//! // `sent.ratchet` and `received.ratchet` go on.
//! assert!(received.ratchet.can_send() && received.ratchet.pq_receiving());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Living in a database
//!
//! A [`Ratchet`] is a value that is never changed: each operation returns the next one. An application works in one
//! transaction: read the stored bytes, [`Ratchet::from_bytes`], operate, store [`Ratchet::to_bytes`] of what came
//! out, commit; only then does a message leave, or reach the user. A process that dies in between has done nothing.
//!
//! Messages overtake each other. When one arrives and others before it are missing, [`Decrypted::skipped`] has their
//! keys, to be stored in rows of their own under [`SkippedKeyId`]. Decryption has two steps, so that a ratchet with
//! many such rows costs no more than one without: [`Ratchet::open_header`] wants only the *different* header keys
//! among them, and [`OpenedHeader::stored_key`] says which one row to fetch.
//!
//! ```
//! # use smp_ratchet::{Decrypted, MessageKey, Ratchet, ReceivingHeaderKey, SkippedChange, SkippedKeyId};
//! # struct Transaction;
//! # impl Transaction {
//! #     fn ratchet(&self) -> Vec<u8> { vec![] }
//! #     fn header_keys(&self) -> Vec<ReceivingHeaderKey> { vec![] }
//! #     fn skipped_key(&self, _: &SkippedKeyId) -> Option<MessageKey> { None }
//! #     fn store(&mut self, _: &[u8], _: &SkippedChange) {}
//! #     fn commit(self) {}
//! # }
//! fn receive(mut tx: Transaction, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
//!     let ratchet = Ratchet::from_bytes(&tx.ratchet())?;
//!     let opened = ratchet.open_header(message, &tx.header_keys())?;
//!     let stored = opened.stored_key().and_then(|id| tx.skipped_key(id));
//!     let Decrypted { ratchet, skipped, plaintext, .. } = opened.decrypt(stored, &mut rand::rng())?;
//!     tx.store(&ratchet.to_bytes(), &skipped); // also if there is no plaintext
//!     tx.commit();
//!     Ok(plaintext?.to_vec())
//! }
//! ```
//!
//! # When something goes wrong
//!
//! An error that an operation returns has changed nothing. An error *inside* [`Decrypted::plaintext`] came after the
//! ratchet had moved, and what moved must be stored, as the reference does: a damaged body uses up its key, and a
//! message that is refused because too many before it are missing may have made its ratchet step.
//! [`DecryptError`] names the reference's error for each case. When a ratchet is beyond repair, both sides send new
//! [`OfferedKeys`] and take the parts that [`renegotiation::role`] gives them.
//!
//! # Reading order
//!
//! `agreement.rs`, `agreed.rs` (its outcome), `ratchet.rs` and `kem.rs` (what is remembered), `encrypt.rs`, `decrypt.rs`, `step.rs`; the keys each have a file
//! of their own; `envelope.rs` has the bytes on the wire, `stored.rs` those at rest.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests are programs of their own, with the time and chance of this machine"
    )
)]

mod agreed;
mod agreement;
mod associated_data;
mod chain_key;
mod decrypt;
mod encrypt;
mod envelope;
mod error;
mod header_key;
mod kem;
mod key_source;
mod message_key;
mod ratchet;
mod ratchet_key;
pub mod renegotiation;
mod root_key;
mod security_code;
mod skipped;
mod step;
mod stored;
mod three_keys;

pub use agreed::{Agreement, SharedHeaderKey};
pub use agreement::{JoiningKem, JoiningKeys, OfferedKeys};
pub use associated_data::AssociatedData;
pub use chain_key::{ReceivingChainKey, SendingChainKey};
pub use decrypt::{Decrypted, OpenedHeader};
pub use encrypt::{EncryptOptions, Encrypted, MessageSeal, Prepared};
pub use envelope::{MessageHeader, PADDED_HEADER, PADDED_PQ_HEADER, POST_QUANTUM_VERSION};
pub use error::{AgreementError, DecryptError, EncryptError, StateError};
pub use header_key::{ReceivingHeaderKey, SendingHeaderKey};
pub use kem::{AcceptedKem, RatchetKem};
pub use key_source::KeySource;
pub use message_key::MessageKey;
pub use ratchet::{Ratchet, RatchetState, RatchetVersions, ReceivingChain, SendingChain};
pub use ratchet_key::{AgreementKey, RatchetPrivateKey, RatchetPublicKey, RemoteRatchetKey};
pub use root_key::RootKey;
pub use security_code::SecurityCode;
pub use skipped::{MAX_SKIPPED, SkippedChange, SkippedKey, SkippedKeyId, SkippedKeys};
pub use stored::ChainPosition;
