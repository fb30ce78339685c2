//! Links of any kind.

use std::fmt;
use std::str::FromStr;

use super::{ConnectionRequest, LinkError, ShortLink};

/// A link of any kind, as people pass it on.
///
/// Source: chapter 8 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionLink {
    /// A full link.
    Full(ConnectionRequest),
    /// A short link.
    Short(ShortLink),
}

impl fmt::Display for ConnectionLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(request) => request.fmt(f),
            Self::Short(link) => link.fmt(f),
        }
    }
}

impl FromStr for ConnectionLink {
    type Err = LinkError;

    fn from_str(uri: &str) -> Result<Self, LinkError> {
        match uri.parse() {
            Ok(request) => Ok(Self::Full(request)),
            Err(LinkError::NotALink | LinkError::UnknownKind) => uri.parse().map(Self::Short),
            Err(error) => Err(error),
        }
    }
}
