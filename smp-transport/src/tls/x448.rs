//! X448 (RFC 7748) as a key exchange group of rustls, which has none of its own.

use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};
use smp_crypto::x448::{X448PrivateKey, X448PublicKey};

/// The group, to be listed in a crypto provider.
#[derive(Debug)]
pub(super) struct X448Group;

impl SupportedKxGroup for X448Group {
    #[expect(
        clippy::disallowed_methods,
        reason = "rustls takes groups as statics; those of aws-lc draw from the system too"
    )]
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let private = X448PrivateKey::generate(&mut rand::rng());
        let public = private.public_key();
        Ok(Box::new(Exchange { private, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X448
    }
}

struct Exchange {
    private: X448PrivateKey,
    public: X448PublicKey,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; 56] = peer.try_into().map_err(|_| Error::from(PeerMisbehaved::InvalidKeyShare))?;
        let secret = self.private.agree(&X448PublicKey::from_bytes(peer));
        // A share of low order leads to zero whatever our key is: RFC 8446, 7.4.2 says to abort.
        if secret.as_bytes().iter().fold(0, |all, byte| all | byte) == 0 {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(&secret.as_bytes()[..]))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X448
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree() {
        let (ours, theirs) = (X448Group.start().unwrap(), X448Group.start().unwrap());
        let (our_share, their_share) = (ours.pub_key().to_vec(), theirs.pub_key().to_vec());
        let (a, b) = (ours.complete(&their_share).unwrap(), theirs.complete(&our_share).unwrap());
        assert_eq!(a.secret_bytes(), b.secret_bytes());
    }

    #[test]
    fn shares_of_low_order_and_of_other_sizes_are_refused() {
        let mut one = [0; 56];
        one[0] = 1;
        for share in [&[0; 56][..], &one, &[9; 55], &[9; 57], &[]] {
            assert!(X448Group.start().unwrap().complete(share).is_err());
        }
    }
}
