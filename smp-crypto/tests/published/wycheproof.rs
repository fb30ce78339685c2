//! Project Wycheproof: many edge cases, and what must be refused.

use serde_json::Value;
use smp_crypto::aes_gcm::{AesGcmError, AesIv, AesKey, AesTag, ShortAesIv};
use smp_crypto::hkdf::{MAX_OUTPUT_SIZE, hkdf_sha512};
use smp_crypto::{
    Ed448PublicKey, Ed25519PublicKey, KeyError, PublicSignatureKey, Signature, X448PrivateKey, X448PublicKey,
    X25519PrivateKey, X25519PublicKey,
};

use crate::{array, bytes, run, text};

#[test]
fn known_answers() {
    run("wycheproof.json", 1434, check);
}

fn check(case: &Value) {
    match text(&case["kind"]) {
        "x25519" => x25519(case),
        "x448" => x448(case),
        "ed25519" => signature(case, Ed25519PublicKey::from_bytes(array(&case["public"])).into()),
        "ed448" => signature(case, Ed448PublicKey::from_bytes(array(&case["public"])).into()),
        "hkdf_sha512" => hkdf(case),
        "aes_gcm" => aes_gcm(case),
        kind => panic!("unknown kind {kind}"),
    }
}

fn is_valid(case: &Value) -> bool {
    match text(&case["result"]) {
        "valid" => true,
        "invalid" => false,
        result => panic!("unknown result {result}"),
    }
}

/// The results called acceptable are those that an implementation may refuse; the protocol does not.
fn x25519(case: &Value) {
    assert!(["valid", "acceptable"].contains(&text(&case["result"])));
    let public = X25519PublicKey::from_bytes(array(&case["public"]));
    let secret = X25519PrivateKey::from_bytes(array(&case["private"])).agree(&public);
    assert_eq!(bytes(&case["shared"]), secret.as_bytes());
}

/// As X25519; the invalid ones are public keys of another size.
fn x448(case: &Value) {
    let public = bytes(&case["public"]);
    match X448PublicKey::try_from(public.as_slice()) {
        Ok(public) => {
            assert!(["valid", "acceptable"].contains(&text(&case["result"])));
            let secret = X448PrivateKey::from_bytes(array(&case["private"])).agree(&public);
            assert_eq!(bytes(&case["shared"]), secret.as_bytes());
        }
        Err(error) => {
            assert_eq!(text(&case["result"]), "invalid");
            assert_eq!(error, KeyError::Size { expected: 56, actual: public.len() });
        }
    }
}

fn signature(case: &Value, public: PublicSignatureKey) {
    let verified = Signature::from_slice(&bytes(&case["sig"]))
        .is_ok_and(|signature| public.verify(&bytes(&case["msg"]), &signature));
    assert_eq!(verified, is_valid(case));
}

/// The invalid ones ask for more than HKDF can give, which does not compile here.
fn hkdf(case: &Value) {
    let size: usize = case["size"].as_u64().unwrap().try_into().unwrap();
    assert_eq!(size <= MAX_OUTPUT_SIZE, is_valid(case));
    if is_valid(case) {
        let longest = hkdf_sha512::<MAX_OUTPUT_SIZE>(
            &bytes(&case["salt"]),
            &bytes(&case["ikm"]),
            &bytes(&case["info"]),
        );
        assert_eq!(longest[..size], bytes(&case["okm"]));
    }
}

fn aes_gcm(case: &Value) {
    let (key, associated_data) = (AesKey::from_bytes(array(&case["key"])), bytes(&case["aad"]));
    let (iv, tag) = (bytes(&case["iv"]), AesTag(array(&case["tag"])));
    let (message, ciphertext) = (bytes(&case["msg"]), bytes(&case["ct"]));
    let (mut sealed, mut opened) = (message.clone(), ciphertext.clone());
    let (seal_result, open_result) = if let Ok(iv) = <[u8; 16]>::try_from(iv.as_slice()) {
        let seal_result = key.seal_in_place(&AesIv(iv), &associated_data, &mut sealed);
        (seal_result, key.open_in_place(&AesIv(iv), &associated_data, &mut opened, &tag))
    } else {
        let iv = ShortAesIv(iv.try_into().unwrap());
        let seal_result = key.seal_in_place_short_iv(&iv, &associated_data, &mut sealed);
        (seal_result, key.open_in_place_short_iv(&iv, &associated_data, &mut opened, &tag))
    };
    if is_valid(case) {
        assert_eq!((seal_result, sealed), (Ok(tag), ciphertext));
        assert_eq!((open_result, opened), (Ok(()), message));
    } else {
        assert_ne!((seal_result, sealed), (Ok(tag), ciphertext.clone()));
        assert_eq!((open_result, opened), (Err(AesGcmError::Authentication), ciphertext));
    }
}
