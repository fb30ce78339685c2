//! TLS, relay identity, handshake, block framing and the relay client.
