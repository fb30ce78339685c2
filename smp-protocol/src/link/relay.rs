//! Relays in short links, where some parts may be left out.

use crate::address::{FINGERPRINT_BYTES, Host, RelayAddress, decode_port, encode_port};
use crate::encoding::{Decode, DecodeError, Encode, NonEmpty, Reader};

/// The relay of a short link. For relays that every application knows, only a host is written.
///
/// Source: section 8.2 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShortLinkRelay {
    /// Its hosts, or only the first of them.
    pub hosts: NonEmpty<Host>,
    /// Its port, if it is not left out.
    pub port: Option<u16>,
    /// Its fingerprint, if it is not left out.
    pub fingerprint: Option<[u8; FINGERPRINT_BYTES]>,
}

impl ShortLinkRelay {
    /// Only the host: for relays that every reader of the link knows.
    #[must_use]
    pub fn only_host(host: Host) -> Self {
        Self { hosts: NonEmpty::one(host), port: None, fingerprint: None }
    }

    /// The address to connect to. Without a fingerprint it is the one among `known` that has the link's first host;
    /// `None` if there is none: such a link cannot be used, nobody could tell the relay from an impostor.
    #[must_use]
    pub fn resolve<'a>(&self, known: impl IntoIterator<Item = &'a RelayAddress>) -> Option<RelayAddress> {
        match self.fingerprint {
            Some(fingerprint) => {
                Some(RelayAddress { fingerprint, hosts: self.hosts.clone(), port: self.port, password: None })
            }
            None => known
                .into_iter()
                .find(|relay| relay.hosts.as_slice().contains(self.hosts.first()))
                .map(RelayAddress::without_password),
        }
    }
}

impl From<&RelayAddress> for ShortLinkRelay {
    /// The whole address without the password.
    fn from(relay: &RelayAddress) -> Self {
        Self { hosts: relay.hosts.clone(), port: relay.port, fingerprint: Some(relay.fingerprint) }
    }
}

/// As a [`RelayAddress`], with an empty fingerprint where there is none.
impl Encode for ShortLinkRelay {
    fn encode(&self, out: &mut Vec<u8>) {
        self.hosts.encode(out);
        encode_port(self.port, out);
        let fingerprint = self.fingerprint.as_ref().map_or(&[][..], |fingerprint| fingerprint);
        // 0 or 32 bytes.
        out.push(fingerprint.len() as u8);
        out.extend_from_slice(fingerprint);
    }
}

impl Decode<'_> for ShortLinkRelay {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let hosts = input.read()?;
        let port = decode_port(input)?;
        let fingerprint = match input.short()? {
            [] => None,
            bytes => Some(bytes.try_into().map_err(|_| DecodeError::Invalid("fingerprint"))?),
        };
        Ok(Self { hosts, port, fingerprint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_without_fingerprint_must_be_known() {
        let known: RelayAddress =
            "smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:pw@a.example,b.example:443".parse().unwrap();
        let whole = ShortLinkRelay::from(&known);
        assert_eq!(whole.resolve(&[]), Some(known.without_password()));
        let short = |host: &str| ShortLinkRelay::only_host(host.parse().unwrap());
        let known = [known];
        for host in ["b.example", "B.Example", "a.EXAMPLE."] {
            assert_eq!(short(host).resolve(&known), Some(known[0].without_password()), "{host}");
        }
        assert_eq!(short("c.example").resolve(&known), None);
    }
}
