//! Ratchets and keys as they are stored: whatever is in the file must not panic, and what is accepted was written by us.

use smp_ratchet::{JoiningKeys, OfferedKeys, Ratchet};

use super::ratchet_message::conversations;
use crate::seeds::Vectors;

macro_rules! stored_form_is_unique {
    ($data:expr, $($type:ty),+) => {$(
        if let Ok(value) = <$type>::from_bytes($data) {
            assert_eq!(&value.to_bytes()[..], $data);
        }
    )+};
}

/// Reads the input as each of the stored values.
pub fn run(data: &[u8]) {
    stored_form_is_unique!(data, Ratchet, OfferedKeys, JoiningKeys);
}

/// The ratchets of [`ratchet_message`](super::ratchet_message), at rest.
pub fn seeds(_: &Vectors) -> Vec<Vec<u8>> {
    conversations().iter().map(|conversation| conversation.ratchet().to_bytes().to_vec()).collect()
}
