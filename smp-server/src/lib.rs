//! The SMP relay.
