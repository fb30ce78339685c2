//! The cases of one conversation: states, messages sent and messages received.

use std::collections::HashMap;
use std::rc::Rc;

use rand::SeedableRng;
use serde_json::Value;
use smp_crypto::aes_gcm::{AesIv, AesKey, AesTag};
use smp_crypto::hash::sha256;
use smp_crypto::sntrup761::KemPrivateKey;
use smp_protocol::padding::unpad;
use smp_protocol::version::RatchetVersion;
use smp_ratchet::{DecryptError, EncryptError, EncryptOptions, MessageHeader, RatchetKem, SkippedChange};

use super::{
    RecordedKeys, agreement, array, assert_ratchet, bytes, error_name, number, ratchet, skipped_id,
    skipped_key, skipped_keys, sorted, state_from_json, text, version,
};

/// The cases of a file.
#[derive(Clone)]
pub struct Conversation<'a> {
    /// By their names.
    cases: HashMap<&'a str, &'a Value>,
    /// Only Bob supports more than the version that was agreed.
    one_side: bool,
    /// All KEM keys of both sides.
    kem_keys: Rc<Vec<KemPrivateKey>>,
}

impl<'a> Conversation<'a> {
    pub fn new(file: &str, cases: &'a [Value]) -> Self {
        let states = cases.iter().filter_map(|case| case.get("ratchet"));
        let mut kem_keys: Vec<_> = states
            .filter_map(|state| state_from_json(state).kem)
            .map(|kem| kem.private_key.clone())
            .collect();
        let proposed = cases.iter().filter_map(|case| case["alice_kem"]["key_pair"].get("secret"));
        kem_keys.extend(proposed.map(|key| KemPrivateKey::from_slice(&bytes(key)).unwrap()));
        Self {
            cases: cases.iter().map(|case| (text(&case["name"]), case)).collect(),
            one_side: file == "ratchet_version_one_side.json",
            kem_keys: Rc::new(kem_keys),
        }
    }

    /// How many cases there are, by their names.
    pub fn count(&self) -> usize {
        self.cases.len()
    }

    /// Runs one case in the place of that with its name, and the cases that rely on it.
    pub fn run_changed(&self, changed: &Value) {
        let name = text(&changed["name"]);
        let mut conversation: Conversation<'_> = self.clone();
        conversation.cases.insert(name, changed);
        conversation.run(changed);
        for case in conversation.cases.values().filter(|case| relies_on(case, name)) {
            conversation.run(case);
        }
    }

    fn case(&self, name: &Value) -> &Value {
        self.cases.get(text(name)).unwrap_or_else(|| panic!("no case {name}"))
    }

    /// The `state` case that another case begins or ends with, of the same party.
    fn state(&self, case: &Value, which: &str) -> &Value {
        let state = self.case(&case[which]);
        assert_eq!(state["kind"], "state");
        assert_eq!(state["party"], case["party"]);
        state
    }

    /// Runs one case.
    pub fn run(&self, case: &Value) {
        match text(&case["kind"]) {
            "agreement" => self.agreement(case),
            "state" => self.state_case(case),
            "encrypt" => self.encrypt(case),
            "encrypt_many" => self.encrypt_many(case),
            "decrypt" => self.decrypt(case),
            kind => panic!("unknown kind {kind}"),
        }
    }

    fn state_case(&self, case: &Value) {
        assert!(text(&case["name"]).starts_with(&format!("{}_", text(&case["party"]))));
        sorted(skipped_keys(&case["skipped_keys"]).as_slice());
        if let Some(kem) = &ratchet(&case["ratchet"]).state().kem {
            self.check_encapsulation(kem);
        }
    }

    /// The other side can open what was encapsulated. (What Alice has at first is Bob's answer to her own key.)
    fn check_encapsulation(&self, kem: &RatchetKem) {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
        let (ciphertext, secret) = kem.private_key.public_key().encapsulate(&mut rng);
        assert_eq!(kem.private_key.decapsulate(&ciphertext), secret, "a pair of keys");
        let Some(accepted) = &kem.accepted else { return };
        let theirs = self.kem_keys.iter().find(|key| key.public_key() == accepted.remote_key).unwrap();
        let opens = |key: &KemPrivateKey| key.decapsulate(&accepted.ciphertext) == accepted.shared_secret;
        assert!(opens(theirs) || opens(&kem.private_key));
    }

    fn agreement(&self, case: &Value) {
        let (alice, bob) = agreement::run(case);
        assert_ratchet(&alice, &self.case(&"alice_0".into())["ratchet"]);
        let mut bob_0 = self.case(&"bob_0".into())["ratchet"].clone();
        if self.one_side {
            assert_eq!(bob_0["rcVersion"], serde_json::json!([2, 3]));
            bob_0["rcVersion"] = case["ratchet_versions"].clone();
        }
        assert_ratchet(&bob, &bob_0);
    }

    fn encrypt(&self, case: &Value) {
        let before = self.state(case, "state_before");
        let options = EncryptOptions {
            padded_length: number(&case["padded_length"]) as usize,
            pq: maybe_flag(&case["pq_option"]),
            max_version: version(&case["supported_e2e_version"]),
        };
        let result = ratchet(&before["ratchet"]).encrypt(&bytes(&case["plaintext"]), options);
        if let Some(error) = case.get("error") {
            let name = match result.unwrap_err() {
                EncryptError::NoSendingChain => "CERatchetState",
                EncryptError::TooLong { .. } => "CryptoLargeMsgError",
                EncryptError::Exhausted => "",
            };
            assert_eq!(error, name);
            return;
        }
        let sent = result.unwrap();
        assert_eq!(hex::encode(&sent.message), text(&case["ciphertext"]));
        let after = self.state(case, "state_after");
        assert_ratchet(&sent.ratchet, &after["ratchet"]);
        assert_eq!(after["skipped_keys"], before["skipped_keys"]);
        take_apart(case, &sent.message);
    }

    fn encrypt_many(&self, case: &Value) {
        let before = self.state(case, "state_before");
        let mut ratchet = ratchet(&before["ratchet"]);
        let options = EncryptOptions { padded_length: 16, pq: None, max_version: RatchetVersion(3) };
        for _ in 0..number(&case["count"]) {
            ratchet = ratchet.encrypt(b"", options).unwrap().ratchet;
        }
        let after = self.state(case, "state_after");
        assert_ratchet(&ratchet, &after["ratchet"]);
        assert_eq!(after["skipped_keys"], before["skipped_keys"]);
    }

    fn message(&self, case: &Value) -> Vec<u8> {
        let message = &case["message"];
        if let Some(name) = message.get("sent_as") {
            return bytes(&self.case(name)["ciphertext"]);
        }
        let changed = bytes(&message["ciphertext"]);
        if let Some(name) = message.get("changed_from") {
            let original = bytes(&self.case(name)["ciphertext"]);
            let differences = original.iter().zip(&changed).filter(|(a, b)| a != b).count();
            let cut = changed.len() < original.len();
            assert_eq!(differences, usize::from(!cut), "cut, or one byte changed");
        }
        changed
    }

    fn decrypt(&self, case: &Value) {
        let before = self.state(case, "state_before");
        let after = self.state(case, "state_after");
        let ratchet_before = ratchet(&before["ratchet"]);
        let mut skipped = skipped_keys(&before["skipped_keys"]);
        let mut keys = RecordedKeys(state_from_json(&after["ratchet"]));
        let plaintext = match ratchet_before.decrypt(&self.message(case), &skipped, &mut keys) {
            Err(error) => {
                assert_eq!(case["state_after"], case["state_before"], "nothing was stored");
                assert_eq!(case["skipped_change"], "none");
                Err(error)
            }
            Ok(decrypted) => {
                assert_ne!(case["state_after"], case["state_before"], "the state was stored");
                assert_ratchet(&decrypted.ratchet, &after["ratchet"]);
                check_change(&case["skipped_change"], &decrypted.skipped);
                skipped.apply(decrypted.skipped);
                decrypted.plaintext
            }
        };
        assert_eq!(sorted(skipped.as_slice()), sorted(skipped_keys(&after["skipped_keys"]).as_slice()));
        check_result(&case["result"], plaintext.as_ref().map(|text| &***text).map_err(|error| *error));
    }
}

fn maybe_flag(value: &Value) -> Option<bool> {
    (!value.is_null()).then(|| value.as_bool().unwrap())
}

/// Whether a case names the other one.
fn relies_on(case: &Value, name: &str) -> bool {
    let message = &case["message"];
    [&case["state_before"], &case["state_after"], &message["sent_as"], &message["changed_from"]]
        .iter()
        .any(|value| *value == name)
        || (case["kind"] == "agreement" && ["alice_0", "bob_0"].contains(&name))
}

/// Opens a message with the listed keys, without the ratchet.
fn take_apart(case: &Value, message: &[u8]) {
    let version = version(&case["version"]);
    let length_bytes = if version.0 >= 3 { 2 } else { 1 };
    let header_length = number(&case["encrypted_header_length"]) as usize;
    let header = &message[length_bytes..][..header_length];
    let prefix = &header_length.to_be_bytes()[8 - length_bytes..];
    assert_eq!(&message[..length_bytes], prefix);
    assert_eq!(hex::encode(sha256(header)), text(&case["encrypted_header_sha256"]));

    assert_eq!(header[..2], version.0.to_be_bytes());
    assert_eq!(header[2..18], array::<16>(&case["header_iv"]));
    let padded = number(&case["padded_header_length"]) as usize;
    let mut plain = header[header.len() - padded..].to_vec();
    let tag = AesTag(header[18..34].try_into().unwrap());
    let associated_data = bytes(&case["associated_data"]);
    AesKey::from_bytes(array(&case["header_key"]))
        .open_in_place(&AesIv(array(&case["header_iv"])), &associated_data, &mut plain, &tag)
        .unwrap();
    assert_eq!(hex::encode(unpad(&plain).unwrap()), text(&case["header"]));
    let parsed = MessageHeader::from_bytes(unpad(&plain).unwrap(), version).unwrap();
    assert_eq!(hex::encode(parsed.to_bytes(version)), text(&case["header"]));

    let (tag, body) = message[length_bytes + header_length..].split_at(16);
    let mut body = body.to_vec();
    assert_eq!(body.len() as u64, number(&case["padded_length"]));
    let associated_data = [&associated_data, header].concat();
    AesKey::from_bytes(array(&case["message_key"]))
        .open_in_place(
            &AesIv(array(&case["message_iv"])),
            &associated_data,
            &mut body,
            &AesTag(tag.try_into().unwrap()),
        )
        .unwrap();
    assert_eq!(unpad(&body).unwrap(), bytes(&case["plaintext"]));
}

fn check_change(expected: &Value, actual: &SkippedChange) {
    match actual {
        SkippedChange::None => assert_eq!(expected, "none"),
        SkippedChange::Removed(id) => assert_eq!(*id, skipped_id(&expected["removed"])),
        SkippedChange::Added(keys) => match expected.get("added_count") {
            Some(count) => assert_eq!(keys.len() as u64, number(count)),
            None => {
                let expected: Vec<_> =
                    expected["added"].as_array().unwrap().iter().map(skipped_key).collect();
                assert_eq!(sorted(keys), sorted(&expected));
            }
        },
    }
}

fn check_result(expected: &Value, actual: Result<&[u8], DecryptError>) {
    match (expected.get("error"), actual) {
        (None, Ok(plaintext)) => assert_eq!(plaintext, bytes(&expected["plaintext"])),
        // The text that follows is of the reference's parser.
        (Some(error), Err(DecryptError::Malformed)) => {
            assert_eq!(error, "CryptoHeaderError \"not enough input\"");
        }
        (Some(error), Err(actual)) => assert_eq!(*error, error_name(actual)),
        (expected, actual) => panic!("{expected:?} expected, {actual:?} came"),
    }
}
