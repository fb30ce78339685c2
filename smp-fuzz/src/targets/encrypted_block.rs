//! A whole block as it comes from the connection, encrypted or only padded. First byte: which of the two, and whether the
//! other bytes are the block or what its sender has put into it.

use smp_crypto::DhSecret;
use smp_crypto::block_chain::{
    BLOCK_SIZE, Block, ChainKeys, MAX_CONTENT, MAX_PLAIN_CONTENT, pad_block, unpad_block,
};

use crate::check::way;
use crate::seeds::{Vectors, with_first};

/// Opens a block.
pub fn run(data: &[u8]) {
    let Some((way, bytes)) = way(data, 4) else { return };
    let keys = ChainKeys::new(&[1; 32], &DhSecret::from_bytes([2; 32]));
    let (mut seals, _) = keys.clone().into_relay_chains();
    let (_, mut opens) = keys.into_client_chains();
    let mut block = [0; BLOCK_SIZE];
    match way {
        0 => {
            fill(&mut block, bytes);
            let before = opens.chain_key().clone();
            assert!(opens.open(&mut block).is_err(), "nobody knows the key");
            assert_ne!(*opens.chain_key(), before);
        }
        1 => {
            fill(&mut block, bytes);
            if let Ok(content) = unpad_block(&block) {
                assert!(content.len() <= MAX_PLAIN_CONTENT);
            }
        }
        2 => match seals.seal(bytes, &mut block) {
            Ok(()) => assert_eq!(opens.open(&mut block), Ok(bytes)),
            Err(_) => assert!(bytes.len() > MAX_CONTENT),
        },
        _ => match pad_block(bytes, &mut block) {
            Ok(()) => assert_eq!(unpad_block(&block), Ok(bytes)),
            Err(_) => assert!(bytes.len() > MAX_PLAIN_CONTENT),
        },
    }
}

fn fill(block: &mut Block, bytes: &[u8]) {
    let used = bytes.len().min(BLOCK_SIZE);
    block[..used].copy_from_slice(&bytes[..used]);
}

/// Contents of blocks, and a block of each kind.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let contents = vectors.bytes("transmissions", &["server_reads", "client_reads"], "block_content");
    let mut seeds: Vec<_> = (0..4).flat_map(|way| with_first(way, contents.clone())).collect();
    seeds.push([&[1], &[0x3f, 0xfe][..], &[b'#'; MAX_PLAIN_CONTENT]].concat());
    seeds.push([&[0], &[0; BLOCK_SIZE][..]].concat());
    seeds
}
