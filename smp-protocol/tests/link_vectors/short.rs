//! Short links, and links of any kind.

use serde_json::Value;
use smp_crypto::link_kdf::LinkKey;
use smp_protocol::encoding::{DecodeError, from_bytes, to_bytes};
use smp_protocol::id::LinkId;
use smp_protocol::link::{
    ConnectionLink, ContactKind, ContactShortLink, InvitationShortLink, LinkError, LinkScheme, ShortLink,
    ShortLinkRelay, ShortLinkScheme,
};

use crate::agent_support::values::{connection_request, hosts, port};
use crate::agent_support::{array, bytes, check_fields, fields, result, text};

fn relay(value: &Value) -> ShortLinkRelay {
    let [hosts_, port_, hash] = fields(value, ["hosts", "port", "key_hash"]);
    ShortLinkRelay { hosts: hosts(hosts_), port: port(port_), fingerprint: (hash != "").then(|| array(hash)) }
}

pub(crate) fn short_link(value: &Value) -> (ShortLinkScheme, ShortLink) {
    let scheme = match text(&value["scheme"]) {
        "simplex" => ShortLinkScheme::Simplex,
        "https" => ShortLinkScheme::Https,
        other => panic!("unknown scheme {other}"),
    };
    let key = |value| LinkKey::from_bytes(array(value));
    let link = match text(&value["mode"]) {
        "invitation" => {
            let [.., relay_, link_id, link_key] =
                fields(value, ["mode", "scheme", "server", "link_id", "link_key"]);
            let link_id = LinkId::new(&bytes(link_id)).unwrap();
            ShortLink::Invitation(InvitationShortLink {
                relay: relay(relay_),
                link_id,
                link_key: key(link_key),
            })
        }
        "contact" => {
            let [.., kind, relay_, link_key] =
                fields(value, ["mode", "scheme", "contact_type", "server", "link_key"]);
            let kind = match text(kind) {
                "contact" => ContactKind::Contact,
                "channel" => ContactKind::Channel,
                "group" => ContactKind::Group,
                "relay" => ContactKind::Relay,
                other => panic!("unknown kind {other}"),
            };
            ShortLink::Contact(ContactShortLink { kind, relay: relay(relay_), link_key: key(link_key) })
        }
        other => panic!("unknown mode {other}"),
    };
    (scheme, link)
}

pub(crate) fn written(case: &Value) {
    check_fields(case, &["value", "str_encoded", "smp_encoded"], &["smp_parsed_back"]);
    let (scheme, link) = short_link(&case["value"]);
    let uri = text(&case["str_encoded"]);
    assert_eq!(link.to_uri(scheme), uri);
    assert_eq!(ShortLink::from_uri(uri), Ok((scheme, link.clone())));
    assert_eq!(hex::encode(to_bytes(&link)), text(&case["smp_encoded"]));
    // The binary form has no scheme; the reference's reader says https.
    let (binary_scheme, binary) = short_link(case.get("smp_parsed_back").unwrap_or(&case["value"]));
    assert_eq!(binary_scheme, ShortLinkScheme::default());
    assert_eq!(from_bytes(&bytes(&case["smp_encoded"])), Ok(binary));
}

pub(crate) fn read(case: &Value) {
    check_fields(case, &["input", "result"], &[]);
    let ours = ShortLink::from_uri(text(&case["input"]));
    let reference = result(&case["result"]);
    // Where we refuse what the reference reads; the reasons are in chapter 8-links.md.
    let damaged = |part, error| Err(LinkError::Damaged { part, error });
    let difference = match text(&case["name"]) {
        "short_link_read_short_key" => Some(damaged("link key", DecodeError::Invalid("length"))),
        "short_link_read_port_over" => Some(damaged("relay port", DecodeError::Invalid("number over 65535"))),
        _ => None,
    };
    if let Some(expected) = difference {
        assert!(reference.is_ok());
        assert_eq!(ours, expected);
        return;
    }
    match reference {
        Ok(expected) => assert_eq!(ours, Ok(short_link(expected))),
        Err(error) => {
            let (reference, expected) = expected_refusal(text(&case["name"]));
            assert_eq!(error, reference);
            assert_eq!(ours, Err(expected));
        }
    }
}

/// The reference's words for a refused link, and our error.
fn expected_refusal(name: &str) -> (&'static str, LinkError) {
    let damaged = |part, error| LinkError::Damaged { part, error };
    let base64url = DecodeError::Invalid("base64url text");
    match name.strip_prefix("short_link_read_refused_").unwrap() {
        "empty" | "http" => ("Failed reading: bad short link scheme", LinkError::NotALink),
        "no_server" | "no_host_param" => {
            ("Failed reading: short link without server", LinkError::Missing("relay host"))
        }
        "unknown_type" | "upper_invitation" => {
            ("Failed reading: unknown short link type", LinkError::UnknownKind)
        }
        "long_type" => ("#: Failed reading: satisfyWith", LinkError::UnknownKind),
        "host_with_port" => ("/: Failed reading: satisfyWith", LinkError::NotALink),
        "no_key" => ("not enough input", LinkError::Missing("link key")),
        "bad_key" | "hash_slash_question" => ("Failed reading: takeWhile1", damaged("link key", base64url)),
        "invitation_no_id" => ("/: not enough input", LinkError::Missing("link key")),
        "invitation_empty_id" => ("Failed reading: takeWhile1", damaged("link ID", base64url)),
        // The ID is read as the key, and has another length.
        "contact_with_id" => ("endOfInput", damaged("link key", DecodeError::Invalid("length"))),
        "trailing_space" => ("endOfInput", LinkError::Trailing),
        "bad_port" => ("Failed reading: endOfInput", damaged("relay port", DecodeError::Invalid("number"))),
        "bad_hash" => ("Failed reading: endOfInput", damaged("relay fingerprint", base64url)),
        other => panic!("unknown refusal {other}"),
    }
}

pub(crate) fn any_link_read(case: &Value) {
    check_fields(case, &["input", "result"], &[]);
    let ours: Result<ConnectionLink, LinkError> = text(&case["input"]).parse();
    match result(&case["result"]) {
        Err(error) => {
            assert_eq!(error, "Failed reading: unknown short link type");
            assert_eq!(ours, Err(LinkError::UnknownKind));
        }
        Ok(expected) if expected.get("short").is_some() => {
            let (scheme, link) = short_link(fields(expected, ["short"])[0]);
            assert_eq!(link.to_uri(scheme), text(&case["input"]));
            assert_eq!(ours, Ok(ConnectionLink::Short(link)));
        }
        Ok(expected) => {
            let (scheme, request) = connection_request(fields(expected, ["full"])[0]);
            assert_eq!(scheme, LinkScheme::Simplex);
            assert_eq!(ours, Ok(ConnectionLink::Full(request)));
        }
    }
}
