//! Vectors of primitive encodings, and where we differ from the reference implementation.

#![allow(clippy::unwrap_used)]

mod common;

use std::borrow::Cow;
use std::fmt::Debug;

use common::{assert_bytes, bytes, flag, number, optional, ramp, text, version, version_range};
use serde_json::Value;
use smp_crypto::{base64url, padding};
use smp_protocol::address::RelayAddress;
use smp_protocol::encoding::{
    Decode, Encode, LargeString, Latin1Text, List, NonEmpty, ShortString, ShortText, Tail, TextDecode,
    TextEncode, TextReader, UnixSeconds, UtcTime, from_bytes, from_text, to_bytes, to_text,
};
use smp_protocol::error::ErrorType;
use smp_protocol::version::{SmpVersion, VersionRange};

/// Inputs that we refuse and the reference implementation does not: see the table in `smp_protocol::encoding`.
const DIFFERENT: &[&str] = &[
    "short_string_256_bytes",
    "large_string_65536_bytes",
    "list_256",
    "string_error_texts",
    "accepted_text_word16_overflow",
    "accepted_text_version_range_overflow",
];

#[test]
fn vectors() {
    let mut different = Vec::new();
    common::run("primitives.json", |kind, case| {
        let name = text(&case["name"]);
        if DIFFERENT.contains(&name) {
            different.push(name.to_owned());
            return difference(name, case);
        }
        match kind {
            "both_encodings" => both(case),
            "binary" => binary_case(case),
            "binary_encode_only" => {
                // All others are differences.
                assert_eq!(name, "system_time_drops_nanoseconds");
                let value = &case["value"];
                let nanoseconds = u32::try_from(number(&value["nanoseconds"])).unwrap();
                let time = std::time::UNIX_EPOCH
                    + std::time::Duration::new(number(&value["seconds"]) as u64, nanoseconds);
                both_of(case, UnixSeconds::from(time));
            }
            "text" => text_case(case),
            "text_decode" => text_decode(case),
            "binary_refused" => binary_refused(case),
            "text_refused" => text_refused(case),
            "version_negotiation" => negotiation(case),
            "pad" => pad(case),
            "unpad" => {
                let input = bytes(&case["input"]);
                match padding::unpad(&input) {
                    Ok(content) => assert_bytes(content, &case["result"]["ok"]),
                    Err(_) => assert_eq!(text(&case["result"]["error"]), "CryptoInvalidMsgError"),
                }
            }
            other => panic!("unknown kind {other}"),
        }
    });
    assert_eq!(different, DIFFERENT);
}

fn binary_of<'a, T: Encode + Decode<'a> + PartialEq + Debug>(encoded: &'a [u8], value: T) {
    assert_eq!(hex::encode(to_bytes(&value)), hex::encode(encoded));
    assert_eq!(from_bytes(encoded), Ok(value));
}

fn text_of<T: TextEncode + TextDecode + PartialEq + Debug>(encoded: &Value, value: T) {
    assert_eq!(to_text(&value), text(encoded));
    assert_eq!(from_text(text(encoded)), Ok(value));
}

fn both_of<T>(case: &Value, value: T)
where
    T: Copy + Encode + for<'a> Decode<'a> + TextEncode + TextDecode + PartialEq + Debug,
{
    binary_of(&bytes(&case["smp_encoded"]), value);
    text_of(&case["str_encoded"], value);
}

fn both(case: &Value) {
    let value = &case["value"];
    match text(&case["type"]) {
        "word16" => both_of(case, word16(value)),
        "word32" => both_of(case, u32::try_from(number(value)).unwrap()),
        "int64" => both_of(case, number(value)),
        "bool" => both_of(case, flag(value)),
        "system time (seconds)" => both_of(case, UnixSeconds(number(value))),
        "version" => both_of(case, version(value)),
        "version range" => both_of(case, version_range(value)),
        other => panic!("unknown type {other}"),
    }
}

fn word16(value: &Value) -> u16 {
    u16::try_from(number(value)).unwrap()
}

fn words(value: &Value) -> Vec<u16> {
    value.as_array().unwrap().iter().map(word16).collect()
}

fn short(value: &Value) -> ShortString<'static> {
    ShortString::new(bytes(value)).unwrap()
}

fn binary_case(case: &Value) {
    let value = &case["value"];
    // Long encodings are given by digest: then they are compared with that, and read back.
    let computed = match text(&case["type"]) {
        "large string" => {
            let value = LargeString::new(bytes(value)).unwrap();
            let encoded = to_bytes(&value);
            assert_bytes(&encoded, &case["smp_encoded"]);
            encoded
        }
        _ => bytes(&case["smp_encoded"]),
    };
    let encoded = &computed[..];
    match text(&case["type"]) {
        "char (one byte)" => binary_of(encoded, u8::try_from(number(value)).unwrap()),
        "maybe word16" => binary_of(encoded, optional(value, word16)),
        "maybe short string" => binary_of(encoded, optional(value, short)),
        "maybe bool" => binary_of(encoded, optional(value, flag)),
        "maybe maybe word16" => match text(value) {
            "some(none)" => binary_of(encoded, Some(None::<u16>)),
            "some(some(7))" => binary_of(encoded, Some(Some(7u16))),
            other => panic!("unknown value {other}"),
        },
        "maybe non-empty list of word16" => {
            binary_of(encoded, optional(value, |value| NonEmpty::new(words(value)).unwrap()));
        }
        "short string" => binary_of(encoded, short(value)),
        "large string" => binary_of(encoded, LargeString::new(bytes(value)).unwrap()),
        "tail (rest of the input, no length)" => binary_of(encoded, Tail(Cow::Owned(bytes(value)))),
        "non-empty list of word16" => binary_of(encoded, NonEmpty::new(words(value)).unwrap()),
        "non-empty list of short strings" => {
            let items = value.as_array().unwrap().iter().map(short).collect();
            binary_of(encoded, NonEmpty::new(items).unwrap());
        }
        "non-empty list of 255 bools, alternating true, false .." => {
            assert_eq!(text(value), "255 items");
            binary_of(encoded, NonEmpty::new((0..255).map(|i| i % 2 == 0).collect()).unwrap());
        }
        "list of word16 (may be empty)" => binary_of(encoded, List::new(words(value)).unwrap()),
        "(word16, short string)" => binary_of(encoded, (word16(&value[0]), short(&value[1]))),
        "(bool, int64, maybe word16)" => {
            binary_of(encoded, (flag(&value[0]), number(&value[1]), optional(&value[2], word16)));
        }
        "(word16 x 8)" => {
            let w = words(value);
            assert_eq!(w.len(), 8);
            binary_of(encoded, (w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]));
        }
        "short string with UTF-8 text" => binary_of(encoded, ShortText::new(text(value)).unwrap()),
        other => panic!("unknown type {other}"),
    }
}

fn text_case(case: &Value) {
    let (value, encoded) = (&case["value"], &case["str_encoded"]);
    match text(&case["type"]) {
        "byte string" => {
            assert_eq!(base64url::encode(&bytes(value)), text(encoded));
            assert_eq!(base64url::decode(text(encoded)).unwrap(), bytes(value));
        }
        "non-empty list of word16" => text_of(encoded, NonEmpty::new(words(value)).unwrap()),
        "(word16, bool)" => text_of(encoded, (word16(&value[0]), flag(&value[1]))),
        "maybe word16" => text_of(encoded, optional(value, word16)),
        "int" => text_of(encoded, number(value)),
        "text without spaces" => {
            // Text stands for itself; it ends at white space.
            assert_eq!(text(value), text(encoded));
            let followed = format!("{} x", text(encoded));
            let word = TextReader::new(followed.as_bytes()).take_while(|b| b != b' ' && b != b'\n');
            assert_eq!(word, text(value).as_bytes());
        }
        "UTC time" => text_of(encoded, UtcTime::new(number(value), 0).unwrap()),
        "UTC time with nanoseconds 123456789" => {
            text_of(encoded, UtcTime::new(number(value), 123_456_789).unwrap());
        }
        other => panic!("unknown type {other}"),
    }
}

fn text_decode(case: &Value) {
    match text(&case["type"]) {
        "word16" => assert_eq!(from_text(text(&case["input"])), Ok(word16(&case["str_decode"]["ok"]))),
        "version range" => {
            let expected = version_range(&case["str_decode"]["ok"]);
            assert_eq!(from_text(text(&case["input"])), Ok(expected));
        }
        "byte string" => {
            let input = match case.get("input_hex") {
                Some(input) => bytes(input),
                None => text(&case["input"]).as_bytes().to_vec(),
            };
            let whole = base64url::decode(&input).ok();
            assert_eq!(whole.map(hex::encode), optional_ok(&case["str_decode"]));
            let mut reader = TextReader::new(&input);
            let inside = reader.base64url().ok().filter(|_| reader.finish().is_ok());
            assert_eq!(inside.map(hex::encode), optional_ok(&case["parser"]));
        }
        other => panic!("unknown type {other}"),
    }
}

fn optional_ok(result: &Value) -> Option<String> {
    assert_eq!(result.get("ok").is_some(), result.get("error").is_none());
    result.get("ok").map(|ok| text(ok).to_owned())
}

fn binary_refused(case: &Value) {
    let input = bytes(&case["input"]);
    assert!(case["error"].is_string());
    let refused = match text(&case["type"]) {
        "word16" => from_bytes::<u16>(&input).is_err(),
        "word32" => from_bytes::<u32>(&input).is_err(),
        "int64" => from_bytes::<i64>(&input).is_err(),
        "bool" => from_bytes::<bool>(&input).is_err(),
        "maybe word16" => from_bytes::<Option<u16>>(&input).is_err(),
        "short string" => from_bytes::<ShortString<'_>>(&input).is_err(),
        "non-empty list of word16" => from_bytes::<NonEmpty<u16>>(&input).is_err(),
        "short string with UTF-8 text" => from_bytes::<ShortText<'_>>(&input).is_err(),
        "version range" => from_bytes::<VersionRange<SmpVersion>>(&input).is_err(),
        "version" => from_bytes::<SmpVersion>(&input).is_err(),
        other => panic!("unknown type {other}"),
    };
    assert!(refused, "{}", case["name"]);
}

fn text_refused(case: &Value) {
    let input = text(&case["input"]);
    assert!(case["error"].is_string());
    let refused = match text(&case["type"]) {
        "word16" => from_text::<u16>(input).is_err(),
        "bool" => from_text::<bool>(input).is_err(),
        "version" => from_text::<SmpVersion>(input).is_err(),
        "version range" => from_text::<VersionRange<SmpVersion>>(input).is_err(),
        "non-empty list of word16" => from_text::<NonEmpty<u16>>(input).is_err(),
        other => panic!("unknown type {other}"),
    };
    assert!(refused, "{}", case["name"]);
}

fn negotiation(case: &Value) {
    let (own, peer) = (version_range(&case["own_range"]), version_range(&case["peer_range"]));
    assert_eq!(own.compatible(&peer), optional(&case["compatible_version"], version));
    assert_eq!(peer.compatible(&own), own.compatible(&peer));
    assert_eq!(own.intersect(&peer), optional(&case["intersection"], version_range));
    assert_eq!(own.capped(peer.max()), optional(&case["own_range_capped_by_peer_max"], version_range));
}

fn pad(case: &Value) {
    let content = bytes(&case["input"]);
    // A negative length is as good as one that is too small.
    let padded_length = usize::try_from(number(&case["padded_length"])).unwrap_or(0);
    match padding::pad(&content, padded_length) {
        Ok(padded) => {
            assert_bytes(&padded, &case["result"]["ok"]);
            assert_eq!(padding::unpad(&padded), Ok(&content[..]));
        }
        Err(_) => assert_eq!(text(&case["result"]["error"]), "CryptoLargeMsgError"),
    }
}

/// The recorded behaviour is still checked to be what the table says; then that we refuse.
fn difference(name: &str, case: &Value) {
    match name {
        "short_string_256_bytes" => {
            let value = bytes(&case["value"]);
            assert_bytes(&[vec![0], value.clone()].concat(), &case["smp_encoded"]);
            assert!(ShortString::new(value).is_err());
        }
        "large_string_65536_bytes" => {
            let value = bytes(&case["value"]);
            assert_bytes(&[vec![0, 0], value.clone()].concat(), &case["smp_encoded"]);
            assert!(LargeString::new(value).is_err());
        }
        "list_256" => {
            assert_eq!(text(&case["value"]), "256 items");
            assert_bytes(&[vec![0], vec![b'T'; 256]].concat(), &case["smp_encoded"]);
            assert!(List::new(vec![true; 256]).is_err());
            assert!(NonEmpty::new(vec![true; 256]).is_none());
        }
        "string_error_texts" => {
            let value = text(&case["value"]);
            let low_bits: Vec<u8> = value.chars().map(|c| u32::from(c) as u8).collect();
            assert_bytes(&[vec![low_bits.len() as u8], low_bits].concat(), &case["smp_encoded"]);
            assert!(Latin1Text::new(value).is_err());
            assert!(Latin1Text::new(&"x".repeat(256)).is_err());
            assert_eq!(Latin1Text::lossy(value).to_string(), value.replace('€', "?"));
        }
        "accepted_text_word16_overflow" => {
            assert_eq!(number(&case["str_decode"]["ok"]), 65537 % 65536);
            assert_eq!(text(&case["input"]), "65537");
            assert!(from_text::<u16>("65537").is_err());
        }
        "accepted_text_version_range_overflow" => {
            assert_eq!(case["str_decode"]["ok"], serde_json::json!([1, 4]));
            assert_eq!(text(&case["input"]), "65537-65540");
            assert!(from_text::<VersionRange<SmpVersion>>("65537-65540").is_err());
        }
        other => panic!("unknown difference {other}"),
    }
}

/// The rows of the table for which this file has no vector.
#[test]
fn other_differences() {
    let fingerprint = base64url::encode(&ramp(32));
    let address = |host: &str| format!("smp://{fingerprint}@{host}").parse::<RelayAddress>();
    assert!(address("192.0.2.44").is_ok());
    assert!(address("192.0.2.300").is_err());
    assert!(address("example.com:65535").is_ok());
    assert!(address("example.com:65536").is_err());
    for length in [0, 2, 31, 33] {
        let fingerprint = base64url::encode(&ramp(length));
        assert!(format!("smp://{fingerprint}@example.com").parse::<RelayAddress>().is_err());
    }
    let nested = |depth: usize| format!("{}AUTH", "PROXY PROTOCOL ".repeat(depth)).into_bytes();
    let read = |bytes: &[u8]| ErrorType::decode(&mut smp_protocol::encoding::Reader::new(bytes));
    assert_eq!(read(&nested(16)).unwrap().to_string().into_bytes(), nested(16));
    assert!(read(&nested(17)).is_err());
    assert!(read(&nested(100_000)).is_err());
}
