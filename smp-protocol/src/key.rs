//! The keys in commands and answers: one type for each role, so that a key in the wrong place does not compile.

use smp_crypto::{PublicAuthKey, X25519PublicKey};

use crate::encoding::{Decode, DecodeError, Encode, Reader};

macro_rules! role {
    ($(#[$doc:meta])* $name:ident($key:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub $key);

        impl From<$key> for $name {
            fn from(key: $key) -> Self {
                $name(key)
            }
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
        }

        impl Decode<'_> for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                input.read().map($name)
            }
        }
    };
}

role!(
    /// Authorizes the commands of a queue's recipient.
    ///
    /// Source: section 4.2 (`protocol-spec/4-commands.md`).
    RecipientAuthKey(PublicAuthKey)
);
role!(
    /// Authorizes the commands of a queue's sender.
    ///
    /// Source: section 4.3 (`protocol-spec/4-commands.md`).
    SenderAuthKey(PublicAuthKey)
);
role!(
    /// Authorizes the subscription to a queue's notifications.
    ///
    /// Source: section 4.2 (`protocol-spec/4-commands.md`).
    NotifierAuthKey(PublicAuthKey)
);
role!(
    /// The recipient's part of the secret for the bodies of `MSG`.
    ///
    /// Source: section 5.2 (`protocol-spec/5-messages.md`).
    RecipientDhKey(X25519PublicKey)
);
role!(
    /// The relay's part of the secret for the bodies of `MSG`.
    ///
    /// Source: section 5.2 (`protocol-spec/5-messages.md`).
    RelayDhKey(X25519PublicKey)
);
role!(
    /// The recipient's part of the secret for the metadata in `NMSG`.
    ///
    /// Source: section 5.3 (`protocol-spec/5-messages.md`).
    RecipientNotificationDhKey(X25519PublicKey)
);
role!(
    /// The relay's part of the secret for the metadata in `NMSG`.
    ///
    /// Source: section 5.3 (`protocol-spec/5-messages.md`).
    RelayNotificationDhKey(X25519PublicKey)
);
role!(
    /// The client's part of the secret for one command forwarded by a proxy; made for that command only.
    ///
    /// Source: section 5.4 (`protocol-spec/5-messages.md`).
    ProxiedCommandKey(X25519PublicKey)
);
role!(
    /// The sender's part of the end-to-end secret of a queue.
    ///
    /// Source: section 5.1 (`protocol-spec/5-messages.md`).
    SenderDhKey(X25519PublicKey)
);
role!(
    /// Authorizes the commands of a chunk's sender.
    ///
    /// Source: section 12.4 (`protocol-spec/12-files.md`).
    ChunkSenderKey(PublicAuthKey)
);
role!(
    /// Authorizes the commands of one of a chunk's recipients.
    ///
    /// Source: section 12.4 (`protocol-spec/12-files.md`).
    ChunkRecipientKey(PublicAuthKey)
);
role!(
    /// The recipient's part of the secret for one download of a chunk; made for that download only.
    ///
    /// Source: section 12.4 (`protocol-spec/12-files.md`).
    RecipientDownloadKey(X25519PublicKey)
);
role!(
    /// The relay's part of the secret for one download of a chunk; made for that download only.
    ///
    /// Source: section 12.4 (`protocol-spec/12-files.md`).
    RelayDownloadKey(X25519PublicKey)
);
