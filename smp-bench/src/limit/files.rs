//! The cryptography of files alone, in time for each byte on a core while all cores do the same.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use smp_crypto::block_chain::BLOCK_SIZE;
use smp_crypto::hash::{Sha256Stream, Sha512Stream};
use smp_crypto::tail_box::{OpeningBox, SealingBox};
use smp_crypto::{BoxKey, Nonce};

use super::cryptography::{best, cores, tls};
use crate::outcome::Outcome;

/// Cost of each operation for a piece of 16 KiB.
#[derive(Debug, Clone, Copy)]
pub struct FileCost {
    tls_seal: Duration,
    tls_open: Duration,
    seal: Duration,
    open: Duration,
    sha256: Duration,
    sha512: Duration,
}

impl FileCost {
    /// Measures each operation for so long.
    ///
    /// # Errors
    /// If a thread cannot be started, or the cipher of TLS is missing.
    pub fn measure(each: Duration) -> Result<Self> {
        let (tls_seal, tls_open) = tls(each)?;
        let (key, nonce) = (BoxKey::from_bytes([1; 32]), Nonce::from_bytes([2; 24]));
        let piece = || vec![3; BLOCK_SIZE];
        Ok(Self {
            tls_seal,
            tls_open,
            seal: of_new(
                each,
                || (SealingBox::new(&key, &nonce), piece()),
                |(sealing, piece)| {
                    sealing.seal(black_box(piece));
                },
            )?,
            open: of_new(
                each,
                || (OpeningBox::new(&key, &nonce), piece()),
                |(opening, piece)| {
                    opening.open(black_box(piece));
                },
            )?,
            sha256: of_new(
                each,
                || (Sha256Stream::new(), piece()),
                |(hash, piece)| {
                    hash.update(black_box(piece));
                },
            )?,
            sha512: of_new(
                each,
                || (Sha512Stream::new(), piece()),
                |(hash, piece)| {
                    hash.update(black_box(piece));
                },
            )?,
        })
    }

    /// Bytes a second on all cores, if nothing but the cryptography of an upload took time: the file is sealed and hashed as a whole and
    /// in chunks, TLS seals and opens it, and the relay hashes its chunks.
    #[must_use]
    pub fn upload(&self) -> f64 {
        rate(self.seal + self.sha512 + self.sha256 + self.tls_seal + self.tls_open + self.sha256)
    }

    /// The same of a download: the relay seals each chunk for it, TLS seals and opens it, the recipient opens the chunks, hashes them and
    /// the whole, and opens the file.
    #[must_use]
    pub fn download(&self) -> f64 {
        rate(self.seal + self.tls_seal + self.tls_open + self.open + self.sha256 + self.sha512 + self.open)
    }

    /// Adds the speed of each operation on one core.
    pub fn add_to(&self, outcome: &mut Outcome) {
        for (name, cost) in [
            ("limit: XSalsa20-Poly1305 on a core", self.seal),
            ("limit: SHA-512 on a core", self.sha512),
            ("limit: SHA-256 on a core", self.sha256),
            ("limit: TLS, seal on a core", self.tls_seal),
            ("limit: TLS, open on a core", self.tls_open),
        ] {
            outcome.add(name, rate(cost) / cores() as f64 / 1e6, "MB/s");
        }
    }
}

/// Bytes a second on all cores.
fn rate(for_piece: Duration) -> f64 {
    BLOCK_SIZE as f64 * cores() as f64 / for_piece.as_secs_f64()
}

/// As [`best`], of a state that each thread makes for itself.
fn of_new<T: Send>(
    each: Duration,
    new: impl Fn() -> T + Clone + Send,
    operation: impl Fn(&mut T) + Clone + Send,
) -> Result<Duration> {
    best(each, Lazy { new, made: None }, move |state| {
        operation(state.made.get_or_insert_with(|| (state.new)()))
    })
}

/// A state that is made where it is used.
struct Lazy<N, T> {
    new: N,
    made: Option<T>,
}

impl<N: Clone, T> Clone for Lazy<N, T> {
    fn clone(&self) -> Self {
        Self { new: self.new.clone(), made: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_costs_more_than_its_parts() {
        let cost = FileCost::measure(Duration::from_millis(2)).unwrap();
        assert!(cost.upload() > 1.0 && cost.download() < rate(cost.seal));
    }
}
