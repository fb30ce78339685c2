//! Authorization of commands (protocol-spec chapter 3).

mod keys;
mod verify;

pub(crate) use keys::SessionKeys;
pub(crate) use verify::{Authorization, NobodysKeys, Proof, verify};
