//! Relay addresses.

use serde_json::Value;
use smp_protocol::address::{Password, RelayAddress};
use smp_protocol::encoding::{DecodeError, from_bytes, from_text, to_bytes, to_text};

use crate::agent_support::values::{hosts, port, relay};
use crate::agent_support::{array, bytes, check_fields, fields, optional, result, text};

/// Where we refuse what the reference reads; the reasons are in chapter `1-primitives.md`.
const REFUSED_BY_US: [(&str, DecodeError); 5] = [
    ("server_read_ipv4_three_numbers", DecodeError::Invalid("host")),
    ("server_read_short_hash", DecodeError::Invalid("fingerprint")),
    ("server_read_port_too_large", DecodeError::Invalid("number over 65535")),
    ("server_read_ipv4_number_over_255", DecodeError::Invalid("host")),
    ("server_read_ipv4_last_number_over_255", DecodeError::Invalid("host")),
];

fn with_password(server: &Value, password: &Value) -> RelayAddress {
    let password = optional(password, |password| Password::new(&latin1(&bytes(password))).unwrap());
    RelayAddress { password, ..relay(server) }
}

pub(crate) fn written(case: &Value) {
    check_fields(case, &["server", "password", "str_encoded", "parsed_back", "smp_encoded"], &[]);
    let address = with_password(&case["server"], &case["password"]);
    assert_eq!(to_text(&address), text(&case["str_encoded"]));
    let read: RelayAddress = from_text(text(&case["str_encoded"])).unwrap();
    if case["parsed_back"] == "same" {
        assert_eq!(read, address);
    } else {
        let [server, password] = fields(&case["parsed_back"], ["server", "password"]);
        assert_eq!(read, with_password(server, password));
        assert_ne!(read, address);
    }
    assert_eq!(hex::encode(to_bytes(&address)), text(&case["smp_encoded"]));
    assert_eq!(from_bytes(&bytes(&case["smp_encoded"])), Ok(address.without_password()));
}

pub(crate) fn read(case: &Value) {
    check_fields(case, &["input", "result", "without_password"], &[]);
    let ours = from_text::<RelayAddress>(text(&case["input"]));
    let reference = result(&case["result"]);
    if let Some((_, error)) = REFUSED_BY_US.iter().find(|(name, _)| *name == text(&case["name"])) {
        assert!(reference.is_ok());
        assert_eq!(ours.unwrap_err(), *error);
        return;
    }
    match reference {
        // An onion host in another case is read, so that nothing takes it for a name of another kind.
        Err(_) if text(&case["name"]) == "server_read_upper_onion" => {
            assert!(ours.unwrap().hosts.first().is_onion());
        }
        Err(error) => {
            let (reference, expected) = expected_refusal(text(&case["name"]));
            assert_eq!(error, reference);
            assert_eq!(ours.unwrap_err(), expected);
            assert_eq!(result(&case["without_password"]), Err(error));
        }
        Ok(expected) => {
            let [server, password] = fields(expected, ["server", "password"]);
            let address = with_password(server, password);
            assert_eq!(ours, Ok(address.clone()));
            // The other reader only differs in refusing passwords.
            match result(&case["without_password"]) {
                Ok(server) => {
                    let [hosts_, port_, hash] = fields(server, ["hosts", "port", "key_hash"]);
                    assert_eq!(address.password, None);
                    assert_eq!(
                        (address.hosts, address.port, address.fingerprint),
                        (hosts(hosts_), port(port_), array(hash))
                    );
                }
                Err(error) => {
                    assert_eq!(error, "Failed reading: ProtocolServer with basic auth not allowed");
                    assert!(address.password.is_some());
                }
            }
        }
    }
}

/// The reference's words for a refused address, and our error.
fn expected_refusal(name: &str) -> (&'static str, DecodeError) {
    const TRAILING: (&str, DecodeError) = ("endOfInput", DecodeError::TrailingBytes);
    match name.strip_prefix("server_read_").unwrap() {
        "no_hash" => ("Failed reading: takeWhile1", DecodeError::Invalid("base64url text")),
        "password_with_colon" | "empty_password" => {
            ("@: Failed reading: satisfyWith", DecodeError::Invalid("password"))
        }
        "other_protocol" | "upper_scheme" => {
            ("Failed reading: bad ProtocolType", DecodeError::Invalid("scheme of a relay address"))
        }
        "port_not_number" => ("endOfInput", DecodeError::Invalid("number")),
        // A number alone is no name of a host.
        "ipv6_no_brackets_port" => ("endOfInput", DecodeError::Invalid("host")),
        "ipv6_zone" => ("endOfInput", DecodeError::Invalid("host")),
        "bad_onion" => ("Failed reading: empty", DecodeError::Invalid("host")),
        "ipv4_like_domain" | "two_hosts_comma_space" | "trailing_comma" | "trailing_slash" => TRAILING,
        other => panic!("unknown refusal {other}"),
    }
}

/// Passwords are recorded as bytes, one for each character.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
