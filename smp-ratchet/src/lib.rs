//! The post-quantum double ratchet with header encryption.
