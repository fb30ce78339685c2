//! Vectors of commands, answers and errors.

#![allow(clippy::unwrap_used)]

mod common;

use common::commands::{command, message};
use common::errors::{error, error_name};
use common::{assert_bytes, bytes, number, text, version};
use serde_json::Value;
use smp_protocol::command::Command;
use smp_protocol::encoding::Reader;
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::SessionId;
use smp_protocol::message::BrokerMessage;
use smp_protocol::session::SessionParameters;
use smp_protocol::transmission::{BlockContent, read_commands};
use smp_protocol::version::SmpVersion;

/// Inputs that we refuse and the reference implementation accepts (see `smp_protocol::encoding`): a port that is no number and a
/// fingerprint that is empty.
const REFUSED_HERE: &[&str] = &["server_reads_prxy_text_port"];

#[test]
fn vectors() {
    let mut refused_here = 0;
    common::run("commands.json", |kind, case| match kind {
        "command" => each_version(case, |version, input, encoded, parsed| {
            assert_bytes(&command(input).to_bytes(version), encoded);
            let bytes = bytes_of(encoded, &command(input).to_bytes(version));
            assert_eq!(Command::decode(&bytes, version), Ok(command(parsed)));
            assert_eq!(Command::decode(&bytes, version).unwrap().into_owned(), command(parsed));
        }),
        "broker_message" => each_version(case, |version, input, encoded, parsed| {
            assert_bytes(&message(input).to_bytes(version), encoded);
            let bytes = bytes_of(encoded, &message(input).to_bytes(version));
            assert_eq!(BrokerMessage::decode(&bytes, version), Ok(message(parsed)));
            assert_eq!(BrokerMessage::decode(&bytes, version).unwrap().into_owned(), message(parsed));
        }),
        "server_parse" if REFUSED_HERE.contains(&text(&case["name"])) => {
            refused_here += 1;
            assert!(case["result"].get("ok").is_some());
            let input = bytes(&case["input"]);
            assert_eq!(Command::decode(&input, version(&case["version"])), Err(CommandError::Syntax));
        }
        "server_parse" => {
            let input = bytes(&case["input"]);
            let actual = Command::decode(&input, version(&case["version"])).map_err(ErrorType::from);
            assert_eq!(actual, result(case, command), "{}", case["name"]);
        }
        "client_parse" => {
            let input = bytes(&case["input"]);
            let actual = BrokerMessage::decode(&input, version(&case["version"])).map_err(ErrorType::from);
            assert_eq!(actual, result(case, message), "{}", case["name"]);
        }
        "command_credentials" => command_credentials(case),
        "broker_message_entity" => {
            let input = bytes(&case["message"]);
            let tag = BrokerMessage::decode(&input, SmpVersion(18)).unwrap().tag();
            assert_eq!(outcome(tag.check_entity(false)), text(&case["no_entity"]));
            assert_eq!(outcome(tag.check_entity(true)), text(&case["entity"]));
        }
        "authorization_size" => authorization_size(case),
        "error_text_form" => {
            let error = error(&case["input"]);
            assert_eq!(error.to_string(), text(&case["str_encoded"]));
            let mut encoded = Vec::new();
            error.encode(SmpVersion(18), &mut encoded);
            assert_bytes(&encoded, &case["smp_encoded"]);
            assert!(ErrorType::decode(&mut Reader::new(&encoded)).is_ok());
        }
        other => panic!("unknown kind {other}"),
    });
    assert_eq!(refused_here, REFUSED_HERE.len());
}

/// Calls `check` with each version, the value, its encoding in this version, and the value that is read from that.
fn each_version(case: &Value, check: impl Fn(SmpVersion, &Value, &Value, &Value)) {
    for form in case["encodings"].as_array().unwrap() {
        let parsed = form.get("parsed_back").unwrap_or(&case["input"]);
        for number in form["versions"].as_array().unwrap() {
            check(version(number), &case["input"], &form["encoded"], parsed);
        }
    }
}

/// The recorded bytes, or those that were compared with the recorded digest.
fn bytes_of(encoded: &Value, compared: &[u8]) -> Vec<u8> {
    if encoded.is_string() { bytes(encoded) } else { compared.to_vec() }
}

fn result<T>(case: &Value, read: impl FnOnce(&Value) -> T) -> Result<T, ErrorType> {
    match case["result"].get("ok") {
        Some(value) => Ok(read(value)),
        None => Err(error_name(text(&case["result"]["error"]))),
    }
}

fn outcome(result: Result<(), CommandError>) -> String {
    result.map_or_else(|error| ErrorType::from(error).to_string(), |()| "ok".to_owned())
}

fn command_credentials(case: &Value) {
    let input = bytes(&case["command"]);
    let tag = Command::decode(&input, SmpVersion(18)).unwrap().tag();
    for (name, authorization, entity) in [
        ("no_auth_no_entity", false, false),
        ("auth_no_entity", true, false),
        ("no_auth_entity", false, true),
        ("auth_entity", true, true),
    ] {
        assert_eq!(outcome(tag.check_credentials(authorization, entity)), text(&case[name]), "{name}");
    }
}

/// `SUB` to some queue with an authorization of this size.
fn authorization_size(case: &Value) {
    let length = u8::try_from(number(&case["length"])).unwrap();
    let session = SessionParameters { version: SmpVersion(18), id: SessionId::from([7; 24]) };
    let mut content = BlockContent::new();
    let written = content.push(|out| {
        out.push(length);
        out.extend(std::iter::repeat_n(b'a', length.into()));
        if length > 0 {
            out.push(b'0');
        }
        out.extend_from_slice(b"\x03cor\x03qidSUB");
    });
    assert_eq!(written, Ok(()));
    let read: Vec<_> = read_commands(content.as_bytes(), &session).collect();
    let [read] = &read[..] else { panic!("{read:?}") };
    match read {
        Ok(_) => assert_eq!("ok", text(&case["result"])),
        Err(refused) => {
            assert_eq!(refused.error.to_string(), text(&case["result"]));
            assert_eq!(refused.correlation_id.as_bytes(), b"cor");
            assert_eq!(refused.entity_id.is_empty(), refused.error == ErrorType::Block);
        }
    }
}
