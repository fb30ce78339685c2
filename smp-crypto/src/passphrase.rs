//! Keys made of passphrases: Argon2id (RFC 9106), version 1.3, one lane.

use dryoc::classic::crypto_pwhash::{PasswordHashAlgorithm, crypto_pwhash};
use zeroize::Zeroizing;

/// Size of a salt in bytes.
pub const SALT_SIZE: usize = 16;

/// The cost of one guess at a passphrase. It stands beside what is encrypted, in the open.
///
/// Source: RFC 9106, section 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassphraseCost {
    /// How often the memory is passed over.
    pub passes: u32,
    /// The memory, in KiB.
    pub memory_kib: u32,
}

impl PassphraseCost {
    /// The second recommendation of RFC 9106: 64 MiB, for machines without much memory; three passes.
    pub const DEFAULT: Self = Self { passes: 3, memory_kib: 64 * 1024 };
    /// The most that is taken from a file: 1 GiB and 16 passes. More would be an attack on this machine.
    pub const MAX: Self = Self { passes: 16, memory_kib: 1024 * 1024 };
}

/// The cost is not among those that are accepted, from 8 KiB and one pass to [`PassphraseCost::MAX`].
///
/// Source: RFC 9106, section 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a passphrase cannot be tried at a cost of {} passes over {} KiB", .0.passes, .0.memory_kib)]
pub struct CostError(pub PassphraseCost);

/// The key of a passphrase: 32 bytes. It takes as long as the cost says, some tenths of a second by default.
///
/// # Errors
/// [`CostError`].
pub fn key_of_passphrase(
    passphrase: &[u8],
    salt: &[u8; SALT_SIZE],
    cost: PassphraseCost,
) -> Result<Zeroizing<[u8; 32]>, CostError> {
    if cost.passes > PassphraseCost::MAX.passes || cost.memory_kib > PassphraseCost::MAX.memory_kib {
        return Err(CostError(cost));
    }
    let mut key = Zeroizing::new([0; 32]);
    crypto_pwhash(
        &mut *key,
        passphrase,
        salt,
        cost.passes.into(),
        cost.memory_kib as usize * 1024,
        PasswordHashAlgorithm::Argon2id13,
    )
    .map_err(|_| CostError(cost))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: PassphraseCost = PassphraseCost { passes: 2, memory_kib: 64 };

    /// The expected key is that of the reference implementation's program:
    /// `printf password | argon2 somesalt12345678 -id -t 2 -k 64 -p 1 -l 32 -r`.
    #[test]
    fn known_key() {
        let key = key_of_passphrase(b"password", b"somesalt12345678", CHEAP).unwrap();
        assert_eq!(hex::encode(*key), "d1dd9f4bfa15a408c1ae553f4c84aa83d73afcdb94a3b5b597e8eb201489b96b");
    }

    #[test]
    fn costs_beyond_the_bounds_are_refused() {
        for (passes, memory_kib) in [(0, 64), (17, 64), (1, 0), (1, 7), (1, u32::MAX), (u32::MAX, 64)] {
            let cost = PassphraseCost { passes, memory_kib };
            assert_eq!(key_of_passphrase(b"", &[0; 16], cost).unwrap_err(), CostError(cost));
        }
    }
}
