//! Flags of a message.

use crate::encoding::{Decode, DecodeError, Encode, Reader};

/// Flags of `SEND`, which the relay passes on to the recipient.
///
/// Written as `T` or `F`. Further characters up to the next space are flags of the future: they are read and dropped.
///
/// Source: section 4.3 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageFlags {
    /// Whether the recipient should be notified (`NMSG`).
    pub notification: bool,
}

impl Encode for MessageFlags {
    fn encode(&self, out: &mut Vec<u8>) {
        self.notification.encode(out);
    }
}

impl Decode<'_> for MessageFlags {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let notification = input.read()?;
        input.word();
        Ok(MessageFlags { notification })
    }
}
