//! The handshake of file relays: two requests of the client, before its commands.
//!
//! 1. The client's first request has no body; a browser sends a block with a [`WebHello`]. The relay answers with a block that
//!    holds an [`XftpRelayHello`] ([`relay::hello`]).
//! 2. The client checks it and sends a block with an [`XftpClientHello`] ([`client::answer`]). The relay checks that
//!    ([`relay::agree`]) and answers with an empty body.
//!
//! Where the relay refuses, its answer is a block with an error and nothing else ([`read_refusal`]). Readers ignore bytes
//! that follow a message. On connections without ALPN there is no handshake: see
//! [`XftpSession::without_handshake`](super::session::XftpSession::without_handshake).

pub mod client;
mod messages;
pub mod relay;

pub use messages::{
    CHALLENGE_BYTES, Challenge, WebHello, XftpClientHello, XftpRelayHello, read_refusal, refusal,
};

/// Header of a browser's request that says that it is a hello. Browsers cannot know whether their connection is a new one.
pub const WEB_HELLO_HEADER: &str = "xftp-web-hello";
/// Header of a browser's request that says that it is the client's hello.
pub const WEB_HANDSHAKE_HEADER: &str = "xftp-handshake";
