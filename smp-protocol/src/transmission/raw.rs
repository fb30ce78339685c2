//! Cutting a block into transmissions, and those into their parts.

use std::fmt;

use super::authorization::SERVICE_SIGNATURE_BYTES;
use crate::encoding::{DecodeError, Length, Reader};
use crate::error::TransportError;
use crate::session::SessionParameters;

/// The transmissions in the content of a block, which has been checked to its last byte.
///
/// Source: chapter 3 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone)]
pub struct Transmissions<'a> {
    count: u8,
    rest: Reader<'a>,
}

impl<'a> Transmissions<'a> {
    /// Looks at the lengths of all transmissions in `content`, not at what is in them.
    ///
    /// # Errors
    /// [`TransportError::BadBlock`] if there is none, or they do not take exactly all of the content.
    pub fn read(content: &'a [u8]) -> Result<Self, TransportError> {
        let mut input = Reader::new(content);
        let check = |input: &mut Reader<'a>| {
            let count = input.byte()?;
            let rest = *input;
            for _ in 0..count {
                input.large()?;
            }
            input.finish()?;
            Ok::<_, DecodeError>(Transmissions { count, rest })
        };
        check(&mut input).ok().filter(|all| all.count > 0).ok_or(TransportError::BadBlock)
    }
}

impl<'a> Iterator for Transmissions<'a> {
    /// The bytes of one transmission, without their length.
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.count = self.count.checked_sub(1)?;
        self.rest.large().ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count.into(), Some(self.count.into()))
    }
}

impl ExactSizeIterator for Transmissions<'_> {}

/// The parts of a transmission.
///
/// Source: chapter 3 (`protocol-spec/3-transmissions.md`).
#[derive(Clone, Copy)]
pub struct RawTransmission<'a> {
    /// Signature or authenticator, of any size; often empty.
    pub authorization: &'a [u8],
    /// The signature of a service, 64 bytes.
    pub service_signature: Option<&'a [u8; SERVICE_SIGNATURE_BYTES]>,
    /// The bytes that the authorization covers, without the session ID if that is implied.
    pub authorized: &'a [u8],
    /// The session ID, if it is not implied.
    pub session_id: Option<&'a [u8]>,
    /// Ties an answer to its command.
    pub correlation_id: &'a [u8],
    /// The queue, link, service or proxy session.
    pub entity_id: &'a [u8],
    /// The command or message.
    pub command: &'a [u8],
}

impl fmt::Debug for RawTransmission<'_> {
    /// Prints lengths: IDs do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawTransmission")
            .field("authorization", &Length(self.authorization.len()))
            .field("service_signature", &self.service_signature.is_some())
            .field("session_id", &self.session_id.map(|id| Length(id.len())))
            .field("correlation_id", &Length(self.correlation_id.len()))
            .field("entity_id", &Length(self.entity_id.len()))
            .field("command", &Length(self.command.len()))
            .finish_non_exhaustive()
    }
}

impl<'a> RawTransmission<'a> {
    /// Cuts a transmission into its parts.
    ///
    /// # Errors
    /// [`TransportError::BadBlock`] if a part is cut short.
    pub fn read(transmission: &'a [u8], session: &SessionParameters) -> Result<Self, TransportError> {
        RawTransmission::parts(transmission, session).map_err(|_| TransportError::BadBlock)
    }

    fn parts(transmission: &'a [u8], session: &SessionParameters) -> Result<Self, DecodeError> {
        let mut input = Reader::new(transmission);
        let authorization = input.short()?;
        let service_signature = if session.has_service_field() && !authorization.is_empty() {
            read_service_signature(&mut input)?
        } else {
            None
        };
        let authorized = input.remaining();
        let session_id = if session.implies_session_id() { None } else { Some(input.short()?) };
        Ok(RawTransmission {
            authorization,
            service_signature,
            authorized,
            session_id,
            correlation_id: input.short()?,
            entity_id: input.short()?,
            command: input.rest(),
        })
    }

    /// Whether the transmission is of this session.
    pub fn is_of(&self, session: &SessionParameters) -> bool {
        self.session_id.is_none_or(|id| id == session.id.as_bytes())
    }
}

fn read_service_signature<'a>(
    input: &mut Reader<'a>,
) -> Result<Option<&'a [u8; SERVICE_SIGNATURE_BYTES]>, DecodeError> {
    match input.byte()? {
        b'0' => Ok(None),
        b'1' => {
            let signature = input.short()?.try_into();
            signature.map(Some).map_err(|_| DecodeError::Invalid("service signature"))
        }
        _ => Err(DecodeError::Invalid("tag of an optional value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;
    use crate::version::SmpVersion;

    #[test]
    fn debug_shows_lengths_only() {
        let session = SessionParameters { version: SmpVersion::MAX, id: SessionId::empty() };
        let raw = RawTransmission::read(b"\0\x01a\x02bcPING", &session).unwrap();
        assert_eq!(
            format!("{raw:?}"),
            "RawTransmission { authorization: 0 bytes, service_signature: false, session_id: None, \
             correlation_id: 1 bytes, entity_id: 2 bytes, command: 4 bytes, .. }"
        );
    }
}
