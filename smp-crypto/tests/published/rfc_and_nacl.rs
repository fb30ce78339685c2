//! RFC 7748, RFC 8032 and NaCl's own test of its box.

use serde_json::Value;
use smp_crypto::{
    BoxKey, DhSecret, Ed448PrivateKey, Ed448PublicKey, Ed25519PrivateKey, Ed25519PublicKey, Nonce,
    X448PrivateKey, X448PublicKey, X25519PrivateKey, X25519PublicKey,
};

use crate::{array, bytes, run, text};

#[test]
fn known_answers() {
    run("rfc_and_nacl.json", 20, check);
}

fn check(case: &Value) {
    match text(&case["kind"]) {
        "agreement" => agreement(case),
        "signature" => signature(case),
        "box" => nacl_box(case),
        kind => panic!("unknown kind {kind}"),
    }
}

fn agreement(case: &Value) {
    let (private, public) = (&case["private"], &case["public"]);
    let shared = match text(&case["algorithm"]) {
        "X25519" => X25519PrivateKey::from_bytes(array(private))
            .agree(&X25519PublicKey::from_bytes(array(public)))
            .as_bytes()
            .to_vec(),
        "X448" => X448PrivateKey::from_bytes(array(private))
            .agree(&X448PublicKey::from_bytes(array(public)))
            .as_bytes()
            .to_vec(),
        algorithm => panic!("unknown algorithm {algorithm}"),
    };
    assert_eq!(shared, bytes(&case["shared"]));
}

/// The iteration of RFC 7748 section 5.2: what comes out goes in again.
#[test]
fn x25519_a_thousand_times() {
    let mut scalar = [0; 32];
    scalar[0] = 9;
    let mut point = scalar;
    for _ in 0..1000 {
        let secret = X25519PrivateKey::from_bytes(scalar).agree(&X25519PublicKey::from_bytes(point));
        point = std::mem::replace(&mut scalar, *secret.as_bytes());
    }
    assert_eq!(hex::encode(scalar), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

fn signature(case: &Value) {
    let (message, signature) = (bytes(&case["message"]), bytes(&case["signature"]));
    match text(&case["algorithm"]) {
        "Ed25519" => {
            let private = Ed25519PrivateKey::from_bytes(array(&case["private"]));
            let public = Ed25519PublicKey::from_bytes(array(&case["public"]));
            assert_eq!(private.public_key(), public);
            assert_eq!(private.sign(&message), *signature);
            assert!(public.verify(&message, &array(&case["signature"])));
        }
        "Ed448" => {
            let private = Ed448PrivateKey::from_bytes(array(&case["private"]));
            let public = Ed448PublicKey::from_bytes(array(&case["public"]));
            assert_eq!(private.public_key(), public);
            assert_eq!(private.sign(&message), *signature);
            assert!(public.verify(&message, &array(&case["signature"])));
        }
        algorithm => panic!("unknown algorithm {algorithm}"),
    }
}

fn nacl_box(case: &Value) {
    let alice = X25519PrivateKey::from_bytes(array(&case["alice_private"]));
    let bob = X25519PrivateKey::from_bytes(array(&case["bob_private"]));
    assert_eq!(alice.public_key(), X25519PublicKey::from_bytes(array(&case["alice_public"])));
    assert_eq!(bob.public_key(), X25519PublicKey::from_bytes(array(&case["bob_public"])));
    let secret = alice.agree(&bob.public_key());
    assert_eq!(secret, bob.agree(&alice.public_key()));
    assert_eq!(secret, DhSecret::from_bytes(array(&case["dh_secret"])));
    let key = secret.box_key();
    assert_eq!(key, BoxKey::from_bytes(array(&case["box_key"])));
    let (nonce, message) = (Nonce::from_bytes(array(&case["nonce"])), bytes(&case["message"]));
    assert_eq!(key.seal(&nonce, &message), bytes(&case["box"]));
    assert_eq!(key.open(&nonce, &bytes(&case["box"])).unwrap(), message);
}
