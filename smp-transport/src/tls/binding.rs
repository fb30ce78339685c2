//! Channel binding `tls-unique` for TLS 1.3: the 32 bytes of `verify_data` in the *client's* Finished message, on both
//! sides. They are the session ID of SMP (`protocol-spec/2-transport.md`).
//!
//! rustls does not expose Finished messages, but computes each of their MACs through the `hkdf_provider` of the cipher
//! suite. [`cipher_suite`] is a copy of the stock suite whose provider also watches. Which MAC is the client's is told by
//! its key, followed through the labels of the key schedule (RFC 8446, 7.1 and 4.4.4):
//!
//! ```text
//! handshake secret -> "c hs traffic" -> client handshake traffic secret -> "finished" -> key -> MAC
//! ```
//!
//! The suite is shared by all connections of the process. The bytes that it sees are of the connection whose handshake is
//! being polled: rustls is synchronous, so everything happens inside [`observe`], which sets a task-local place around
//! that one handshake. A handshake that runs elsewhere is not seen, and then there is no session ID: never a wrong one.

use std::cell::RefCell;
use std::future::Future;
use std::sync::OnceLock;

use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock, OutputLengthError};
use rustls::crypto::{ActiveKeyExchange, hmac};
use rustls::{CipherSuiteCommon, Error, SupportedCipherSuite, Tls13CipherSuite};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a SHA-256 output, and so of all that is observed.
const HASH_LENGTH: usize = 32;

/// Labels of the key schedule that lead to the client's Finished.
const CLIENT_HANDSHAKE_TRAFFIC: &[u8] = b"c hs traffic";
const FINISHED: &[u8] = b"finished";

/// The prefix of every label in rustls.
const LABEL_PREFIX: &[u8] = b"tls13 ";

/// The observation of one handshake.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
struct Observed {
    traffic_secret: Option<[u8; HASH_LENGTH]>,
    finished_key: Option<[u8; HASH_LENGTH]>,
    verify_data: Option<[u8; HASH_LENGTH]>,
    /// Something that cannot happen in one handshake: nothing that was seen can be trusted.
    contradictory: bool,
}

impl Observed {
    fn binding(&self) -> Option<[u8; HASH_LENGTH]> {
        self.verify_data.filter(|_| !self.contradictory)
    }
}

tokio::task_local! {
    static OBSERVED: RefCell<Observed>;
}

/// Runs a handshake and returns what it returns, with the channel binding if the client's Finished was seen.
///
/// Takes a closure and not a future, because rustls may work when the future is made.
pub(super) async fn observe<T, F: Future<Output = T>>(
    handshake: impl FnOnce() -> F,
) -> (T, Option<[u8; HASH_LENGTH]>) {
    OBSERVED
        .scope(RefCell::default(), async move {
            let result = handshake().await;
            let binding = OBSERVED.with(|seen| seen.borrow().binding());
            (result, binding)
        })
        .await
}

/// TLS_CHACHA20_POLY1305_SHA256 that lets [`observe`] see Finished messages. Made once per process.
pub(super) fn cipher_suite() -> SupportedCipherSuite {
    static SUITE: OnceLock<Tls13CipherSuite> = OnceLock::new();
    static HKDF: OnceLock<ObservedHkdf> = OnceLock::new();
    let stock = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
    let Some(stock) = stock.tls13() else { return stock };
    let suite = SUITE.get_or_init(|| Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: stock.common.suite,
            hash_provider: stock.common.hash_provider,
            confidentiality_limit: stock.common.confidentiality_limit,
        },
        hkdf_provider: HKDF.get_or_init(|| ObservedHkdf(stock.hkdf_provider)),
        aead_alg: stock.aead_alg,
        quic: None,
    });
    SupportedCipherSuite::Tls13(suite)
}

/// The stock key derivation, watched.
struct ObservedHkdf(&'static dyn Hkdf);

impl Hkdf for ObservedHkdf {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        // the master secret: the handshake's labels do not follow from it
        self.0.extract_from_zero_ikm(salt)
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        Box::new(ObservedExpander {
            stock: self.0.extract_from_secret(salt, secret),
            from_traffic_secret: false,
        })
    }

    fn extract_from_kx_shared_secret(
        &self,
        salt: Option<&[u8]>,
        exchange: Box<dyn ActiveKeyExchange>,
        peer: &[u8],
    ) -> Result<Box<dyn HkdfExpander>, Error> {
        let stock = self.0.extract_from_kx_shared_secret(salt, exchange, peer)?;
        Ok(Box::new(ObservedExpander { stock, from_traffic_secret: false }))
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        let stock = self.0.expander_for_okm(okm);
        let known = OBSERVED.try_with(|seen| same(seen.borrow().traffic_secret.as_ref(), okm.as_ref()));
        if known.unwrap_or(false) {
            Box::new(ObservedExpander { stock, from_traffic_secret: true })
        } else {
            stock
        }
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> hmac::Tag {
        let tag = self.0.hmac_sign(key, message);
        update(|seen| {
            if same(seen.finished_key.as_ref(), key.as_ref()) {
                set(&mut seen.verify_data, tag.as_ref(), &mut seen.contradictory);
            }
        });
        tag
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

struct ObservedExpander {
    stock: Box<dyn HkdfExpander>,
    /// Whether it expands the client handshake traffic secret.
    from_traffic_secret: bool,
}

impl HkdfExpander for ObservedExpander {
    fn expand_slice(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        self.stock.expand_slice(info, output)
    }

    fn expand_block(&self, info: &[&[u8]]) -> OkmBlock {
        let block = self.stock.expand_block(info);
        match label(info) {
            Some(CLIENT_HANDSHAKE_TRAFFIC) => {
                update(|seen| set(&mut seen.traffic_secret, block.as_ref(), &mut seen.contradictory));
            }
            Some(FINISHED) if self.from_traffic_secret => {
                update(|seen| set(&mut seen.finished_key, block.as_ref(), &mut seen.contradictory));
            }
            _ => (),
        }
        block
    }

    fn hash_len(&self) -> usize {
        self.stock.hash_len()
    }
}

/// The label in an HkdfLabel as rustls lays it out: length, label length, prefix, label, context length, context.
fn label<'a>(info: &[&'a [u8]]) -> Option<&'a [u8]> {
    match info {
        [_, _, prefix, label, _, _] if *prefix == LABEL_PREFIX => Some(label),
        _ => None,
    }
}

/// Changes what was seen of the handshake that is being polled; does nothing outside of one.
fn update(change: impl FnOnce(&mut Observed)) {
    // outside of a scope there is nobody to tell
    let _ = OBSERVED.try_with(|seen| change(&mut seen.borrow_mut()));
}

/// Notes a value that must be 32 bytes and must not come out differently a second time.
fn set(place: &mut Option<[u8; HASH_LENGTH]>, value: &[u8], contradictory: &mut bool) {
    match <[u8; HASH_LENGTH]>::try_from(value) {
        Ok(value) if place.is_none_or(|before| before == value) => *place = Some(value),
        _ => *contradictory = true,
    }
}

/// Secrets of this process are compared with each other only: nobody outside chooses either.
fn same(known: Option<&[u8; HASH_LENGTH]>, value: &[u8]) -> bool {
    known.is_some_and(|known| known[..] == *value)
}
