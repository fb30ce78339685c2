//! Full links: connection requests and their URI form.

use std::fmt;
use std::str::FromStr;

use super::query::{Query, QueryWriter};
use super::{LinkError, LinkScheme};
use crate::agent::{ProposedKem, QueueUri, RatchetParametersUri};
use crate::encoding::{DecodeError, NonEmpty, TextDecode, TextEncode, TextReader, from_text_bytes, to_text};
use crate::version::{AgentVersion, VersionRange};

/// The smallest agent version of contact addresses: addresses with a smaller one were published long ago and are read
/// as if they had this one.
const MIN_CONTACT_VERSION: AgentVersion = AgentVersion(2);

/// An invitation: everything that one person needs to connect, once.
///
/// Source: section 8.1 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationRequest {
    /// The agent versions of the side that invites.
    pub versions: VersionRange<AgentVersion>,
    /// Where it receives.
    pub queues: NonEmpty<QueueUri>,
    /// For the application.
    pub client_data: Option<String>,
    /// From which the ratchet is agreed.
    pub ratchet: RatchetParametersUri<ProposedKem>,
}

/// A contact address: everything that anybody needs to send a request to connect. The ratchet's parameters come from
/// the other side, in [`AgentEnvelope::Invitation`](crate::agent::AgentEnvelope::Invitation).
///
/// Source: section 8.1 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRequest {
    /// The agent versions of the address's owner.
    pub versions: VersionRange<AgentVersion>,
    /// Where requests are received.
    pub queues: NonEmpty<QueueUri>,
    /// For the application.
    pub client_data: Option<String>,
}

/// A connection request of either kind: what a full link says.
///
/// `Display` writes the `simplex:` form; [`ConnectionRequest::to_uri`] any.
///
/// Source: section 8.1 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionRequest {
    /// `invitation`: for one use.
    Invitation(Box<InvitationRequest>),
    /// `contact`: for many.
    Contact(ContactRequest),
}

impl ConnectionRequest {
    /// The agent versions of the side that made the link.
    #[must_use]
    pub fn versions(&self) -> VersionRange<AgentVersion> {
        match self {
            Self::Invitation(request) => request.versions,
            Self::Contact(request) => request.versions,
        }
    }

    /// The queues of the side that made the link.
    #[must_use]
    pub fn queues(&self) -> &NonEmpty<QueueUri> {
        match self {
            Self::Invitation(request) => &request.queues,
            Self::Contact(request) => &request.queues,
        }
    }

    /// The link in this scheme.
    #[must_use]
    pub fn to_uri(&self, scheme: &LinkScheme) -> String {
        match self {
            Self::Invitation(request) => request.to_uri(scheme),
            Self::Contact(request) => request.to_uri(scheme),
        }
    }

    /// Reads a link, with the scheme in which it was written.
    ///
    /// # Errors
    /// [`LinkError`]; nothing may precede or follow the link.
    pub fn from_uri(uri: &str) -> Result<(LinkScheme, Self), LinkError> {
        let mut input = TextReader::new(uri.as_bytes());
        let result = decode(&mut input)?;
        input.finish().map_err(|_| LinkError::Trailing)?;
        Ok(result)
    }
}

impl InvitationRequest {
    /// The link in this scheme.
    #[must_use]
    pub fn to_uri(&self, scheme: &LinkScheme) -> String {
        encode(scheme, "invitation", &Common::of_invitation(self), Some(&self.ratchet))
    }
}

impl ContactRequest {
    /// The link in this scheme.
    #[must_use]
    pub fn to_uri(&self, scheme: &LinkScheme) -> String {
        encode(scheme, "contact", &Common::of_contact(self), None)
    }
}

/// The parts that both kinds have.
struct Common<'a> {
    versions: VersionRange<AgentVersion>,
    queues: &'a NonEmpty<QueueUri>,
    client_data: Option<&'a str>,
}

impl<'a> Common<'a> {
    fn of_invitation(request: &'a InvitationRequest) -> Self {
        let client_data = request.client_data.as_deref();
        Self { versions: request.versions, queues: &request.queues, client_data }
    }

    fn of_contact(request: &'a ContactRequest) -> Self {
        let client_data = request.client_data.as_deref();
        Self { versions: request.versions, queues: &request.queues, client_data }
    }
}

fn encode(
    scheme: &LinkScheme,
    kind: &str,
    common: &Common<'_>,
    ratchet: Option<&RatchetParametersUri<ProposedKem>>,
) -> String {
    let mut uri = format!("{scheme}/{kind}#/?");
    let mut query = QueryWriter::new(&mut uri);
    query.add("v", &to_text(&common.versions));
    // Commas separate the hosts of a queue, so semicolons separate queues.
    let queues: Vec<String> = common.queues.iter().map(to_text).collect();
    query.add("smp", &queues.join(";"));
    if let Some(ratchet) = ratchet {
        query.add("e2e", &to_text(ratchet));
    }
    if let Some(data) = common.client_data {
        query.add("data", data);
    }
    uri
}

fn decode(input: &mut TextReader<'_>) -> Result<(LinkScheme, ConnectionRequest), LinkError> {
    let scheme = LinkScheme::text_decode(input).map_err(|_| LinkError::NotALink)?;
    input.expect(b"/").map_err(|_| LinkError::NotALink)?;
    let invitation = input.skip(b"invitation");
    if !invitation && !input.skip(b"contact") {
        return Err(LinkError::UnknownKind);
    }
    input.skip(b"/");
    input.expect(b"#/?").map_err(|_| LinkError::Missing("parameters"))?;
    let query = Query::read(input);
    let versions = parameter(&query, "v", "version range")?;
    let queues = queues(&query)?;
    let client_data = query.get("data").map(|data| text_with_question_marks(&data));
    let request = if invitation {
        let ratchet = parameter(&query, "e2e", "keys")?;
        ConnectionRequest::Invitation(Box::new(InvitationRequest { versions, queues, client_data, ratchet }))
    } else {
        ConnectionRequest::Contact(ContactRequest { versions: raised(versions), queues, client_data })
    };
    Ok((scheme, request))
}

fn parameter<T: TextDecode>(query: &Query<'_>, name: &str, part: &'static str) -> Result<T, LinkError> {
    query.optional(name).map_err(|error| LinkError::Damaged { part, error })?.ok_or(LinkError::Missing(part))
}

fn queues(query: &Query<'_>) -> Result<NonEmpty<QueueUri>, LinkError> {
    const PART: &str = "queue address";
    let damaged = |error| LinkError::Damaged { part: PART, error };
    let text = query.get("smp").ok_or(LinkError::Missing(PART))?;
    let queues =
        text.split(|&b| b == b';').map(from_text_bytes).collect::<Result<_, _>>().map_err(damaged)?;
    NonEmpty::new(queues).ok_or_else(|| damaged(DecodeError::Invalid("number of queues")))
}

fn raised(versions: VersionRange<AgentVersion>) -> VersionRange<AgentVersion> {
    let min = versions.min().max(MIN_CONTACT_VERSION);
    VersionRange::new(min, versions.max().max(min)).unwrap_or(versions)
}

/// UTF-8, with a question mark for each part that is not.
pub(super) fn text_with_question_marks(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push('?');
        }
    }
    text
}

impl TextEncode for ConnectionRequest {
    fn text_encode(&self, out: &mut String) {
        out.push_str(&self.to_uri(&LinkScheme::Simplex));
    }
}

impl TextDecode for ConnectionRequest {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        Ok(decode(input)?.1)
    }
}

impl TextEncode for InvitationRequest {
    fn text_encode(&self, out: &mut String) {
        out.push_str(&self.to_uri(&LinkScheme::Simplex));
    }
}

impl TextDecode for InvitationRequest {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        match decode(input)?.1 {
            ConnectionRequest::Invitation(request) => Ok(*request),
            ConnectionRequest::Contact(_) => Err(LinkError::OtherKind.into()),
        }
    }
}

impl fmt::Display for ConnectionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_uri(&LinkScheme::Simplex))
    }
}

impl FromStr for ConnectionRequest {
    type Err = LinkError;

    fn from_str(uri: &str) -> Result<Self, LinkError> {
        Self::from_uri(uri).map(|(_, request)| request)
    }
}
