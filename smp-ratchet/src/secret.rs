//! What every secret of the ratchet has in common.

/// A secret of a fixed size: wiped when dropped, printed as its name only, compared in constant time.
macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
        pub struct $name([u8; $size]);

        impl $name {
            /// Size in bytes.
            pub const SIZE: usize = $size;

            /// The secret with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }

            /// The bytes of the secret.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            /// Prints the name of the type only.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl PartialEq for $name {
            /// Compares in constant time.
            fn eq(&self, other: &Self) -> bool {
                subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
            }
        }

        impl Eq for $name {}
    };
}

pub(crate) use secret;

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
