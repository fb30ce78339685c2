//! `keys.json`.

use serde_json::Value;
use smp_crypto::x448::{X448PrivateKey, X448PublicKey};
use smp_crypto::{
    Algorithm, Ed448PrivateKey, Ed448PublicKey, Ed25519PrivateKey, Ed25519PublicKey, KeyError,
    PrivateAuthKey, PrivateSignatureKey, PublicAuthKey, PublicSignatureKey, Signature, SignatureError,
    X25519PrivateKey, X25519PublicKey, base64url, hash,
};
use smp_vectors::{array, bytes, named, size, text};

use crate::support::{every_change_is_noticed, run, x25519_pair};

#[test]
fn vectors() {
    run("keys.json", check);
}

#[test]
fn no_field_is_ignored() {
    every_change_is_noticed("keys.json", check);
}

fn check(case: &Value, cases: &[Value]) {
    match text(&case["kind"]) {
        "key" => key(case),
        "signature" => signature(case),
        "dh" => dh(case, cases),
        "public_der_refused" => public_der_refused(case, cases),
        "signature_decode" => signature_decode(case),
        "key_hash" => key_hash(case),
        kind => panic!("unknown kind {kind}"),
    }
}

/// Asserts that the types for one algorithm write and read all recorded forms of a key.
macro_rules! assert_forms {
    ($case:expr, $private_type:ident, $public_type:ident) => {{
        let case = $case;
        let private = $private_type::from_bytes(array(&case["private_raw"]));
        let public = $public_type::from_bytes(array(&case["public_raw"]));
        let (public_der, private_der) = (bytes(&case["public_der"]), bytes(&case["private_pkcs8_der"]));
        assert_eq!(private.public_key(), public);
        assert_eq!(
            (public.to_der().to_vec(), private.to_der().to_vec()),
            (public_der.clone(), private_der.clone())
        );
        assert_eq!($public_type::from_der(&public_der).unwrap(), public);
        assert_eq!($private_type::from_der(&private_der).unwrap(), private);
        assert_eq!(hex::encode(private.as_bytes()), text(&case["private_raw"]));
        assert_texts(case, &public_der, &private_der);
    }};
}

/// As above, for the types that have a text form of their own.
macro_rules! assert_own_texts {
    ($case:expr, $private_type:ident, $public_type:ident) => {{
        let (private_text, public_text) =
            (text(&$case["private_str_encoded"]), text(&$case["public_str_encoded"]));
        assert_eq!($private_type::from_text(private_text).unwrap().to_text().as_str(), private_text);
        assert_eq!($public_type::from_text(public_text).unwrap().to_text(), public_text);
    }};
}

fn key(case: &Value) {
    match text(&case["algorithm"]) {
        "Ed25519" => {
            assert_forms!(case, Ed25519PrivateKey, Ed25519PublicKey);
            assert_own_texts!(case, Ed25519PrivateKey, Ed25519PublicKey);
            assert_signature_key(case);
            assert_auth_key(case);
        }
        "Ed448" => {
            assert_forms!(case, Ed448PrivateKey, Ed448PublicKey);
            assert_own_texts!(case, Ed448PrivateKey, Ed448PublicKey);
            assert_signature_key(case);
            assert_auth_key(case);
        }
        "X25519" => {
            assert_forms!(case, X25519PrivateKey, X25519PublicKey);
            assert_own_texts!(case, X25519PrivateKey, X25519PublicKey);
            assert_auth_key(case);
        }
        "X448" => {
            assert_forms!(case, X448PrivateKey, X448PublicKey);
            assert_own_texts!(case, X448PrivateKey, X448PublicKey);
        }
        other => panic!("unknown algorithm {other}"),
    }
}

/// The text and length-prefixed forms, from the DER.
fn assert_texts(case: &Value, public_der: &[u8], private_der: &[u8]) {
    let (public_text, private_text) = (base64url::encode(public_der), base64url::encode(private_der));
    assert_eq!(bytes(&case["public_smp_encoded"]), [&[public_der.len() as u8], public_der].concat());
    assert_eq!(public_text, text(&case["public_str_encoded"]));
    assert_eq!(public_text, text(&case["public_json"]));
    assert_eq!(private_text, text(&case["private_str_encoded"]));
    assert_eq!(base64url::encode(private_text.as_bytes()), text(&case["private_json"]));
    let private_json = base64url::decode(text(&case["private_json"])).unwrap();
    assert_eq!(base64url::decode(private_json).unwrap(), private_der);
}

fn assert_auth_key(case: &Value) {
    let public = PublicAuthKey::from_der(&bytes(&case["public_der"])).unwrap();
    let private = PrivateAuthKey::from_der(&bytes(&case["private_pkcs8_der"])).unwrap();
    assert_eq!(private.public_key(), public);
    assert_eq!(public.algorithm().to_string(), text(&case["algorithm"]));
    assert_eq!(PublicAuthKey::from_text(&public.to_text()).unwrap().to_der(), bytes(&case["public_der"]));
    assert_eq!(private.to_der().to_vec(), bytes(&case["private_pkcs8_der"]));
}

fn assert_signature_key(case: &Value) {
    let public = PublicSignatureKey::from_der(&bytes(&case["public_der"])).unwrap();
    let private = PrivateSignatureKey::from_der(&bytes(&case["private_pkcs8_der"])).unwrap();
    assert_eq!(private.public_key(), public);
    assert_eq!(public.algorithm().to_string(), text(&case["algorithm"]));
    assert_eq!(
        PublicSignatureKey::from_text(&public.to_text()).unwrap().to_der(),
        bytes(&case["public_der"])
    );
    assert_eq!(private.to_der().to_vec(), bytes(&case["private_pkcs8_der"]));
}

fn signature(case: &Value) {
    let (private, public): (PrivateSignatureKey, PublicSignatureKey) = match text(&case["algorithm"]) {
        "Ed25519" => (
            Ed25519PrivateKey::from_bytes(array(&case["private_raw"])).into(),
            Ed25519PublicKey::from_bytes(array(&case["public_raw"])).into(),
        ),
        "Ed448" => (
            Ed448PrivateKey::from_bytes(array(&case["private_raw"])).into(),
            Ed448PublicKey::from_bytes(array(&case["public_raw"])).into(),
        ),
        other => panic!("unknown algorithm {other}"),
    };
    assert_eq!(private.public_key(), public);
    let (message, recorded) = (bytes(&case["message"]), bytes(&case["signature"]));
    let signature = private.sign(&message);
    assert_eq!(signature, Signature::from_slice(&recorded).unwrap());
    assert!(public.verify(&message, &signature));
    assert!(!public.verify(&[message.as_slice(), b"x"].concat(), &signature));
    assert_eq!(
        bytes(&case["signature_smp_encoded"]),
        [&[recorded.len() as u8], signature.as_bytes()].concat()
    );
    assert_eq!(signature.to_text(), text(&case["signature_str_encoded"]));
}

fn dh(case: &Value, cases: &[Value]) {
    let secret = match text(&case["algorithm"]) {
        "X25519" => x25519_dh(case),
        "X448" => x448_dh(case, cases),
        other => panic!("unknown algorithm {other}"),
    };
    assert_eq!(secret, bytes(&case["shared_secret"]));
    if let Some(recorded) = case.get("shared_secret_str_encoded") {
        assert_eq!(base64url::encode(&secret), text(recorded));
    }
}

fn x25519_dh(case: &Value) -> Vec<u8> {
    let (first, second) = (&case["first"], &case["second"]);
    let first_public = X25519PublicKey::from_der(&bytes(&first["public_der"])).unwrap();
    assert_eq!(bytes(&first["public"]), first_public.as_bytes());
    assert_eq!(second["algorithm"], "X25519");
    let (second_private, second_public) = x25519_pair(&second["private"], &second["public"]);
    assert_eq!(bytes(&second["public_der"]), second_public.to_der());
    let secret = second_private.agree(&first_public);
    if first.get("private").is_some() {
        assert_eq!(first["algorithm"], "X25519");
        assert_eq!(x25519_pair(&first["private"], &first["public"]).0.agree(&second_public), secret);
    }
    secret.as_bytes().to_vec()
}

/// The private keys are those of other cases: the bits of them that X448 ignores are compared there.
fn x448_dh(case: &Value, cases: &[Value]) -> Vec<u8> {
    let keys = ["first", "second"].map(|side| {
        let key = &case[side];
        assert_eq!(key["algorithm"], "X448");
        let is_this = |case: &&Value| case["kind"] == "key" && case["private_raw"] == key["private"];
        let recorded = cases.iter().find(is_this).unwrap();
        assert_eq!((&key["public"], &key["public_der"]), (&recorded["public_raw"], &recorded["public_der"]));
        X448PrivateKey::from_bytes(array(&key["private"]))
    });
    let [first, second] = keys;
    let secret = first.agree(&second.public_key());
    assert_eq!(second.agree(&first.public_key()), secret);
    secret.as_bytes().to_vec()
}

/// The bytes of each refused input, the reference's words for it, and ours.
fn refusal(case: &Value, cases: &[Value]) -> (Vec<u8>, &'static str, KeyError) {
    let key = |name: &str, form: &str| bytes(&named(cases, name)[form]);
    let (ed25519, x25519) = (key("ed25519_1", "public_der"), key("x25519_1", "public_der"));
    match text(&case["name"]) {
        "refused_ed25519_for_x25519" => (ed25519, "bad algorithm", KeyError::Algorithm(Algorithm::Ed25519)),
        "refused_x448_for_auth" => (
            key("x448_1", "public_der"),
            "key does not support auth algorithms",
            KeyError::Algorithm(Algorithm::X448),
        ),
        "refused_x25519_for_signature" => {
            (x25519, "key does not support signature algorithms", KeyError::Algorithm(Algorithm::X25519))
        }
        "refused_ed25519_for_dh" => {
            (ed25519, "key does not support DH algorithms", KeyError::Algorithm(Algorithm::Ed25519))
        }
        "refused_truncated" => (x25519[..43].to_vec(), "ParsingPartial", KeyError::Encoding),
        "refused_trailing_byte" => ([&x25519[..], &[0]].concat(), "ParsingPartial", KeyError::Encoding),
        "refused_two_keys" => ([&x25519[..], &x25519].concat(), "more than one key", KeyError::Encoding),
        "refused_empty" => (vec![], "fromASN1: X509.PubKey: unknown format:[]", KeyError::Encoding),
        "refused_rsa" => {
            let start = hex::decode("305c300d06092a864886f70d0101010500034b003048024100").unwrap();
            let rsa = [&start[..], &[0xc8; 64], &[2, 3, 1, 0, 1]].concat();
            (rsa, "unknown key algorithm", KeyError::Encoding)
        }
        "refused_raw_32_bytes" => (key("x25519_1", "public_raw"), "ParsingPartial", KeyError::Encoding),
        "refused_short_key_bytes" => {
            ([&x25519[..12], &[0x61; 31]].concat(), "ParsingPartial", KeyError::Encoding)
        }
        "refused_x25519_31_bytes" => {
            let start = hex::decode("3029300506032b656e032000").unwrap();
            let words = "fromASN1: X509.PubKey X25519 bitarray contains an invalid public key: \
                         CryptoError_PublicKeySizeInvalid";
            ([&start[..], &[0x61; 31]].concat(), words, KeyError::Encoding)
        }
        name => panic!("unknown case {name}"),
    }
}

fn public_der_refused(case: &Value, cases: &[Value]) {
    let (input, words, error) = refusal(case, cases);
    assert_eq!((bytes(&case["input"]), text(&case["error"])), (input.clone(), words));
    let x25519 = X25519PublicKey::from_der(&input).err();
    let auth = PublicAuthKey::from_der(&input).err();
    let signature = PublicSignatureKey::from_der(&input).err();
    match text(&case["wanted"]) {
        "X25519" => assert_eq!(x25519, Some(error)),
        "key for command authorization (Ed25519, Ed448 or X25519)" => assert_eq!(auth, Some(error)),
        "key for signatures (Ed25519, Ed448)" => assert_eq!(signature, Some(error)),
        "key for DH (X25519, X448)" => {
            assert_eq!(x25519, Some(error));
            assert!(X448PublicKey::from_der(&input).is_err());
        }
        "any" => {
            let others = [Ed25519PublicKey::from_der(&input).err(), Ed448PublicKey::from_der(&input).err()];
            assert_eq!((x25519, auth, signature), (Some(error), Some(error), Some(error)));
            assert_eq!(others, [Some(error), Some(error)]);
            assert!(X448PublicKey::from_der(&input).is_err());
        }
        wanted => panic!("unknown wish {wanted}"),
    }
}

fn signature_decode(case: &Value) {
    let length = size(&case["length"]);
    assert_eq!(text(&case["name"]), format!("signature_size_{length}"));
    let expected = match Signature::from_slice(&vec![0; length]) {
        Ok(signature) => serde_json::json!({"ok": signature.algorithm().to_string()}),
        Err(SignatureError::Size(actual)) => {
            assert_eq!(actual, length);
            serde_json::json!({"error": "bad signature size"})
        }
    };
    assert_eq!(case["result"], expected);
}

/// The hash of the text `certificate`.
fn key_hash(case: &Value) {
    let hash = hash::sha256(b"certificate");
    assert_eq!(bytes(&case["value"]), hash);
    assert_eq!(bytes(&case["smp_encoded"]), [&[32], &hash[..]].concat());
    assert_eq!(text(&case["str_encoded"]), base64url::encode(&hash));
    assert_eq!(base64url::decode(text(&case["str_encoded"])).unwrap(), hash);
}
