//! Boxes against a second implementation: `dryoc`, which makes ours, and RustCrypto's `crypto_box`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crypto_box::aead::AeadInPlace as _;
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use smp_crypto::{BoxKey, Nonce, OpenError, X25519PrivateKey};

/// The key of a pair of private keys in both implementations.
fn keys(own: [u8; 32], peer: [u8; 32]) -> (BoxKey, SalsaBox) {
    let public = X25519PrivateKey::from_bytes(peer).public_key();
    let ours = X25519PrivateKey::from_bytes(own).agree(&public).box_key();
    (ours, SalsaBox::new(&PublicKey::from(public.to_bytes()), &SecretKey::from(own)))
}

fn theirs_sealed(key: &SalsaBox, nonce: &Nonce, plaintext: &[u8]) -> Vec<u8> {
    let mut buffer = plaintext.to_vec();
    let tag = key.encrypt_in_place_detached(nonce.as_bytes().into(), &[], &mut buffer).unwrap();
    [tag.as_slice(), &buffer].concat()
}

/// All lengths up to several times what the vector kernels take at once, and the sizes of the protocol.
#[test]
fn all_lengths() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (ours, theirs) = keys([7; 32], [8; 32]);
    let protocol = [15904, 16000, 16064, 16106, 16122, 16366, 16368, 16384, 65535];
    let lengths: Vec<usize> = (0..=2100).chain(protocol).collect();
    for &length in &lengths {
        let mut plaintext = vec![0; length];
        rng.fill_bytes(&mut plaintext);
        let nonce = Nonce::generate(&mut rng);
        let boxed = ours.seal(&nonce, &plaintext);
        assert_eq!(boxed, theirs_sealed(&theirs, &nonce, &plaintext), "of {length} bytes");
        assert_eq!(ours.open(&nonce, &boxed).unwrap(), plaintext, "of {length} bytes");
    }
    println!("boxes of {} lengths are equal in both implementations", lengths.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_for_any_input(
        own: [u8; 32], peer: [u8; 32], nonce: [u8; 24],
        plaintext in prop::collection::vec(any::<u8>(), 0..5000),
    ) {
        let (ours, theirs) = keys(own, peer);
        let nonce = Nonce::from_bytes(nonce);
        let mut boxed = ours.seal(&nonce, &plaintext);
        prop_assert_eq!(&boxed, &theirs_sealed(&theirs, &nonce, &plaintext));
        let opened = ours.open_in_place(&nonce, &mut boxed).map(|content| content.to_vec());
        prop_assert_eq!(opened, Ok(plaintext));
    }

    #[test]
    fn any_changed_bit_is_noticed(
        key: [u8; 32], plaintext in prop::collection::vec(any::<u8>(), 0..300),
        place: prop::sample::Index, bit in 0..8_u8,
    ) {
        let (key, nonce) = (BoxKey::from_bytes(key), Nonce::from_bytes([3; 24]));
        let mut boxed = key.seal(&nonce, &plaintext);
        let place = place.index(boxed.len());
        boxed[place] ^= 1_u8 << bit;
        let damaged = boxed.clone();
        prop_assert_eq!(key.open(&nonce, &boxed), Err(OpenError::Damaged));
        prop_assert_eq!(key.open_padded(&nonce, &boxed), Err(OpenError::Damaged));
        prop_assert_eq!(key.open_in_place(&nonce, &mut boxed), Err(OpenError::Damaged));
        prop_assert_eq!(boxed, damaged);
    }

    #[test]
    fn padded_boxes_come_back(key: [u8; 32], content in prop::collection::vec(any::<u8>(), 0..300), room in 0..99_usize) {
        let (key, nonce) = (BoxKey::from_bytes(key), Nonce::from_bytes([4; 24]));
        let padded_length = content.len() + 2 + room;
        let boxed = key.seal_padded(&nonce, &content, padded_length).unwrap();
        prop_assert_eq!(boxed.len(), padded_length + 16);
        prop_assert_eq!(key.open_padded(&nonce, &boxed), Ok(content.clone()));
        prop_assert!(key.seal_padded(&nonce, &content, content.len() + 1).is_err());
    }

    #[test]
    fn opening_never_panics(key: [u8; 32], mut bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let (key, nonce) = (BoxKey::from_bytes(key), Nonce::from_bytes([5; 24]));
        prop_assert!(key.open_padded(&nonce, &bytes).is_err());
        prop_assert!(key.open_in_place(&nonce, &mut bytes).is_err());
    }
}
