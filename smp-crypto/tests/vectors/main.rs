//! The reference's vectors that concern keys, boxes and block chains (`protocol-spec/vectors`).
//!
//! Each file is run twice: once as it is, and once for every field of every case with a character of that field
//! changed, which must make the case fail.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod block_encryption;
mod boxes;
mod keys;
mod support;
