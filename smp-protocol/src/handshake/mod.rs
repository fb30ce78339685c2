//! The handshake messages and how both sides agree (chapter `2-transport.md`).
//!
//! 1. The relay sends a [`RelayHello`] ([`relay::hello`]).
//! 2. The client checks it and answers with a [`ClientHello`] ([`client::answer`]); the relay checks that ([`relay::agree`]).
//! 3. Only if the client presented itself as a service: the relay checks the service ([`relay::verify_service`]), registers it
//!    and sends a [`ServiceResponse`].
//!
//! Each message is alone in a padded block. Readers ignore what follows a message, so that it can be extended.

pub mod client;
mod messages;
pub mod relay;

pub use messages::{ClientHello, ClientService, RelayHello, ServiceResponse, ServiceRole};
