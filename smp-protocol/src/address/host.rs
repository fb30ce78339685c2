//! Host names as they stand in addresses.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::encoding::{
    Decode, DecodeError, Encode, MAX_ITEMS, MAX_SHORT_STRING, NonEmpty, Reader, TextDecode, TextEncode,
    TextReader, from_text_bytes, to_text,
};

/// A name of at most 255 bytes that can stand in an address. Built by reading a [`Host`].
///
/// Source: section 1.10 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a relay can be reached.
///
/// Source: section 1.10 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address. It is written without brackets and read with or without, as in the reference implementation:
    /// followed by a port it can only be read with brackets, which the `Display` of a
    /// [`RelayAddress`](super::RelayAddress) adds there.
    Ipv6(Ipv6Addr),
    /// A Tor onion host: lower case letters and digits, then `.onion`.
    Onion(HostName),
    /// A name to be resolved.
    Domain(HostName),
}

impl Host {
    /// Whether the host can only be reached through Tor.
    pub fn is_onion(&self) -> bool {
        matches!(self, Host::Onion(_))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ipv4(address) => address.fmt(f),
            Host::Ipv6(address) => address.fmt(f),
            Host::Onion(name) | Host::Domain(name) => f.write_str(&name.0),
        }
    }
}

impl std::str::FromStr for Host {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        from_text_bytes(text.as_bytes())
    }
}

impl TextEncode for Host {
    fn text_encode(&self, out: &mut String) {
        out.push_str(&self.to_string());
    }
}

/// A short string with the text form.
impl Encode for Host {
    fn encode(&self, out: &mut Vec<u8>) {
        let text = to_text(self);
        // Names were checked when they were read, numeric addresses are short.
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    }
}

impl Decode<'_> for Host {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from_text_bytes(input.short()?)
    }
}

impl TextDecode for Host {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        // What begins like one kind and turns out not to be is tried as the next.
        for kind in [ipv4, ipv6, onion, domain] {
            let mut ahead = *input;
            if let Some(host) = kind(&mut ahead) {
                *input = ahead;
                return Ok(host);
            }
        }
        Err(DecodeError::Invalid("host"))
    }
}

fn ipv4(input: &mut TextReader<'_>) -> Option<Host> {
    let mut parts = [0; 4];
    for (index, part) in parts.iter_mut().enumerate() {
        if index > 0 && !input.skip(b".") {
            return None;
        }
        *part = u8::try_from(input.decimal().ok()?).ok()?;
    }
    Some(Host::Ipv4(parts.into()))
}

fn ipv6(input: &mut TextReader<'_>) -> Option<Host> {
    let text = if input.skip(b"[") {
        let text = input.take_while(|b| b != b']');
        input.skip(b"]").then_some(text)?
    } else {
        input.take_while(|b| b.is_ascii_hexdigit() || b == b':')
    };
    std::str::from_utf8(text).ok()?.parse().ok().map(Host::Ipv6)
}

fn onion(input: &mut TextReader<'_>) -> Option<Host> {
    let label = input.take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let label = std::str::from_utf8(label).ok()?;
    input.skip(b".onion").then(|| name(format!("{label}.onion")).map(Host::Onion))?
}

fn domain(input: &mut TextReader<'_>) -> Option<Host> {
    let text = input.take_while(|b| !b":#,;/ \n\r\t[]".contains(&b));
    let text = std::str::from_utf8(text).ok()?;
    // Four numbers are an IPv4 address with a number that is too large, never a name.
    let numeric = text.split('.').count() == 4 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if text.is_empty() || text.ends_with(".onion") || numeric {
        return None;
    }
    name(text.to_owned()).map(Host::Domain)
}

fn name(text: String) -> Option<HostName> {
    (text.len() <= MAX_SHORT_STRING).then_some(HostName(text))
}

/// Hosts separated by commas, without regard to what comes after the last one that can be read.
pub(super) fn decode_hosts(input: &mut TextReader<'_>) -> Result<NonEmpty<Host>, DecodeError> {
    let mut hosts = vec![Host::text_decode(input)?];
    // One host more than allowed shows that there are too many.
    while hosts.len() <= MAX_ITEMS {
        let mut ahead = *input;
        if !ahead.skip(b",") {
            break;
        }
        let Ok(host) = Host::text_decode(&mut ahead) else { break };
        *input = ahead;
        hosts.push(host);
    }
    NonEmpty::new(hosts).ok_or(DecodeError::Invalid("list with more than 255 hosts"))
}
