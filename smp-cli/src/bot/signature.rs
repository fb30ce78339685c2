//! Signatures of what is posted in either direction: HMAC-SHA256 over the time and the body.

use anyhow::{Context as _, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The header with the signature: `sha256=` and 64 hexadecimal digits.
pub(super) const SIGNATURE: &str = "x-smp-signature";
/// The header with the time, in Unix seconds.
pub(super) const TIMESTAMP: &str = "x-smp-timestamp";
/// How old a request may be, or how far ahead, in seconds.
const MAX_AGE: i64 = 300;
/// Shortest secret in characters.
const MIN_SECRET: usize = 16;

/// A secret that both sides have.
pub(super) struct Secret(Zeroizing<String>);

impl Secret {
    /// The first line of a file.
    pub(super) fn of_file(file: &std::path::Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).map(Zeroizing::new);
        let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
        let secret = text.lines().next().unwrap_or_default().trim();
        if secret.len() < MIN_SECRET {
            bail!("A secret has at least {MIN_SECRET} characters, all of them random: openssl rand -hex 32");
        }
        Ok(Self(Zeroizing::new(secret.to_owned())))
    }

    fn mac(&self, time: &str, body: &[u8]) -> anyhow::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).context("the secret is no key")?;
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        Ok(mac)
    }

    /// The signature of a body at a time, as it stands in the header.
    pub(super) fn sign(&self, time: &str, body: &[u8]) -> String {
        // A key of any length is one.
        let digits = self.mac(time, body).map(|mac| hex::encode(mac.finalize().into_bytes()));
        format!("sha256={}", digits.unwrap_or_default())
    }

    /// Whether a body was signed by somebody who has the secret, a short while ago by this Unix time in seconds.
    pub(super) fn verify(&self, signature: &str, time: &str, body: &[u8], now: i64) -> bool {
        let is_recent = time.parse::<i64>().is_ok_and(|time| time.abs_diff(now) <= MAX_AGE.unsigned_abs());
        let given = signature.strip_prefix("sha256=").and_then(|digits| hex::decode(digits).ok());
        match (given, self.mac(time, body)) {
            // Compared in constant time.
            (Some(given), Ok(mac)) => is_recent && mac.verify_slice(&given).is_ok(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_now_is_accepted() {
        let secret = Secret(Zeroizing::new("a secret of some length".to_owned()));
        let signature = secret.sign("1000", b"body");
        // By Python: hmac.new(key, b"1000.body", "sha256").hexdigest()
        assert_eq!(signature, "sha256=39323d326a524109465cd65c8bfdd41bed8081ab4c76b4de9e84fa394ec86022");
        assert!(secret.verify(&signature, "1000", b"body", 1100));
        for (signature, time, body, now) in [
            (signature.as_str(), "1000", b"body", 1301),
            (&signature, "1000", b"bodX", 1000),
            (&signature, "1001", b"body", 1000),
            (&signature, "x", b"body", 1000),
            ("sha256=", "1000", b"body", 1000),
            ("", "1000", b"body", 1000),
        ] {
            assert!(!secret.verify(signature, time, body, now), "{signature} {time} {now}");
        }
        assert!(
            !Secret(Zeroizing::new("another secret 123".to_owned()))
                .verify(&signature, "1000", b"body", 1000)
        );
    }
}
