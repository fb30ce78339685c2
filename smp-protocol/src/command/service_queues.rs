//! `ServiceQueues`: number and hash by which a service and a relay compare the service's queues.

use std::fmt;

use md5::{Digest as _, Md5};

use crate::encoding::{Decode, DecodeError, Encode, Reader};
use crate::id::RecipientId;
use crate::version::SmpVersion;

/// Bytes in an [`IdsHash`].
pub const IDS_HASH_BYTES: usize = 16;

/// XOR of the MD5 of the IDs of queues, in any order. It shows drift; it is no protection against anybody.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct IdsHash(pub [u8; IDS_HASH_BYTES]);

impl IdsHash {
    /// The hash of one ID, of a recipient or (for notifications) of a notifier.
    pub fn of(id: &[u8]) -> Self {
        IdsHash(Md5::digest(id).into())
    }

    /// The hash of both sets; of a set without a part of it if `other` is that part.
    #[must_use]
    pub fn combine(self, other: IdsHash) -> Self {
        IdsHash(std::array::from_fn(|i| self.0[i] ^ other.0[i]))
    }
}

impl fmt::Debug for IdsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdsHash(..)")
    }
}

impl From<&RecipientId> for IdsHash {
    fn from(id: &RecipientId) -> Self {
        IdsHash::of(id.as_bytes())
    }
}

impl Encode for IdsHash {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(IDS_HASH_BYTES as u8);
        out.extend_from_slice(&self.0);
    }
}

impl Decode<'_> for IdsHash {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = input.short()?;
        bytes.try_into().map(IdsHash).map_err(|_| DecodeError::Invalid("hash of queue IDs"))
    }
}

/// The queues of a service: how many, and a hash of their IDs.
///
/// The parameters of `SUBS`, `NSUBS`, `SOKS` and `ENDS`. Before version 19 there is no hash, and no parameter at all in the
/// commands: then they are read as zeros and the count -1.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceQueues {
    /// How many queues there are.
    pub count: i64,
    /// Hash of their IDs.
    pub ids_hash: IdsHash,
}

impl ServiceQueues {
    /// Stands for the number and hash that commands before version 19 do not have.
    pub const UNKNOWN: ServiceQueues = ServiceQueues { count: -1, ids_hash: IdsHash([0; IDS_HASH_BYTES]) };

    /// Reads the parameters of a command.
    pub(super) fn decode(input: &mut Reader<'_>, version: SmpVersion) -> Result<Self, DecodeError> {
        if version < SmpVersion::SERVICE_SUBSCRIPTIONS {
            return Ok(ServiceQueues::UNKNOWN);
        }
        Ok(ServiceQueues { count: input.read()?, ids_hash: input.read()? })
    }

    /// Writes the parameters of an answer.
    pub(crate) fn encode_answer(&self, version: SmpVersion, out: &mut Vec<u8>) {
        self.count.encode(out);
        if version >= SmpVersion::SERVICE_SUBSCRIPTIONS {
            self.ids_hash.encode(out);
        }
    }

    /// Reads the parameters of an answer.
    pub(crate) fn decode_answer(input: &mut Reader<'_>, version: SmpVersion) -> Result<Self, DecodeError> {
        let count = input.read()?;
        let ids_hash =
            if version >= SmpVersion::SERVICE_SUBSCRIPTIONS { input.read()? } else { IdsHash::default() };
        Ok(ServiceQueues { count, ids_hash })
    }
}

/// All parameters, as commands have them from version 19.
impl Encode for ServiceQueues {
    fn encode(&self, out: &mut Vec<u8>) {
        self.count.encode(out);
        self.ids_hash.encode(out);
    }
}
