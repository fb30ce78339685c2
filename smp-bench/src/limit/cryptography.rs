//! The relay's cryptography alone. Each operation is measured on all cores at once, as a relay under load uses them, and the
//! fastest of many batches counts: what is left of a core after disturbances is not the limit.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce as TlsNonce, UnboundKey};
use smp_crypto::block_chain::{BLOCK_SIZE, ChainKeys, MAX_CONTENT, SealingChain};
use smp_crypto::{BoxKey, DhSecret, Ed25519PrivateKey, Nonce, X25519PrivateKey, authenticator};
use smp_protocol::body::RECEIVED_ENCRYPTED_LENGTH;
use smp_protocol::version::SmpVersion;

use crate::driver::AuthKind;
use crate::outcome::Outcome;

/// Bytes that an authorization covers: of a full-size `SEND`, and of an `ACK`.
const SEND_BYTES: usize = 16_160;
const ACK_BYTES: usize = 120;

/// Operations of which the time is taken together.
const BATCH: u32 = 16;

/// Cost of each cryptographic operation.
#[derive(Debug, Clone, Copy)]
pub struct CryptographyCost {
    tls_seal: Duration,
    tls_open: Duration,
    block_seal: Duration,
    block_open: Duration,
    body_seal: Duration,
    authenticate_send: Duration,
    authenticate_ack: Duration,
    verify_send: Duration,
    verify_ack: Duration,
    x25519: Duration,
}

impl CryptographyCost {
    /// Measures each operation for so long.
    ///
    /// # Errors
    /// If a thread cannot be started, or the cipher of TLS is missing.
    pub fn measure(each: Duration) -> Result<Self> {
        let (tls_seal, tls_open) = tls(each)?;
        let (block_seal, block_open) = blocks(each)?;
        let rng = &mut rand::rng();
        let keys = (X25519PrivateKey::generate(rng), X25519PrivateKey::generate(rng).public_key());
        let key = keys.0.agree(&keys.1).box_key();
        let signing = Ed25519PrivateKey::generate(rng);
        let body = vec![7; RECEIVED_ENCRYPTED_LENGTH];
        Ok(Self {
            tls_seal,
            tls_open,
            block_seal,
            block_open,
            body_seal: best(each, (key.clone(), body), |(key, body)| {
                let _ = key.seal_in_place(&Nonce::from_bytes([9; 24]), black_box(body));
            })?,
            authenticate_send: authenticating(each, &key, SEND_BYTES)?,
            authenticate_ack: authenticating(each, &key, ACK_BYTES)?,
            verify_send: verifying(each, &signing, SEND_BYTES)?,
            verify_ack: verifying(each, &signing, ACK_BYTES)?,
            x25519: best(each, keys, |(ours, theirs)| {
                black_box(ours.agree(black_box(theirs)));
            })?,
        })
    }

    /// The least that a relay needs for one message, given how many blocks went each way per message: each block in is opened
    /// and each block out is sealed, by TLS and from version 11 by the block encryption; the body is sealed for the
    /// recipient; `SEND` and `ACK` are verified.
    #[must_use]
    pub fn of_relay(&self, auth: AuthKind, version: u16, blocks_in: f64, blocks_out: f64) -> Duration {
        let encrypted = SmpVersion(version) >= SmpVersion::ENCRYPTED_BLOCKS;
        let block = |cost: Duration| if encrypted { cost } else { Duration::ZERO };
        let verification = match auth {
            AuthKind::X25519 => self.authenticate_send + self.authenticate_ack,
            AuthKind::Ed25519 => self.verify_send + self.verify_ack,
        };
        (self.tls_open + block(self.block_open)).mul_f64(blocks_in)
            + (self.tls_seal + block(self.block_seal)).mul_f64(blocks_out)
            + self.body_seal
            + verification
    }

    /// As a result.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let cores = cores();
        let setting = format!("each operation on {cores} threads at once, best batch");
        let mut outcome = Outcome::new("limit: cryptography", "this machine", 0, setting);
        for (name, cost) in [
            ("TLS record, seal", self.tls_seal),
            ("TLS record, open", self.tls_open),
            ("block, seal", self.block_seal),
            ("block, open", self.block_open),
            ("body, seal", self.body_seal),
            ("authenticator of SEND", self.authenticate_send),
            ("authenticator of ACK", self.authenticate_ack),
            ("Ed25519 verification of SEND", self.verify_send),
            ("Ed25519 verification of ACK", self.verify_ack),
            ("X25519", self.x25519),
        ] {
            outcome.add(name, cost.as_secs_f64() * 1e6, "us");
        }
        let per_message = self.of_relay(AuthKind::X25519, SmpVersion::MAX.0, 1.0, 1.0);
        outcome.add("a message: 1 block in, 1 out", per_message.as_secs_f64() * 1e6, "us");
        outcome.add("messages on all cores", cores as f64 / per_message.as_secs_f64(), "msg/s");
        outcome
    }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(super) fn tls(each: Duration) -> Result<(Duration, Duration)> {
    let key = || match UnboundKey::new(&CHACHA20_POLY1305, &[3; 32]) {
        Ok(key) => Ok(LessSafeKey::new(key)),
        Err(_) => bail!("no ChaCha20-Poly1305"),
    };
    let nonce = || TlsNonce::assume_unique_for_key([5; 12]);
    let aad = || Aad::from([23, 3, 3, 64, 17]);
    let seal = std::sync::Arc::new(key()?);
    let open = seal.clone();
    let content = vec![1; BLOCK_SIZE + 1];
    let mut sealed = content.clone();
    if seal.seal_in_place_append_tag(nonce(), aad(), &mut sealed).is_err() {
        bail!("a record cannot be sealed");
    }
    let seal = best(each, content, move |content| {
        let _ = black_box(seal.seal_in_place_separate_tag(nonce(), aad(), black_box(content)));
    })?;
    // opened in place: it has to be brought back each time, which costs little
    let buffer = sealed.clone();
    let open = best(each, buffer, move |buffer| {
        buffer.copy_from_slice(&sealed);
        let _ = black_box(open.open_in_place(nonce(), aad(), black_box(buffer)));
    })?;
    Ok((seal, open))
}

fn blocks(each: Duration) -> Result<(Duration, Duration)> {
    let keys = ChainKeys::new(&[1; 32], &DhSecret::from_bytes([2; 32]));
    let (sealing, _) = keys.clone().into_relay_chains();
    let (_, opening) = keys.into_client_chains();
    let seal = best(each, (sealing.clone(), [0; BLOCK_SIZE]), |(chain, block)| {
        let _ = chain.seal_in_place(MAX_CONTENT, black_box(block));
    })?;
    // the same block again and again, so the chain has to begin again each time
    let mut sealed = [0; BLOCK_SIZE];
    let mut first: SealingChain = sealing;
    first.seal_in_place(MAX_CONTENT, &mut sealed)?;
    let open = best(each, [0; BLOCK_SIZE], move |block| {
        block.copy_from_slice(&sealed);
        let _ = black_box(opening.clone().open(black_box(block)));
    })?;
    Ok((seal, open))
}

fn authenticating(each: Duration, key: &BoxKey, length: usize) -> Result<Duration> {
    best(each, (key.clone(), vec![4; length]), |(key, covered)| {
        black_box(authenticator::make(key, &Nonce::from_bytes([6; 24]), black_box(covered)));
    })
}

fn verifying(each: Duration, key: &Ed25519PrivateKey, length: usize) -> Result<Duration> {
    let covered = vec![4; length];
    let signature = key.sign(&covered);
    best(each, (key.public_key(), covered), move |(key, covered)| {
        black_box(key.verify(black_box(covered), &signature));
    })
}

/// How long `operation` takes if it is done on all cores at once: the mean of the best batch of each core.
pub(super) fn best<T: Clone + Send>(
    duration: Duration,
    state: T,
    operation: impl Fn(&mut T) + Clone + Send,
) -> Result<Duration> {
    let cores = cores();
    let bests = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|_| {
                let (mut state, operation) = (state.clone(), operation.clone());
                scope.spawn(move || best_batch(duration, || operation(&mut state)))
            })
            .collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>()
    });
    match bests {
        Ok(bests) => Ok(bests.iter().sum::<Duration>() / cores as u32),
        Err(_) => bail!("a thread that measures cryptography has failed"),
    }
}

fn best_batch(duration: Duration, mut operation: impl FnMut()) -> Duration {
    let (begin, mut best) = (Instant::now(), Duration::MAX);
    while best == Duration::MAX || begin.elapsed() < duration {
        let batch = Instant::now();
        for _ in 0..BATCH {
            operation();
        }
        best = best.min(batch.elapsed() / BATCH);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_blocks_cost() {
        let cost = CryptographyCost::measure(Duration::from_millis(2)).unwrap();
        let old = cost.of_relay(AuthKind::X25519, 9, 1.0, 1.0);
        let new = cost.of_relay(AuthKind::X25519, 19, 1.0, 1.0);
        assert_eq!(new - old, cost.block_open + cost.block_seal);
        let acks = cost.of_relay(AuthKind::X25519, 19, 2.0, 1.0);
        assert_eq!(acks - new, cost.block_open + cost.tls_open);
        assert!(cost.outcome().get("messages on all cores").unwrap() > 1.0);
    }
}
