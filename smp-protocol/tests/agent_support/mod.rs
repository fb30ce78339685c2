//! Values and errors of the agent as they stand in the vectors.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test uses a part")]

pub mod values;

use smp_protocol::encoding::DecodeError;
pub use smp_vectors::{
    array, assert_bytes, bytes, check_fields, fields, list, number, optional, ramp, result, run, text,
};

/// Our decoder's error where the reference's says this. Its texts are informative, but stable for one kind of damage.
pub fn assert_same_error(ours: DecodeError, reference: &str) {
    let expected: &[DecodeError] = match reference {
        "not enough input" => &[DecodeError::UnexpectedEnd],
        "endOfInput" => &[DecodeError::TrailingBytes],
        "Failed reading: bad AgentMsgEnvelope" => &[DecodeError::Invalid("kind of agent envelope")],
        "Failed reading: invalid Maybe tag" => &[DecodeError::Invalid("tag of an optional value")],
        "Failed reading: bad AgentMessage" => &[DecodeError::Invalid("kind of agent message")],
        "Failed reading: bad AMsgType" => &[DecodeError::Invalid("type of message")],
        "Failed reading: empty list" => &[DecodeError::Invalid("empty list")],
        "Failed reading: invalid Bool" => &[DecodeError::Invalid("flag")],
        "Failed reading: bad ratchet KEM params" => &[DecodeError::Invalid("KEM parameters")],
        "Failed reading: bad ratchet KEM state" => {
            &[DecodeError::Invalid("KEM parameters: unexpected ciphertext")]
        }
        "Failed reading: bad algorithm"
        | "Failed reading: bad e2e params: different key algorithms"
        | "Failed reading: Failed reading: Failed reading: key does not support DH algorithms" => {
            &[DecodeError::Invalid("X448 key"), DecodeError::Invalid("key")]
        }
        "Failed reading: bad e2e params" => &[DecodeError::Invalid("number of X448 keys")],
        "Failed reading: Failed reading: bad connection request mode" => {
            &[DecodeError::Invalid("kind of link")]
        }
        "Failed reading: string" => &[DecodeError::Invalid("kind of link")],
        "Failed reading: invalid version range" => &[DecodeError::Invalid("version range")],
        "Failed reading: bad connection mode" => &[DecodeError::Invalid("kind of connection request")],
        "Failed reading: no qs param v" | "Failed reading: no qs param x3dh" => {
            &[DecodeError::Invalid("query without a required parameter")]
        }
        "Failed reading: endOfInput" => &[DecodeError::Invalid("base64url text")],
        other => panic!("unknown error of the reference: {other}"),
    };
    assert!(expected.contains(&ours), "{ours:?} where the reference says {reference}");
}
