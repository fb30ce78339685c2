//! X25519 against a second implementation: `crrl`, which does ours, and x25519-dalek.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use smp_crypto::{X25519PrivateKey, X25519PublicKey};
use x25519_dalek::{PublicKey, StaticSecret};

/// Agreement and public key of both, as raw bytes.
fn both(private: [u8; 32], public: [u8; 32]) -> [([u8; 32], [u8; 32]); 2] {
    let ours = X25519PrivateKey::from_bytes(private);
    let theirs = StaticSecret::from(private);
    [
        (*ours.agree(&X25519PublicKey::from_bytes(public)).as_bytes(), ours.public_key().to_bytes()),
        (theirs.diffie_hellman(&PublicKey::from(public)).to_bytes(), PublicKey::from(&theirs).to_bytes()),
    ]
}

/// The points of order 1, 2, 4 and 8 on curve and twist, in all their encodings, and those around the ends of the field
/// (2^255 - 19), with the ignored bit and without.
fn special_points() -> Vec<[u8; 32]> {
    let low_order = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let mut points: Vec<[u8; 32]> =
        low_order.iter().map(|text| hex::decode(text).unwrap().try_into().unwrap()).collect();
    for low in 0..=255 {
        let small = std::array::from_fn(|place| if place == 0 { low } else { 0 });
        let large = std::array::from_fn(|place| match place {
            0 => low,
            31 => 0x7f,
            _ => 0xff,
        });
        points.extend([small, large]);
    }
    let with_bit = points.clone().into_iter().map(|mut point: [u8; 32]| {
        point[31] |= 0x80;
        point
    });
    points.extend(with_bit.collect::<Vec<_>>());
    points
}

#[test]
fn equal_for_special_points() {
    let points = special_points();
    for &point in &points {
        for private in [[0; 32], [0xff; 32], [7; 32]] {
            let [ours, theirs] = both(private, point);
            assert_eq!(ours, theirs, "{}", hex::encode(point));
        }
    }
    println!("{} special points agree in both implementations", points.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_for_any_input(private: [u8; 32], public: [u8; 32]) {
        let [ours, theirs] = both(private, public);
        prop_assert_eq!(ours, theirs);
    }
}
