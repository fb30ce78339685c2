//! Types and wire format of the SimpleX Messaging Protocol (SMP) and of what travels inside it.
//!
//! Everything here is pure: bytes in, values out, and back. No sockets, no clock, no hidden randomness.
//! The chapters named in the documentation are those of `protocol-spec/`.
//!
//! From the bottom up:
//!
//! | module | what it holds | chapter |
//! |---|---|---|
//! | [`encoding`] | primitive encodings, binary and text | `1-primitives.md` |
//! | [`base64url`], [`padding`] | as in `smp-crypto` | `1-primitives.md` |
//! | [`version`] | versions, ranges, how two sides agree | `10-versions.md` |
//! | [`id`], [`key`] | one type for each kind of ID and for each role of a key | `4-commands.md` |
//! | [`address`] | addresses of relays | `1-primitives.md` |
//! | [`certificate`] | certificate chains and signed keys, as DER | `2-transport.md` |
//! | [`handshake`] | the three handshake messages and both sides' rules | `2-transport.md` |
//! | [`session`] | what both sides have agreed on | `2-transport.md` |
//! | [`transmission`] | authorization, blocks of transmissions | `3-transmissions.md` |
//! | [`command`] | what clients send | `4-commands.md` |
//! | [`message`] | what relays answer and deliver | `4-commands.md` |
//! | [`error`] | errors as they are sent | `4-commands.md` |
//! | [`version_table`] | since when each command and answer exists | `10-versions.md` |
//! | [`body`] | both layers of message bodies, notification metadata | `5-messages.md` |
//! | [`proxy`] | the layers of a forwarded command | `5-messages.md` |
//! | [`pasted`] | links and addresses as people paste them | `8-links.md` |
//! | [`agent`], [`link`], [`chat`] | what two agents say to each other | `6-agent.md`, `8-links.md`, `9-chat.md` |
//! | [`xftp`] | files: their relays, their descriptions | `12-files.md` |

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests are programs of their own, with the time and chance of this machine"
    )
)]

pub mod address;
pub mod agent;
pub mod body;
pub mod certificate;
pub mod chat;
pub mod command;
pub mod encoding;
pub mod error;
pub mod handshake;
pub mod id;
pub mod key;
pub mod link;
pub mod message;
pub mod pasted;
pub mod proxy;
pub mod session;
pub mod transmission;
pub mod version;
pub mod version_table;
pub mod xftp;
pub use smp_crypto::{base64url, padding};
