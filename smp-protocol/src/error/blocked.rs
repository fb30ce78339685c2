//! `BlockingInfo`: the reason for which a queue or link is blocked, and a notice for its user.

use std::fmt;

use serde::Deserialize;

use crate::encoding::{DecodeError, Reader};

/// The content of a `BLOCKED` error.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockingInfo {
    /// Why it was blocked.
    pub reason: BlockingReason,
    /// A notice for the client, from version 18.
    pub notice: Option<ClientNotice>,
}

/// Why a queue or link was blocked.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockingReason {
    /// Unwanted messages.
    Spam,
    /// Content that the operator does not allow.
    Content,
}

/// Asks the client not to use this relay for new queues for some time.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct ClientNotice {
    /// For how many seconds; without it for good.
    pub ttl: Option<i64>,
}

impl fmt::Display for BlockingInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            BlockingReason::Spam => "spam",
            BlockingReason::Content => "content",
        };
        write!(f, "reason={reason}")?;
        match self.notice {
            None => Ok(()),
            Some(ClientNotice { ttl: None }) => f.write_str(",notice={}"),
            Some(ClientNotice { ttl: Some(ttl) }) => write!(f, ",notice={{\"ttl\":{ttl}}}"),
        }
    }
}

impl BlockingInfo {
    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if !input.skip(b"reason=") {
            return Err(DecodeError::Invalid("blocking information"));
        }
        let reason = if input.skip(b"spam") {
            BlockingReason::Spam
        } else if input.skip(b"content") {
            BlockingReason::Content
        } else {
            return Err(DecodeError::Invalid("blocking reason"));
        };
        let notice = if input.skip(b",notice=") {
            let json = serde_json::from_slice(input.rest());
            Some(json.map_err(|_| DecodeError::Invalid("client notice"))?)
        } else {
            None
        };
        Ok(BlockingInfo { reason, notice })
    }
}
