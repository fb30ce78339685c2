//! Addresses of relays: `smp://<fingerprint>[:<password>]@<host>[,<host>][:<port>]` (chapter `1-primitives.md`).

mod host;
mod password;
mod xftp;

use std::fmt;
use std::str::FromStr;

pub use host::{Host, HostName};
pub use password::Password;
pub use xftp::{DEFAULT_XFTP_PORT, XftpAddress};

use crate::base64url;
use crate::encoding::{
    Decode, DecodeError, Encode, NonEmpty, Reader, TextDecode, TextEncode, TextReader, from_text,
};

/// The port that a relay without a port in its address listens on.
pub const DEFAULT_PORT: u16 = 5223;
/// Bytes in the fingerprint of a relay: a SHA-256.
pub const FINGERPRINT_BYTES: usize = 32;

/// The beginning of an address as text.
const SCHEME: &str = "smp://";

/// How to find a relay and how to recognise it.
///
/// The binary form has no password: see [`RelayAddress::encode`].
///
/// Source: section 1.10 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelayAddress {
    /// SHA-256 of the DER of the relay's identity certificate.
    pub fingerprint: [u8; FINGERPRINT_BYTES],
    /// Where it can be reached; usually one name, or a name and its onion host.
    pub hosts: NonEmpty<Host>,
    /// The TCP port; without one it is [`DEFAULT_PORT`].
    pub port: Option<u16>,
    /// Password that the relay may ask for before it creates queues. Keep it out of texts that are shown to others.
    pub password: Option<Password>,
}

impl RelayAddress {
    /// The port to connect to.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }

    /// The same address with its hosts in their canonical form: what to show and to give to others.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let hosts = NonEmpty::new(self.hosts.iter().map(Host::canonical).collect());
        RelayAddress { hosts: hosts.unwrap_or_else(|| self.hosts.clone()), ..self.clone() }
    }

    /// The same address without the password: what goes into links.
    pub fn without_password(&self) -> Self {
        RelayAddress { password: None, ..self.clone() }
    }

    /// Whether both name the same hosts and port, whatever the fingerprints and passwords are.
    pub fn same_location(&self, other: &Self) -> bool {
        self.hosts == other.hosts && self.port == other.port
    }
}

/// The binary form: hosts, port as text, fingerprint. The password is left out.
impl Encode for RelayAddress {
    fn encode(&self, out: &mut Vec<u8>) {
        self.hosts.encode(out);
        encode_port(self.port, out);
        out.push(FINGERPRINT_BYTES as u8);
        out.extend_from_slice(&self.fingerprint);
    }
}

impl Decode<'_> for RelayAddress {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let hosts = input.read()?;
        let port = decode_port(input)?;
        let fingerprint = to_fingerprint(input.short()?)?;
        Ok(RelayAddress { fingerprint, hosts, port, password: None })
    }
}

/// The bytes that the reference implementation writes. An IPv6 host right before a port cannot be told from it then: for
/// people and links there is [`Display`](fmt::Display).
impl TextEncode for RelayAddress {
    fn text_encode(&self, out: &mut String) {
        self.write_text(SCHEME, out, false);
    }
}

impl RelayAddress {
    /// The text form, which can always be read back, by us and by the reference implementation: an IPv6 host right before a
    /// port stands in brackets.
    pub(crate) fn readable_text(&self, out: &mut String) {
        self.write_readable(SCHEME, out);
    }

    fn write_readable(&self, scheme: &str, out: &mut String) {
        let before_port = self.hosts.as_slice().last().filter(|_| self.port.is_some());
        self.write_text(scheme, out, matches!(before_port, Some(Host::Ipv6(_))));
    }

    fn write_text(&self, scheme: &str, out: &mut String, last_in_brackets: bool) {
        out.push_str(scheme);
        out.push_str(&base64url::encode(&self.fingerprint));
        if let Some(password) = &self.password {
            out.push(':');
            password.text_encode(out);
        }
        out.push('@');
        let hosts = out.len();
        self.hosts.text_encode(out);
        if last_in_brackets {
            let last = out[hosts..].rfind(',').map_or(hosts, |comma| hosts + comma + 1);
            out.insert(last, '[');
            out.push(']');
        }
        if let Some(port) = self.port {
            out.push(':');
            port.text_encode(out);
        }
    }
}

impl TextDecode for RelayAddress {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        RelayAddress::read_text(SCHEME, input)
    }
}

impl RelayAddress {
    fn read_text(scheme: &str, input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        if !input.skip(scheme.as_bytes()) {
            return Err(DecodeError::Invalid("scheme of a relay address"));
        }
        let fingerprint = to_fingerprint(&input.base64url()?)?;
        let password = if input.skip(b":") { Some(Password::text_decode(input)?) } else { None };
        input.expect(b"@")?;
        let hosts = host::decode_hosts(input)?;
        let port = decode_text_port(input)?;
        Ok(RelayAddress { fingerprint, hosts, port, password })
    }
}

impl fmt::Display for RelayAddress {
    /// The text form, with the password if there is one. An IPv6 host right before a port stands in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.readable_text(&mut text);
        f.write_str(&text)
    }
}

impl FromStr for RelayAddress {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        from_text(text)
    }
}

/// Writes a port in its binary form: a short string with the decimal number, empty if there is none.
pub fn encode_port(port: Option<u16>, out: &mut Vec<u8>) {
    let text = port.map(|port| port.to_string()).unwrap_or_default();
    // At most 5 digits.
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// Reads a port in its binary form.
///
/// # Errors
/// [`DecodeError::Invalid`] if it is not empty and not a number up to 65535.
pub fn decode_port(input: &mut Reader<'_>) -> Result<Option<u16>, DecodeError> {
    match input.short()? {
        b"" => Ok(None),
        digits => crate::encoding::from_text_bytes(digits).map(Some),
    }
}

/// Reads `:<port>` if it comes next.
fn decode_text_port(input: &mut TextReader<'_>) -> Result<Option<u16>, DecodeError> {
    if input.skip(b":") { u16::text_decode(input).map(Some) } else { Ok(None) }
}

fn to_fingerprint(bytes: &[u8]) -> Result<[u8; FINGERPRINT_BYTES], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::Invalid("fingerprint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_before_a_port_stands_in_brackets() {
        let key = "smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        for (hosts, shown, text) in [
            ("[2001:db8::7]:5223", "[2001:db8::7]:5223", "2001:db8::7:5223"),
            ("a.example,[::1]:443", "a.example,[::1]:443", "a.example,::1:443"),
            ("[::1],a.example:443", "::1,a.example:443", "::1,a.example:443"),
            ("[2001:db8::7]", "2001:db8::7", "2001:db8::7"),
        ] {
            let address: RelayAddress = format!("{key}@{hosts}").parse().unwrap();
            assert_eq!(address.to_string(), format!("{key}@{shown}"));
            assert_eq!(address.to_string().parse(), Ok(address.clone()));
            assert_eq!(
                crate::encoding::to_text(&address),
                format!("{key}@{text}"),
                "as the reference writes it"
            );
        }
    }

    #[test]
    fn addresses_have_255_hosts_at_most() {
        let address = |hosts| {
            let hosts = vec!["a"; hosts].join(",");
            format!("smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@{hosts}:1").parse::<RelayAddress>()
        };
        assert_eq!(address(255).unwrap().hosts.as_slice().len(), 255);
        assert!(address(256).is_err() && address(100_000).is_err());
    }
}
