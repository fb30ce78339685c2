//! `agreement` cases: they stand in the key agreement file and at the start of every conversation.

use serde_json::Value;
use smp_crypto::sntrup761::{KemCiphertext, KemPrivateKey, KemPublicKey, KemSharedSecret};
use smp_protocol::agent::{AnyKem, ProposedKem, RatchetParameters, RatchetParametersUri};
use smp_protocol::encoding::{from_bytes, from_text, to_bytes, to_text};
use smp_ratchet::{
    AcceptedKem, Agreement, AgreementKey, JoiningKem, JoiningKeys, OfferedKeys, Ratchet, RatchetKem,
    RatchetPrivateKey, RemoteRatchetKey,
};

use super::{array, assert_ratchet, bytes, private_key, ratchet, text, version, versions};

/// Runs one case; the result is the ratchets of Alice and of Bob.
pub fn run(case: &Value) -> (Ratchet, Ratchet) {
    let version = version(&case["e2e_version"]);
    let alice = offered_keys(case);
    let bob = joining_keys(case);
    check_keys(case, &alice, &bob);
    let offer = alice.parameters(version);
    let answer = bob.parameters(version);
    assert_eq!(to_bytes(&offer), bytes(&case["alice_params_encoded"]));
    assert_eq!(
        from_bytes::<RatchetParameters<ProposedKem>>(&bytes(&case["alice_params_encoded"])),
        Ok(offer.clone())
    );
    assert_eq!(to_bytes(&answer), bytes(&case["bob_params_encoded"]));
    assert_eq!(
        from_bytes::<RatchetParameters<AnyKem>>(&bytes(&case["bob_params_encoded"])),
        Ok(answer.clone())
    );
    check_uri(case, &alice);

    let alice_init = alice.agree(&answer).unwrap();
    check_agreement(&alice_init, &case["alice_init"], &case["alice_init_kem_key_pair"]);
    let bob_init = bob.agree(&offer).unwrap();
    check_agreement(&bob_init, &case["bob_init"], &case["bob_init_kem_key_pair"]);

    let versions = versions(&case["ratchet_versions"]);
    let pq = case["alice_pq_support"].as_bool().unwrap();
    let alice = alice.ratchet(&answer, versions, pq).unwrap();
    assert_ratchet(&alice, &case["alice_ratchet"]);
    let bob_key = RatchetPrivateKey::new(private_key(&case["bob_ratchet_private_key"]));
    assert_eq!(bob_key.public_key().0.as_bytes(), &array(&case["bob_ratchet_public_key"]));
    let bob = Ratchet::new_sending(versions, bob_init, RemoteRatchetKey(offer.key_2), bob_key);
    assert_ratchet(&bob, &case["bob_ratchet"]);
    assert_eq!(alice.security_code(), bob.security_code());
    (ratchet(&case["alice_ratchet"]), ratchet(&case["bob_ratchet"]))
}

fn offered_keys(case: &Value) -> OfferedKeys {
    let kem = &case["alice_kem"];
    let keys = OfferedKeys {
        key_1: AgreementKey::new(private_key(&case["alice_private_key_1"])),
        key_2: AgreementKey::new(private_key(&case["alice_private_key_2"])),
        kem: (!kem.is_null()).then(|| {
            assert_eq!(kem["state"], "proposed");
            let private_key = kem_key_pair(&kem["key_pair"]);
            assert_eq!(bytes(&kem["encoded"]), [&b"P"[..], &stored_key_pair(&private_key)].concat());
            private_key
        }),
    };
    assert_eq!(OfferedKeys::from_bytes(&keys.to_bytes()).as_ref(), Ok(&keys));
    keys
}

/// Bob's keys of an `agreement` or `agreement_refused` case.
pub fn joining_keys(case: &Value) -> JoiningKeys {
    let kem = &case["bob_kem"];
    let keys = JoiningKeys {
        key_1: AgreementKey::new(private_key(&case["bob_private_key_1"])),
        key_2: AgreementKey::new(private_key(&case["bob_private_key_2"])),
        kem: (!kem.is_null()).then(|| joining_kem(kem)),
    };
    assert_eq!(JoiningKeys::from_bytes(&keys.to_bytes()).as_ref(), Ok(&keys));
    keys
}

fn joining_kem(kem: &Value) -> JoiningKem {
    let private_key = kem_key_pair(&kem["key_pair"]);
    let key_pair = stored_key_pair(&private_key);
    match text(&kem["state"]) {
        "proposed" => {
            assert_eq!(bytes(&kem["encoded"]), [&b"P"[..], &key_pair].concat());
            JoiningKem::Proposed(private_key)
        }
        "accepted" => {
            let ciphertext = KemCiphertext::from_slice(&bytes(&kem["ciphertext"])).unwrap();
            let shared_secret = KemSharedSecret::from_bytes(array(&kem["shared"]));
            let parts =
                [b"A", &large(ciphertext.as_bytes())[..], b"\x20", shared_secret.as_bytes(), &key_pair];
            assert_eq!(bytes(&kem["encoded"]), parts.concat());
            JoiningKem::Accepted { ciphertext, shared_secret, private_key }
        }
        state => panic!("unknown KEM state {state}"),
    }
}

fn kem_key_pair(json: &Value) -> KemPrivateKey {
    let private_key = KemPrivateKey::from_slice(&bytes(&json["secret"])).unwrap();
    assert_eq!(private_key.public_key(), KemPublicKey::from_slice(&bytes(&json["public"])).unwrap());
    private_key
}

/// How the reference stores a KEM key pair.
fn stored_key_pair(private_key: &KemPrivateKey) -> Vec<u8> {
    [large(private_key.public_key().as_bytes()), large(private_key.as_bytes())].concat()
}

fn large(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn check_keys(case: &Value, alice: &OfferedKeys, bob: &JoiningKeys) {
    let pairs = [
        ("alice_public_key_1", &alice.key_1),
        ("alice_public_key_2", &alice.key_2),
        ("bob_public_key_1", &bob.key_1),
        ("bob_public_key_2", &bob.key_2),
    ];
    for (name, key) in pairs {
        assert_eq!(key.public_key().as_bytes(), &array(&case[name]), "{name}");
    }
    let secrets = [
        ("dh_alice_key_1_bob_key_2", &alice.key_1, &bob.key_2),
        ("dh_alice_key_2_bob_key_1", &alice.key_2, &bob.key_1),
        ("dh_alice_key_2_bob_key_2", &alice.key_2, &bob.key_2),
    ];
    for (name, first, second) in secrets {
        assert_eq!(first.agree(&second.public_key()).as_bytes(), &array(&case[name]), "{name}");
        assert_eq!(second.agree(&first.public_key()).as_bytes(), &array(&case[name]), "{name}");
    }
}

/// The text of the offer: its range starts at the agreed version or before it.
fn check_uri(case: &Value, alice: &OfferedKeys) {
    let uri = text(&case["alice_params_uri"]);
    let read: RatchetParametersUri<ProposedKem> = from_text(uri).unwrap();
    assert_eq!(read, alice.uri_parameters(read.versions));
    assert_eq!(to_text(&read), uri);
    let agreed = version(&case["e2e_version"]);
    assert_eq!(read.versions.max(), agreed);
    assert_eq!(read.versions.min().0, agreed.0.min(2), "the reference supports from 2 on");
}

fn check_agreement(agreement: &Agreement, json: &Value, key_pair: &Value) {
    assert_eq!(agreement.associated_data.as_bytes(), &array(&json["associated_data"]));
    assert_eq!(agreement.root_key.as_bytes(), &array(&json["ratchet_key"]));
    assert_eq!(agreement.header_key.as_bytes(), &array(&json["sending_header_key"]));
    assert_eq!(agreement.next_header_key.as_bytes(), &array(&json["receiving_next_header_key"]));
    let kem = (!key_pair.is_null()).then(|| RatchetKem {
        private_key: kem_key_pair(key_pair),
        accepted: accepted(&json["kem_accepted"]),
    });
    assert_eq!(agreement.kem, kem);
    assert!(kem.is_some() || json["kem_accepted"].is_null());
}

fn accepted(json: &Value) -> Option<AcceptedKem> {
    (!json.is_null()).then(|| AcceptedKem {
        remote_key: KemPublicKey::from_slice(&bytes(&json["received_public"])).unwrap(),
        shared_secret: KemSharedSecret::from_bytes(array(&json["shared"])),
        ciphertext: KemCiphertext::from_slice(&bytes(&json["ciphertext"])).unwrap(),
    })
}
