//! The keys in commands and answers: one type for each role, so that a key in the wrong place does not compile.

use smp_crypto::{PublicAuthKey, X25519PublicKey};

use crate::encoding::{Decode, DecodeError, Encode, Reader};

macro_rules! role {
    ($(#[$doc:meta])* $name:ident($key:ty)) => {
        $(#[$doc])*
        ///
        /// Source: chapter 1 (`protocol-spec/1-primitives.md`).
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
    RecipientAuthKey(PublicAuthKey)
);
role!(
    /// Authorizes the commands of a queue's sender.
    SenderAuthKey(PublicAuthKey)
);
role!(
    /// Authorizes the subscription to a queue's notifications.
    NotifierAuthKey(PublicAuthKey)
);
role!(
    /// The recipient's part of the secret for the bodies of `MSG`.
    RecipientDhKey(X25519PublicKey)
);
role!(
    /// The relay's part of the secret for the bodies of `MSG`.
    RelayDhKey(X25519PublicKey)
);
role!(
    /// The recipient's part of the secret for the metadata in `NMSG`.
    RecipientNotificationDhKey(X25519PublicKey)
);
role!(
    /// The relay's part of the secret for the metadata in `NMSG`.
    RelayNotificationDhKey(X25519PublicKey)
);
role!(
    /// The client's part of the secret for one command forwarded by a proxy; made for that command only.
    ProxiedCommandKey(X25519PublicKey)
);
role!(
    /// The sender's part of the end-to-end secret of a queue.
    SenderDhKey(X25519PublicKey)
);
