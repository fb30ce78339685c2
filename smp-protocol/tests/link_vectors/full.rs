//! Full links.

use serde_json::Value;
use smp_protocol::agent::{AnyKem, ProposedKem, RatchetParametersUri};
use smp_protocol::encoding::{DecodeError, from_bytes, from_text, to_bytes, to_text};
use smp_protocol::link::{ConnectionRequest, LinkError, LinkScheme};

use crate::agent_support::values::{connection_request, ratchet_uri};
use crate::agent_support::{assert_same_error, bytes, check_fields, result, text};

pub(crate) fn ratchet_parameters(case: &Value) {
    check_fields(case, &["value", "str_encoded", "smp_encoded"], &["parsed_back"]);
    let parameters: RatchetParametersUri<AnyKem> = ratchet_uri(&case["value"]);
    assert_eq!(to_text(&parameters), text(&case["str_encoded"]));
    assert_eq!(hex::encode(to_bytes(&parameters)), text(&case["smp_encoded"]));
    let expected = ratchet_uri(case.get("parsed_back").unwrap_or(&case["value"]));
    assert_eq!(from_text(text(&case["str_encoded"])), Ok::<RatchetParametersUri<AnyKem>, _>(expected));
    assert_eq!(from_bytes(&bytes(&case["smp_encoded"])), Ok(parameters));
}

pub(crate) fn ratchet_parameters_read(case: &Value) {
    check_fields(case, &["input", "result"], &[]);
    let ours = from_text::<RatchetParametersUri<ProposedKem>>(text(&case["input"]));
    // A KEM key of a wrong size is refused here; the reason is in chapter 6-agent.md.
    if case["name"] == "e2e_uri_read_kem_key_short" {
        assert!(result(&case["result"]).is_ok());
        assert_eq!(ours.unwrap_err(), DecodeError::Invalid("KEM public key"));
        return;
    }
    match result(&case["result"]) {
        Ok(expected) => assert_eq!(ours, Ok(ratchet_uri(expected))),
        Err(reference) => assert_same_error(ours.unwrap_err(), reference),
    }
}

pub(crate) fn connection_request_written(case: &Value) {
    let optional = ["str_parsed_back", "str_parsed_back_keeping_scheme", "smp_parsed_back"];
    check_fields(case, &["value", "str_encoded", "smp_encoded"], &optional);
    let value = &case["value"];
    let parsed_back = |name: &str| connection_request(case.get(name).unwrap_or(value));
    let (scheme, request) = connection_request(value);
    let uri = text(&case["str_encoded"]);
    assert_eq!(request.to_uri(&scheme), uri);
    assert_eq!(ConnectionRequest::from_uri(uri), Ok(parsed_back("str_parsed_back_keeping_scheme")));
    // Our ordinary reader has no scheme in its result; the reference's always says simplex.
    let (ordinary_scheme, ordinary) = parsed_back("str_parsed_back");
    assert_eq!(ordinary_scheme, LinkScheme::Simplex);
    assert_eq!(uri.parse(), Ok(ordinary));
    assert_eq!(hex::encode(to_bytes(&request)), text(&case["smp_encoded"]));
    let (binary_scheme, binary) = parsed_back("smp_parsed_back");
    assert_eq!(binary_scheme, LinkScheme::Simplex);
    assert_eq!(from_bytes(&bytes(&case["smp_encoded"])), Ok(binary));
}

pub(crate) fn connection_request_read(case: &Value) {
    check_fields(case, &["input", "result", "result_keeping_scheme"], &[]);
    let uri = text(&case["input"]);
    let ours = ConnectionRequest::from_uri(uri);
    match (result(&case["result"]), result(&case["result_keeping_scheme"])) {
        (Ok(ordinary), Ok(keeping)) => {
            assert_eq!(ours, Ok(connection_request(keeping)));
            let (scheme, ordinary) = connection_request(ordinary);
            assert_eq!(scheme, LinkScheme::Simplex);
            assert_eq!(uri.parse(), Ok(ordinary));
        }
        (Err(error), Err(same)) => {
            assert_eq!(error, same);
            assert!(text(&case["name"]).contains("refused_"));
            let (reference, expected) = expected_refusal(text(&case["name"]));
            assert_eq!(error, reference);
            assert_eq!(ours, Err(expected));
            assert_eq!(uri.parse::<ConnectionRequest>(), Err(expected));
        }
        other => panic!("{other:?}"),
    }
}

/// The reference's words for a refused link, and our error.
fn expected_refusal(name: &str) -> (&'static str, LinkError) {
    let damaged = |part, error| LinkError::Damaged { part, error };
    let queue = |error| damaged("queue address", error);
    const THREE: &str = "Failed reading: Failed reading: Failed reading: takeWhile1";
    match name.strip_prefix("connection_request_read_refused_").unwrap() {
        "empty" => ("not enough input", LinkError::NotALink),
        "scheme" | "upper_scheme" | "leading_space" => ("string", LinkError::NotALink),
        "no_slash" => ("/: Failed reading: satisfyWith", LinkError::NotALink),
        "unknown_kind" => ("string", LinkError::UnknownKind),
        "no_hash" | "hash_question" => ("string", LinkError::Missing("parameters")),
        "no_version" => ("Failed reading: no qs param v", LinkError::Missing("version range")),
        "bad_version" => (
            "Failed reading: Failed reading: takeWhile1",
            damaged("version range", DecodeError::Invalid("number")),
        ),
        "reversed_version" => (
            "Failed reading: Failed reading: invalid version range",
            damaged("version range", DecodeError::Invalid("version range")),
        ),
        "no_queue" => ("Failed reading: no qs param smp", LinkError::Missing("queue address")),
        "empty_queue" => (
            "Failed reading: Failed reading: Failed reading: bad ProtocolType",
            queue(DecodeError::Invalid("scheme of a relay address")),
        ),
        "bad_second_queue" => ("Failed reading: endOfInput", queue(DecodeError::Invalid("base64url text"))),
        "trailing_semicolon" => {
            ("Failed reading: endOfInput", queue(DecodeError::Invalid("scheme of a relay address")))
        }
        "no_e2e" => ("Failed reading: no qs param e2e", LinkError::Missing("keys")),
        "bad_e2e" => (
            "Failed reading: Failed reading: no qs param v",
            damaged("keys", DecodeError::Invalid("query without a required parameter")),
        ),
        "trailing_space" | "trailing_newline" => ("endOfInput", LinkError::Trailing),
        "queue_without_key" | "queue_without_version" => {
            (THREE, queue(DecodeError::Invalid("query without a required parameter")))
        }
        "queue_ed25519_key" => (THREE, queue(DecodeError::Invalid("X25519 key"))),
        "queue_with_password" => (
            "Failed reading: Failed reading: Failed reading: ProtocolServer with basic auth not allowed",
            queue(DecodeError::Invalid("relay address with a password in a link")),
        ),
        "queue_empty_sender_id" => (THREE, queue(DecodeError::Invalid("base64url text"))),
        other => panic!("unknown refusal {other}"),
    }
}

pub(crate) fn connection_request_binary_read(case: &Value) {
    check_fields(case, &["input", "result"], &[]);
    let ours = from_bytes::<ConnectionRequest>(&bytes(&case["input"]));
    assert_same_error(ours.unwrap_err(), result(&case["result"]).unwrap_err());
}
