//! `block_encryption.json`.

use serde_json::{Value, json};
use smp_crypto::block_chain::{
    BLOCK_SIZE, Block, BlockKey, ChainKey, ChainKeys, MAX_CONTENT, MAX_PLAIN_CONTENT, OpeningChain,
    SealingChain, UnreadableBlock, pad_block, unpad_block,
};
use smp_crypto::{Nonce, SecretBoxKey};
use smp_vectors::{array, assert_bytes, bytes, cases, named, size, text};

use crate::support::{bytes_or_ramp, every_change_is_noticed, run, x25519_pair};

#[test]
fn vectors() {
    run("block_encryption.json", check);
}

#[test]
fn no_field_is_ignored() {
    every_change_is_noticed("block_encryption.json", check);
}

fn check(case: &Value, cases: &[Value]) {
    match text(&case["kind"]) {
        "chain_init" => chain_init(case),
        "chain_steps" => chain_steps(case, cases),
        "encrypted_block" => encrypted_block(case, cases),
        "padded_block" => padded_block(case),
        "receive_failure" => receive_failure(case, cases),
        kind => panic!("unknown kind {kind}"),
    }
}

fn chain_key(value: &Value) -> ChainKey {
    ChainKey::from_bytes(array(value))
}

/// The first chain key of a direction.
fn first_chain_key(cases: &[Value], direction: &str) -> ChainKey {
    chain_key(&named(cases, "chain_init")[format!("{direction}_chain_key")])
}

fn chain_init(case: &Value) {
    let [server, client] = [&case["server_key_pair"], &case["client_key_pair"]].map(|pair| {
        let (private, public) = x25519_pair(&pair["private"], &pair["public"]);
        assert_eq!(pair["algorithm"], "X25519");
        assert_eq!(bytes(&pair["public_der"]), public.to_der());
        (private, public)
    });
    let secret = server.0.agree(&client.1);
    assert_eq!(secret, client.0.agree(&server.1));
    assert_bytes(secret.as_bytes(), &case["dh_secret"]);
    let keys = ChainKeys::new(&bytes(&case["session_id"]), &secret);
    assert_eq!(keys.relay_to_client, chain_key(&case["server_to_client_chain_key"]));
    assert_eq!(keys.client_to_relay, chain_key(&case["client_to_server_chain_key"]));
    let (relay_seals, relay_opens) = keys.clone().into_relay_chains();
    let (client_seals, client_opens) = keys.into_client_chains();
    assert_eq!(relay_seals.chain_key(), client_opens.chain_key());
    assert_eq!(client_seals.chain_key(), relay_opens.chain_key());
    assert_eq!(client_seals.chain_key(), &chain_key(&case["client_to_server_chain_key"]));
}

/// Moves `chain` as recorded: `chain_key` is what it was before.
fn assert_step(chain: &mut ChainKey, recorded: &Value) {
    assert_eq!(*chain, chain_key(&recorded["chain_key"]));
    let BlockKey { key, nonce } = chain.step();
    assert_eq!(key, SecretBoxKey::from_bytes(array(&recorded["key"])));
    assert_eq!(nonce, Nonce::from_bytes(array(&recorded["nonce"])));
    assert_eq!(*chain, chain_key(&recorded["next_chain_key"]));
}

fn chain_steps(case: &Value, cases: &[Value]) {
    let direction = text(&case["name"]).strip_prefix("steps_").unwrap();
    let mut chain = chain_key(&case["chain_key"]);
    assert_eq!(chain, first_chain_key(cases, direction));
    let steps = case["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 10);
    for (index, step) in steps.iter().enumerate() {
        assert_eq!(size(&step["step"]), index + 1);
        assert_step(&mut chain, step);
    }
}

fn encrypted_block(case: &Value, cases: &[Value]) {
    let start = match text(&case["direction"]) {
        "server_to_client" => "server_block",
        "client_to_server" => "client_block",
        other => panic!("unknown direction {other}"),
    };
    assert!(text(&case["name"]).starts_with(start));
    let content = bytes_or_ramp(case, "content");
    assert_eq!(content.len(), size(&case["content_length"]));
    assert_step(&mut chain_key(&case["chain_key"]), case);

    let mut chain = SealingChain::new(chain_key(&case["chain_key"]));
    let mut block = [0xff; BLOCK_SIZE];
    let sealed = chain.seal(&content, &mut block);
    assert_eq!(chain.chain_key(), &chain_key(&case["next_chain_key"]));
    if let Some(error) = case.get("error") {
        assert_eq!((sealed.unwrap_err().limit, text(error)), (MAX_CONTENT, "TELargeMsg"));
        return;
    }
    sealed.unwrap();
    assert_bytes(&block, &case["block"]);
    assert_received(case, cases, &content, &mut block);
}

fn assert_received(case: &Value, cases: &[Value], content: &[u8], block: &mut Block) {
    if case["received"] == "same content" {
        let mut chain = OpeningChain::new(chain_key(&case["chain_key"]));
        assert_eq!(chain.open(block).unwrap(), content);
        assert_eq!(chain.chain_key(), &chain_key(&case["next_chain_key"]));
    } else {
        // The block before this one was never sent, so the receiver is one step behind.
        let refused = named(cases, "client_block_4_over_max");
        assert_eq!(refused["next_chain_key"], case["chain_key"]);
        let mut chain = OpeningChain::new(chain_key(&refused["chain_key"]));
        assert_eq!(chain.open(block), Err(UnreadableBlock));
        assert_eq!(chain.chain_key(), &chain_key(&case["chain_key"]));
        assert_eq!(case["received"], json!({"error": "TELargeMsg"}));
    }
}

fn padded_block(case: &Value) {
    let content = bytes_or_ramp(case, "content");
    assert_eq!(content.len(), size(&case["content_length"]));
    let mut block = [0xff; BLOCK_SIZE];
    let padded = pad_block(&content, &mut block);
    if let Some(error) = case.get("error") {
        assert_eq!((padded.unwrap_err().limit, text(error)), (MAX_PLAIN_CONTENT, "TELargeMsg"));
    } else {
        padded.unwrap();
        assert_bytes(&block, &case["block"]);
        assert_eq!(unpad_block(&block).unwrap(), content);
    }
}

fn receive_failure(case: &Value, cases: &[Value]) {
    let mut sender = SealingChain::new(chain_key(&case["sending_chain_key"]));
    assert_eq!(sender.chain_key(), &first_chain_key(cases, "server_to_client"));
    let mut receiver = OpeningChain::new(chain_key(&case["receiving_chain_key"]));
    let other_direction = text(&case["name"]) == "receive_from_other_direction";
    let received = if other_direction { "client_to_server" } else { "server_to_client" };
    assert_eq!(receiver.chain_key(), &first_chain_key(cases, received));

    let contents = [bytes(&case["first_content"]), bytes(&case["second_content"])];
    assert_eq!(contents, [b"first".to_vec(), b"second".to_vec()]);
    let mut blocks = contents.map(|content| {
        let mut block = [0; BLOCK_SIZE];
        sender.seal(&content, &mut block).unwrap();
        block
    });
    match text(&case["change_of_first_block"]) {
        "the lowest bit of byte 5000 (counted from 0) is flipped" => blocks[0][5000] ^= 1,
        "all bytes are zero" => blocks[0].fill(0),
        "none, but the receiver uses the chain of the other direction" => assert!(other_direction),
        change => panic!("unknown change {change}"),
    }
    for (block, name) in blocks.iter_mut().zip(["first", "second"]) {
        assert_bytes(block, &case[format!("{name}_block")]);
        let result = match receiver.open(block) {
            Ok(content) => json!({"ok": hex::encode(content)}),
            Err(UnreadableBlock) => json!({"error": "TELargeMsg"}),
        };
        assert_eq!(case[format!("{name}_result")], result);
    }
}

/// All recorded blocks of a direction, one after the other with the same two chains.
#[test]
fn chains_go_on_through_all_blocks() {
    let cases = cases("block_encryption.json");
    for direction in ["server_to_client", "client_to_server"] {
        let mut sealing = SealingChain::new(first_chain_key(&cases, direction));
        let mut opening = OpeningChain::new(first_chain_key(&cases, direction));
        let mut in_step = true;
        for case in cases.iter().filter(|case| case["direction"] == direction) {
            let content = bytes_or_ramp(case, "content");
            let mut block = [0; BLOCK_SIZE];
            if sealing.seal(&content, &mut block).is_err() {
                in_step = false;
                continue;
            }
            assert_bytes(&block, &case["block"]);
            assert_eq!(opening.open(&mut block) == Ok(&content), in_step);
        }
        assert_eq!(in_step, direction == "server_to_client");
    }
}
