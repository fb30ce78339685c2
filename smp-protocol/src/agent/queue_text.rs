//! The URI of a queue, as it stands in links: `smp://<fingerprint>@<hosts>[:<port>]/<sender ID>#/?v=1-4&dh=<key>&q=m`.

use smp_crypto::X25519PublicKey;

use super::known_hosts::with_known_onion_host;
use super::queue::{QUEUE_MODES, QueueAddress, QueueMode, QueueUri, SEVERAL_HOSTS};
use crate::address::{Host, RelayAddress};
use crate::base64url;
use crate::encoding::{DecodeError, NonEmpty, TextDecode, TextEncode, TextReader, to_text};
use crate::id::SenderId;
use crate::link::{Query, QueryWriter};
use crate::version::{SmpClientVersion, VersionRange};

impl TextEncode for QueueUri {
    fn text_encode(&self, out: &mut String) {
        let QueueAddress { relay, sender_id, dh_key, mode } = &self.address;
        let (first, further) = relay.hosts.as_slice().split_at(1);
        // Readers that know only version 1 take a single host.
        let one_host = self.versions.min() < SEVERAL_HOSTS;
        let mut written = relay.without_password();
        if let (true, Some(first)) = (one_host, NonEmpty::new(first.to_vec())) {
            written.hosts = first;
        }
        written.readable_text(out);
        out.push('/');
        out.push_str(&base64url::encode(sender_id.as_bytes()));
        out.push_str("#/?");
        let mut query = QueryWriter::new(out);
        query.add("v", &to_text(&self.versions));
        query.add("dh", &to_text(dh_key));
        match mode {
            Some(QueueMode::Messaging) => query.add("q", "m"),
            Some(QueueMode::Contact) => query.add("q", "c"),
            None => {}
        }
        if *mode == Some(QueueMode::Messaging) && self.versions.min() < QUEUE_MODES {
            query.add("k", "s");
        }
        if let (true, Some(further)) = (one_host, NonEmpty::new(further.to_vec())) {
            query.add("srv", &to_text(&further));
        }
    }
}

impl TextDecode for QueueUri {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        let relay = RelayAddress::text_decode(input)?;
        if relay.password.is_some() {
            return Err(DecodeError::Invalid("relay address with a password in a link"));
        }
        input.expect(b"/")?;
        let sender_id = SenderId::new(&input.base64url()?).map_err(|_| DecodeError::Invalid("sender ID"))?;
        input.skip(b"/");
        input.expect(b"#")?;
        // The oldest form has the key here, and possibly nothing else.
        let key: Option<X25519PublicKey> = Option::text_decode(input)?;
        let parameters = match key {
            Some(key) if input.remaining().is_empty() => Parameters::of_version_1(key),
            _ => Parameters::read(input, key)?,
        };
        parameters.into_uri(relay, sender_id)
    }
}

/// The parameters behind the `#`.
struct Parameters {
    versions: VersionRange<SmpClientVersion>,
    dh_key: X25519PublicKey,
    mode: Option<QueueMode>,
    further_hosts: Vec<Host>,
}

impl Parameters {
    fn of_version_1(dh_key: X25519PublicKey) -> Self {
        let versions = VersionRange::only(SmpClientVersion(1));
        Self { versions, dh_key, mode: None, further_hosts: Vec::new() }
    }

    fn read(input: &mut TextReader<'_>, key: Option<X25519PublicKey>) -> Result<Self, DecodeError> {
        input.skip(b"/");
        input.expect(b"?")?;
        let query = Query::read(input);
        let mode = match (query.get("q").as_deref(), query.get("k").as_deref()) {
            (Some(b"m"), _) => Some(QueueMode::Messaging),
            (Some(b"c"), _) => Some(QueueMode::Contact),
            (_, Some(b"s")) => Some(QueueMode::Messaging),
            _ => None,
        };
        Ok(Self {
            versions: query.required("v")?,
            dh_key: match key {
                Some(key) => key,
                None => query.required("dh")?,
            },
            mode,
            further_hosts: query.optional("srv")?.map(NonEmpty::into_vec).unwrap_or_default(),
        })
    }

    fn into_uri(self, relay: RelayAddress, sender_id: SenderId) -> Result<QueueUri, DecodeError> {
        let mut hosts = relay.hosts.into_vec();
        hosts.extend(self.further_hosts);
        let hosts = NonEmpty::new(hosts).ok_or(DecodeError::Invalid("list with more than 255 hosts"))?;
        let mut relay = RelayAddress { hosts, ..relay };
        if self.versions.max() < SEVERAL_HOSTS {
            relay = with_known_onion_host(relay);
        }
        Ok(QueueUri {
            versions: self.versions,
            address: QueueAddress { relay, sender_id, dh_key: self.dh_key, mode: self.mode },
        })
    }
}

impl std::fmt::Display for QueueUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&to_text(self))
    }
}

impl std::str::FromStr for QueueUri {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        crate::encoding::from_text(text)
    }
}
