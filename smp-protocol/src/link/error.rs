//! Errors of texts that are no links.

use thiserror::Error;

use crate::encoding::DecodeError;

/// A text is not a link that can be used. Ask for the link again: it was damaged on its way, or is something else.
///
/// Source: chapter 8 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It does not begin as a link does, so it is something else.
    #[error("this is not a SimpleX link")]
    NotALink,
    /// It is a link of a kind that is not known here: perhaps a newer application made it.
    #[error("this is not a kind of SimpleX link that is supported")]
    UnknownKind,
    /// A link of one kind where another one is needed.
    #[error("this is a SimpleX link of another kind than expected")]
    OtherKind,
    /// A part is missing: the link was cut.
    #[error("the link is incomplete: it has no {0}")]
    Missing(&'static str),
    /// A part is damaged.
    #[error("the link is damaged: its {part} cannot be read ({error})")]
    Damaged {
        /// Which part.
        part: &'static str,
        /// The error of the decoder.
        error: DecodeError,
    },
    /// Something follows the link, a space or a line break for instance.
    #[error("the link is followed by something that does not belong to it")]
    Trailing,
}

impl From<LinkError> for DecodeError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Damaged { error, .. } => error,
            LinkError::Trailing => DecodeError::TrailingBytes,
            LinkError::NotALink => DecodeError::Invalid("scheme of a link"),
            LinkError::UnknownKind | LinkError::OtherKind => DecodeError::Invalid("kind of link"),
            LinkError::Missing(_) => DecodeError::Invalid("parameters of a link"),
        }
    }
}
