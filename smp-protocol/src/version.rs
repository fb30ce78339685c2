//! Protocol versions, ranges of them and how two sides agree (chapter `10-versions.md`).

use std::fmt;

use crate::encoding::{Decode, DecodeError, Encode, Reader, TextDecode, TextEncode, TextReader};

/// A version of one of the protocols: 2 bytes, or a decimal number in text.
///
/// Source: section 1.3 (`protocol-spec/1-primitives.md`).
pub trait Version:
    Copy + Ord + fmt::Debug + Encode + TextEncode + TextDecode + for<'a> Decode<'a> + From<u16> + Into<u16>
{
}

macro_rules! version {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u16);

        impl Version for $name {}

        impl From<u16> for $name {
            fn from(number: u16) -> Self {
                $name(number)
            }
        }

        impl From<$name> for u16 {
            fn from(version: $name) -> Self {
                version.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
        }

        impl Decode<'_> for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                u16::decode(input).map($name)
            }
        }

        impl TextEncode for $name {
            fn text_encode(&self, out: &mut String) {
                self.0.text_encode(out);
            }
        }

        impl TextDecode for $name {
            fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
                u16::text_decode(input).map($name)
            }
        }
    };
}

version!(
    /// Version of the transport and the commands between client and relay; we speak 6 to 19.
    ///
    /// Source: section 10.1 (`protocol-spec/10-versions.md`).
    SmpVersion
);
version!(
    /// Version of the client messages inside `SEND`; we speak 1 to 4.
    ///
    /// Source: section 10.3 (`protocol-spec/10-versions.md`).
    SmpClientVersion
);
version!(
    /// Version of the agent messages; we speak 2 to 7.
    ///
    /// Source: section 10.4 (`protocol-spec/10-versions.md`).
    AgentVersion
);
version!(
    /// Version of the end-to-end ratchet; we speak 2 to 3.
    ///
    /// Source: section 10.5 (`protocol-spec/10-versions.md`).
    RatchetVersion
);

version!(
    /// Version of the file transfer protocol; we speak 1 to 3.
    ///
    /// Source: section 12.2 (`protocol-spec/12-files.md`).
    XftpVersion
);

impl XftpVersion {
    /// The version without a handshake.
    pub const MIN: XftpVersion = XftpVersion(1);
    /// The newest version that we speak.
    pub const MAX: XftpVersion = XftpVersion(3);
    /// The range that we speak.
    pub const SUPPORTED: VersionRange<XftpVersion> = VersionRange { min: Self::MIN, max: Self::MAX };
    /// Commands can be authorized with X25519 keys.
    pub const AUTH_COMMANDS: XftpVersion = XftpVersion(2);
    /// `BLOCKED` error.
    pub const BLOCKED_FILES: XftpVersion = XftpVersion(3);
}

impl SmpVersion {
    /// The oldest version that we speak.
    pub const MIN: SmpVersion = SmpVersion(6);
    /// The newest version that we speak.
    pub const MAX: SmpVersion = SmpVersion(19);
    /// The range that we speak.
    pub const SUPPORTED: VersionRange<SmpVersion> = VersionRange { min: Self::MIN, max: Self::MAX };
    /// The newest version in which a client may be told to speak to a destination through a proxy. Behind the newest one, so
    /// that a destination cannot tell by the version which of its senders upgraded first.
    pub const PROXIED_MAX: SmpVersion = SmpVersion(17);
    /// Commands can be authorized with X25519 keys, the session ID is signed but not sent.
    pub const AUTH_COMMANDS: SmpVersion = SmpVersion(7);
    /// Private routing: commands forwarded by a proxy.
    pub const SENDING_PROXY: SmpVersion = SmpVersion(8);
    /// Fast queues: the sender can secure the queue with `SKEY`.
    pub const SENDER_AUTH_KEY: SmpVersion = SmpVersion(9);
    /// `DELD` is sent to the subscriber of a deleted queue.
    pub const DELETED_EVENT: SmpVersion = SmpVersion(10);
    /// Blocks are encrypted inside of TLS.
    pub const ENCRYPTED_BLOCKS: SmpVersion = SmpVersion(11);
    /// `BLOCKED` error.
    pub const BLOCKED_ENTITY: SmpVersion = SmpVersion(12);
    /// The client says in its hello whether it is a proxy.
    pub const PROXY_HANDSHAKE: SmpVersion = SmpVersion(14);
    /// Short links with data stored on the relay.
    pub const SHORT_LINKS: SmpVersion = SmpVersion(15);
    /// Services with certificates.
    pub const SERVICE_CERTIFICATES: SmpVersion = SmpVersion(16);
    /// Notification credentials in `NEW`.
    pub const NEW_NOTIFICATIONS: SmpVersion = SmpVersion(17);
    /// Client notices in `BLOCKED`.
    pub const CLIENT_NOTICES: SmpVersion = SmpVersion(18);
    /// Service subscriptions carry a count and a hash of the queue IDs.
    pub const SERVICE_SUBSCRIPTIONS: SmpVersion = SmpVersion(19);
}

impl SmpClientVersion {
    /// The range that we speak.
    pub const SUPPORTED: VersionRange<SmpClientVersion> =
        VersionRange { min: SmpClientVersion(1), max: SmpClientVersion(4) };
}

impl AgentVersion {
    /// The range that we speak.
    pub const SUPPORTED: VersionRange<AgentVersion> =
        VersionRange { min: AgentVersion(2), max: AgentVersion(7) };
}

impl RatchetVersion {
    /// The range that we speak.
    pub const SUPPORTED: VersionRange<RatchetVersion> =
        VersionRange { min: RatchetVersion(2), max: RatchetVersion(3) };
}

/// From one version to another one that is not smaller, both included. Binary: both numbers; text: `6-19`, or `6` for one version.
///
/// Source: section 1.3 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VersionRange<V> {
    min: V,
    max: V,
}

impl<V: Version> VersionRange<V> {
    /// The range from `min` to `max`; `None` if `min` is the larger.
    pub fn new(min: V, max: V) -> Option<Self> {
        (min <= max).then_some(VersionRange { min, max })
    }

    /// The range of one version.
    pub fn only(version: V) -> Self {
        VersionRange { min: version, max: version }
    }

    /// The smallest version.
    pub fn min(&self) -> V {
        self.min
    }

    /// The largest version.
    pub fn max(&self) -> V {
        self.max
    }

    /// Whether `version` is in the range.
    pub fn contains(&self, version: V) -> bool {
        self.min <= version && version <= self.max
    }

    /// The versions in both ranges; `None` if there are none.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        VersionRange::new(self.min.max(other.min), self.max.min(other.max))
    }

    /// The version that two sides with these ranges use: the largest that both know. `None` if there is none.
    pub fn compatible(&self, other: &Self) -> Option<V> {
        self.intersect(other).map(|range| range.max)
    }

    /// The part of the range up to `max`; `None` if `max` is not in the range.
    pub fn capped(&self, max: V) -> Option<Self> {
        self.contains(max).then_some(VersionRange { min: self.min, max })
    }
}

impl<V: Version + fmt::Display> fmt::Display for VersionRange<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            fmt::Display::fmt(&self.min, f)
        } else {
            write!(f, "{}-{}", self.min, self.max)
        }
    }
}

impl<V: Version> Encode for VersionRange<V> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.min.encode(out);
        self.max.encode(out);
    }
}

impl<'a, V: Version> Decode<'a> for VersionRange<V> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        VersionRange::new(input.read()?, input.read()?).ok_or(DecodeError::Invalid("version range"))
    }
}

impl<V: Version> TextEncode for VersionRange<V> {
    fn text_encode(&self, out: &mut String) {
        self.min.text_encode(out);
        if self.min != self.max {
            out.push('-');
            self.max.text_encode(out);
        }
    }
}

impl<V: Version> TextDecode for VersionRange<V> {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        let min = V::text_decode(input)?;
        let max = if input.skip(b"-") { V::text_decode(input)? } else { min };
        VersionRange::new(min, max).ok_or(DecodeError::Invalid("version range"))
    }
}
