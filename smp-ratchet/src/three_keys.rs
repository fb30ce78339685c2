//! The three keys that a derivation gives.

/// Cuts the 96 bytes that every derivation of the ratchet gives into its three keys.
pub(crate) fn three_keys(output: &[u8; 96]) -> (&[u8; 32], &[u8; 32], &[u8; 32]) {
    let (first, rest) = split::<96>(output);
    let (second, third) = split::<64>(rest);
    let Ok(third) = third.try_into() else { unreachable!("96 bytes are three times 32") };
    (first, second, third)
}

/// The first 32 of `N` bytes, and the others.
fn split<const N: usize>(bytes: &[u8]) -> (&[u8; 32], &[u8]) {
    let Some(parts) = bytes.split_first_chunk() else { unreachable!("{N} bytes are more than 32") };
    parts
}
