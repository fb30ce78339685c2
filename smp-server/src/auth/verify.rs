//! `verify`: whether a transmission was authorized with a key, in a time that depends on nothing but the kind of authorization.

use std::sync::Arc;

use smp_crypto::{
    BoxKey, DhSecret, Ed448PrivateKey, Ed448PublicKey, Ed25519PrivateKey, Ed25519PublicKey, Nonce,
    PublicAuthKey, Signature, X25519PrivateKey, X25519PublicKey, authenticator,
};
use smp_protocol::id::{RecipientId, SenderId};

use super::keys::SessionKeys;
use crate::store::{QueueMode, QueueRecord, QueueStatus};

/// The proof that came with a transmission.
#[derive(Clone, Copy)]
pub(crate) struct Proof<'a> {
    /// The authorization.
    pub(crate) authorization: Authorization<'a>,
    /// The correlation ID as nonce.
    pub(crate) nonce: Nonce,
}

/// The authorization of a transmission, and what it covers: session ID, correlation ID, entity ID and command. Its kind
/// follows from its size.
#[derive(Clone, Copy)]
pub(crate) enum Authorization<'a> {
    /// None was given.
    Missing,
    /// 64 bytes of Ed25519 or 114 of Ed448.
    Signature(&'a Signature, &'a [u8]),
    /// 80 bytes that the owner of an X25519 key has made for this session. They cover a hash.
    Authenticator(&'a [u8; authenticator::SIZE], &'a [u8; authenticator::DIGEST_SIZE]),
}

/// Keys of nobody. They do the work of the key that a queue has not, or that has another algorithm, so that it cannot be
/// told from the time whether there is a queue.
pub(crate) struct NobodysKeys {
    ed25519: Ed25519PublicKey,
    ed448: Ed448PublicKey,
    x25519: X25519PublicKey,
    secret: BoxKey,
    queue: Arc<QueueRecord>,
}

impl NobodysKeys {
    pub(crate) fn generate(rng: &mut (impl rand::CryptoRng + ?Sized)) -> Self {
        let x25519 = X25519PrivateKey::generate(rng);
        let ed25519 = Ed25519PrivateKey::generate(rng).public_key();
        let queue = QueueRecord {
            recipient_id: RecipientId::generate(rng),
            recipient_keys: vec![ed25519.into()],
            recipient_dh: DhSecret::from_bytes([0; 32]),
            sender_id: SenderId::generate(rng),
            sender_key: Some(x25519.public_key().into()),
            mode: Some(QueueMode::Messaging),
            link: None,
            notifier: None,
            status: QueueStatus::Active,
            updated: None,
            recipient_service: None,
        };
        Self {
            ed25519,
            ed448: Ed448PrivateKey::generate(rng).public_key(),
            x25519: x25519.public_key(),
            secret: x25519.agree(&x25519.public_key()).box_key(),
            queue: Arc::new(queue),
        }
    }

    /// Stands for a queue that there is not, so that a command about it goes the way of others. It is in no store,
    /// secured, and nobody has its keys.
    pub(crate) fn queue(&self) -> &Arc<QueueRecord> {
        &self.queue
    }
}

/// Whether `proof` was made with one of `keys`. Without keys it was not, after the same work as with one. The first key that
/// fits ends the search: only an owner of a key can tell which it was. A refusal takes the time of all keys: its
/// length tells how many owners the queue with this ID has.
pub(crate) fn verify(
    keys: &[PublicAuthKey],
    proof: Proof<'_>,
    session: &mut SessionKeys,
    nobody: &NobodysKeys,
) -> bool {
    if keys.is_empty() {
        return verify_one(None, proof, session, nobody);
    }
    keys.iter().any(|key| verify_one(Some(key), proof, session, nobody))
}

fn verify_one(
    key: Option<&PublicAuthKey>,
    proof: Proof<'_>,
    session: &mut SessionKeys,
    nobody: &NobodysKeys,
) -> bool {
    match (proof.authorization, key) {
        (Authorization::Missing, _) => false,
        (Authorization::Signature(signature, covered), Some(PublicAuthKey::Ed25519(key)))
            if matches!(signature, Signature::Ed25519(_)) =>
        {
            verify_signature(signature, covered, key, &nobody.ed448)
        }
        (Authorization::Signature(signature, covered), Some(PublicAuthKey::Ed448(key)))
            if matches!(signature, Signature::Ed448(_)) =>
        {
            verify_signature(signature, covered, &nobody.ed25519, key)
        }
        (Authorization::Signature(signature, covered), _) => {
            let _ = verify_signature(signature, covered, &nobody.ed25519, &nobody.ed448);
            false
        }
        (Authorization::Authenticator(bytes, digest), key) => {
            let key = match key {
                Some(PublicAuthKey::X25519(key)) => Some(key),
                _ => None,
            };
            let fits = |secret: &BoxKey| authenticator::verify_digest(secret, &proof.nonce, digest, bytes);
            verify_authenticator(fits, key, session, nobody)
        }
    }
}

fn verify_signature(
    signature: &Signature,
    authorized: &[u8],
    ed25519: &Ed25519PublicKey,
    ed448: &Ed448PublicKey,
) -> bool {
    match signature {
        Signature::Ed25519(signature) => ed25519.verify(authorized, signature),
        Signature::Ed448(signature) => ed448.verify(authorized, signature),
    }
}

/// A secret that is kept saves the key agreement, but only for a client that has the key: whatever fails has done both
/// verifications and one agreement.
fn verify_authenticator(
    fits: impl Fn(&BoxKey) -> bool,
    key: Option<&X25519PublicKey>,
    session: &mut SessionKeys,
    nobody: &NobodysKeys,
) -> bool {
    let with = key.unwrap_or(&nobody.x25519);
    // Nobody's secret is never kept.
    if fits(session.kept(with).unwrap_or(&nobody.secret)) && key.is_some() {
        return true;
    }
    let secret = session.agree(with);
    let verified = fits(&secret) && key.is_some();
    if verified {
        session.keep(*with, secret);
    }
    verified
}

#[cfg(test)]
mod tests {
    use smp_crypto::PrivateAuthKey;

    use super::*;

    struct Fixture {
        session: SessionKeys,
        relay: X25519PublicKey,
        nobody: NobodysKeys,
        keys: [PrivateAuthKey; 3],
    }

    fn fixture() -> Fixture {
        let mut rng = rand::rng();
        let private = X25519PrivateKey::generate(&mut rng);
        Fixture {
            relay: private.public_key(),
            session: SessionKeys::new(private),
            nobody: NobodysKeys::generate(&mut rng),
            keys: [
                Ed25519PrivateKey::generate(&mut rng).into(),
                Ed448PrivateKey::generate(&mut rng).into(),
                X25519PrivateKey::generate(&mut rng).into(),
            ],
        }
    }

    /// Authorizes with `key` and verifies with `with`.
    fn check(f: &mut Fixture, key: &PrivateAuthKey, with: &[PublicAuthKey], message: &[u8]) -> bool {
        let nonce = Nonce::from_bytes([5; 24]);
        let (signature, authenticator, digest);
        let authorization = match key {
            PrivateAuthKey::Ed25519(key) => {
                signature = Signature::Ed25519(key.sign(b"command"));
                Authorization::Signature(&signature, message)
            }
            PrivateAuthKey::Ed448(key) => {
                signature = Signature::Ed448(Box::new(key.sign(b"command")));
                Authorization::Signature(&signature, message)
            }
            PrivateAuthKey::X25519(key) => {
                authenticator = authenticator::make(&key.agree(&f.relay).box_key(), &nonce, b"command");
                digest = smp_crypto::hash::sha512(message);
                Authorization::Authenticator(&authenticator, &digest)
            }
        };
        let proof = Proof { authorization, nonce };
        verify(with, proof, &mut f.session, &f.nobody)
    }

    #[test]
    fn only_the_right_key_verifies() {
        let mut f = fixture();
        let keys = f.keys.clone();
        for (i, key) in keys.iter().enumerate() {
            for (j, other) in keys.iter().enumerate() {
                for _ in 0..2 {
                    assert_eq!(check(&mut f, key, &[other.public_key()], b"command"), i == j);
                    assert!(!check(&mut f, key, &[other.public_key()], b"other"));
                }
            }
            assert!(!check(&mut f, key, &[], b"command"));
            let all: Vec<_> = keys.iter().map(PrivateAuthKey::public_key).collect();
            assert!(check(&mut f, key, &all, b"command"));
        }
    }

    #[test]
    fn no_authorization_verifies_with_no_key() {
        let mut f = fixture();
        let key = f.keys[0].public_key();
        let nonce = Nonce::from_bytes([0; 24]);
        let proof = Proof { authorization: Authorization::Missing, nonce };
        assert!(!verify(&[key], proof, &mut f.session, &f.nobody));
    }

    #[test]
    fn a_secret_is_kept_only_for_who_has_the_key() {
        let mut f = fixture();
        let key = f.keys[2].clone();
        let PublicAuthKey::X25519(public) = key.public_key() else { panic!() };
        assert!(!check(&mut f, &key, &[key.public_key()], b"other"));
        assert!(f.session.kept(&public).is_none());
        assert!(check(&mut f, &key, &[key.public_key()], b"command"));
        assert!(f.session.kept(&public).is_some());
    }
}
