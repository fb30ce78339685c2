//! Short links.

use std::fmt;
use std::str::FromStr;

use smp_crypto::SecretBoxKey;
use smp_crypto::link_kdf::LinkKey;

use super::query::{Query, QueryWriter};
use super::{LinkError, ShortLinkRelay};
use crate::base64url;
use crate::encoding::{Decode, DecodeError, Encode, NonEmpty, Reader, TextDecode, TextReader, to_text};
use crate::id::LinkId;

/// The beginning of a short link.
///
/// Source: section 8.2 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ShortLinkScheme {
    /// `simplex:`, with all hosts of the relay among the parameters.
    Simplex,
    /// `https://<first host of the relay>`. The relay's web page, if there is one, never sees the key: it follows a `#`.
    #[default]
    Https,
}

/// The kind of address that a reusable short link leads to.
///
/// Source: section 8.2 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContactKind {
    /// `a`: a person.
    Contact,
    /// `c`: a channel.
    Channel,
    /// `g`: a group.
    Group,
    /// `r`: a relay of groups.
    Relay,
}

impl ContactKind {
    fn letter(self) -> u8 {
        match self {
            Self::Contact => b'A',
            Self::Channel => b'C',
            Self::Group => b'G',
            Self::Relay => b'R',
        }
    }

    fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'A' => Some(Self::Contact),
            b'C' => Some(Self::Channel),
            b'G' => Some(Self::Group),
            b'R' => Some(Self::Relay),
            _ => None,
        }
    }
}

/// A short link for one use. Its holder can read the link data, and connect.
///
/// Source: section 8.2 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationShortLink {
    /// Where the data is.
    pub relay: ShortLinkRelay,
    /// Under which ID. The relay chose it; it is in no way tied to the key.
    pub link_id: LinkId,
    /// From which the data's key is derived.
    pub link_key: LinkKey,
}

/// A short link for any number of uses.
///
/// Source: section 8.2 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactShortLink {
    /// To what.
    pub kind: ContactKind,
    /// Where the data is.
    pub relay: ShortLinkRelay,
    /// From which the data's ID and key are derived.
    pub link_key: LinkKey,
}

/// A short link of either kind. `Display` writes the `https:` form.
///
/// Source: section 8.2 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShortLink {
    /// For one use.
    Invitation(InvitationShortLink),
    /// For any number of uses.
    Contact(ContactShortLink),
}

impl ShortLink {
    /// Where the link data is.
    #[must_use]
    pub fn relay(&self) -> &ShortLinkRelay {
        match self {
            Self::Invitation(link) => &link.relay,
            Self::Contact(link) => &link.relay,
        }
    }

    /// The secret in the link, which is also the hash that the fixed data must have.
    #[must_use]
    pub fn link_key(&self) -> &LinkKey {
        match self {
            Self::Invitation(link) => &link.link_key,
            Self::Contact(link) => &link.link_key,
        }
    }

    /// The ID of the link data, and the key with which it is encrypted.
    #[must_use]
    pub fn data_credentials(&self) -> (LinkId, SecretBoxKey) {
        match self {
            Self::Invitation(link) => (link.link_id.clone(), link.link_key.invitation_key()),
            Self::Contact(link) => {
                let derived = link.link_key.contact_link();
                (derived.link_id.into(), derived.key)
            }
        }
    }

    /// The link in this scheme.
    #[must_use]
    pub fn to_uri(&self, scheme: ShortLinkScheme) -> String {
        let relay = self.relay();
        let mut uri = match scheme {
            ShortLinkScheme::Simplex => "simplex:".to_owned(),
            ShortLinkScheme::Https => format!("https://{}", relay.hosts.first()),
        };
        match self {
            Self::Invitation(link) => {
                uri.push_str("/i#");
                uri.push_str(&base64url::encode_unpadded(link.link_id.as_bytes()));
                uri.push('/');
            }
            Self::Contact(link) => {
                uri.push('/');
                uri.push(char::from(link.kind.letter().to_ascii_lowercase()));
                uri.push('#');
            }
        }
        uri.push_str(&base64url::encode_unpadded(self.link_key().as_bytes()));
        let query = relay_query(relay, scheme);
        if !query.is_empty() {
            uri.push('?');
            uri.push_str(&query);
        }
        uri
    }

    /// Reads a link, with the scheme in which it was written.
    ///
    /// # Errors
    /// [`LinkError`]; nothing may precede or follow the link.
    pub fn from_uri(uri: &str) -> Result<(ShortLinkScheme, Self), LinkError> {
        let mut input = TextReader::new(uri.as_bytes());
        let result = decode(&mut input)?;
        input.finish().map_err(|_| LinkError::Trailing)?;
        Ok(result)
    }
}

fn relay_query(relay: &ShortLinkRelay, scheme: ShortLinkScheme) -> String {
    let mut out = String::new();
    let mut query = QueryWriter::new(&mut out);
    let hosts = relay.hosts.as_slice();
    let written_before = usize::from(scheme == ShortLinkScheme::Https);
    if let Some(hosts) = NonEmpty::new(hosts[written_before..].to_vec()) {
        query.add("h", &to_text(&hosts));
    }
    if let Some(port) = relay.port {
        query.add("p", &port.to_string());
    }
    if let Some(fingerprint) = &relay.fingerprint {
        query.add("c", &base64url::encode_unpadded(fingerprint));
    }
    out
}

fn decode(input: &mut TextReader<'_>) -> Result<(ShortLinkScheme, ShortLink), LinkError> {
    let (scheme, host) = if input.skip(b"simplex:") {
        (ShortLinkScheme::Simplex, None)
    } else if input.skip(b"https://") {
        (ShortLinkScheme::Https, Some(TextDecode::text_decode(input).map_err(|_| LinkError::NotALink)?))
    } else {
        return Err(LinkError::NotALink);
    };
    input.expect(b"/").map_err(|_| LinkError::NotALink)?;
    let letter = input.byte().map_err(|_| LinkError::UnknownKind)?;
    let kind = match (letter, ContactKind::from_letter(letter.to_ascii_uppercase())) {
        (b'i', _) => None,
        (_, Some(kind)) => Some(kind),
        _ => return Err(LinkError::UnknownKind),
    };
    input.skip(b"/");
    input.expect(b"#").map_err(|_| LinkError::UnknownKind)?;
    let link = match kind {
        None => {
            let link_id = base64url_part(input, "link ID")?;
            let link_id = LinkId::new(&link_id)
                .map_err(|_| LinkError::Damaged { part: "link ID", error: DecodeError::Invalid("length") })?;
            input.expect(b"/").map_err(|_| LinkError::Missing("link key"))?;
            let link_key = link_key(input)?;
            ShortLink::Invitation(InvitationShortLink { relay: relay(input, host)?, link_id, link_key })
        }
        Some(kind) => {
            let link_key = link_key(input)?;
            ShortLink::Contact(ContactShortLink { kind, relay: relay(input, host)?, link_key })
        }
    };
    Ok((scheme, link))
}

fn base64url_part(input: &mut TextReader<'_>, part: &'static str) -> Result<Vec<u8>, LinkError> {
    input.base64url().map_err(|error| match input.peek() {
        None => LinkError::Missing(part),
        Some(_) => LinkError::Damaged { part, error },
    })
}

fn link_key(input: &mut TextReader<'_>) -> Result<LinkKey, LinkError> {
    let key = zeroize::Zeroizing::new(base64url_part(input, "link key")?);
    // Any other length could not be the hash of anything.
    LinkKey::from_slice(&key)
        .ok_or(LinkError::Damaged { part: "link key", error: DecodeError::Invalid("length") })
}

fn relay(
    input: &mut TextReader<'_>,
    first_host: Option<crate::address::Host>,
) -> Result<ShortLinkRelay, LinkError> {
    let query = if input.skip(b"?") { Query::read(input) } else { Query::default() };
    let damaged = |part| move |error| LinkError::Damaged { part, error };
    let further: Option<NonEmpty<_>> = query.optional("h").map_err(damaged("relay host"))?;
    let mut hosts = Vec::from_iter(first_host);
    hosts.extend(further.map(NonEmpty::into_vec).unwrap_or_default());
    let fingerprint =
        query.get("c").map(|text| fingerprint(&text)).transpose().map_err(damaged("relay fingerprint"))?;
    Ok(ShortLinkRelay {
        hosts: NonEmpty::new(hosts).ok_or(LinkError::Missing("relay host"))?,
        port: query.optional("p").map_err(damaged("relay port"))?,
        fingerprint,
    })
}

fn fingerprint(text: &[u8]) -> Result<[u8; 32], DecodeError> {
    base64url::decode(text)?.try_into().map_err(|_| DecodeError::Invalid("fingerprint"))
}

impl fmt::Display for ShortLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_uri(ShortLinkScheme::Https))
    }
}

impl FromStr for ShortLink {
    type Err = LinkError;

    fn from_str(uri: &str) -> Result<Self, LinkError> {
        Self::from_uri(uri).map(|(_, link)| link)
    }
}

/// `I` relay, link ID, link key; or `C` kind, relay, link key. There is no scheme.
impl Encode for ShortLink {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Invitation(link) => {
                out.push(b'I');
                (&link.relay, &link.link_id).encode(out);
                encode_key(&link.link_key, out);
            }
            Self::Contact(link) => link.encode(out),
        }
    }
}

impl Encode for ContactShortLink {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[b'C', self.kind.letter()]);
        self.relay.encode(out);
        encode_key(&self.link_key, out);
    }
}

fn encode_key(key: &LinkKey, out: &mut Vec<u8>) {
    out.push(LinkKey::SIZE as u8);
    out.extend_from_slice(key.as_bytes());
}

fn decode_key(input: &mut Reader<'_>) -> Result<LinkKey, DecodeError> {
    LinkKey::from_slice(input.short()?).ok_or(DecodeError::Invalid("link key"))
}

impl Decode<'_> for ShortLink {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if input.peek() == Some(b'C') {
            return input.read().map(Self::Contact);
        }
        match input.byte()? {
            b'I' => {
                let (relay, link_id) = input.read()?;
                Ok(Self::Invitation(InvitationShortLink { relay, link_id, link_key: decode_key(input)? }))
            }
            _ => Err(DecodeError::Invalid("kind of short link")),
        }
    }
}

impl Decode<'_> for ContactShortLink {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if input.byte()? != b'C' {
            return Err(DecodeError::Invalid("kind of short link"));
        }
        let kind =
            ContactKind::from_letter(input.byte()?).ok_or(DecodeError::Invalid("kind of contact link"))?;
        Ok(Self { kind, relay: input.read()?, link_key: decode_key(input)? })
    }
}
