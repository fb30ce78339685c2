//! The common part of all secrets.

/// `Debug` that prints no secret and comparison in constant time, for a type with `as_bytes`.
#[macro_export]
macro_rules! secret_traits {
    ($type:ident) => {
        impl std::fmt::Debug for $type {
            /// Prints the name of the type only.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(..)"))
            }
        }

        impl PartialEq for $type {
            /// Compares in constant time.
            fn eq(&self, other: &Self) -> bool {
                subtle::ConstantTimeEq::ct_eq(self.as_bytes().as_slice(), other.as_bytes().as_slice()).into()
            }
        }

        impl Eq for $type {}
    };
}

/// A type for a secret of a fixed size in bytes: overwritten on drop, printed as its name only, compared in constant time.
///
/// The crate that uses it depends on `zeroize` and `subtle`.
#[macro_export]
macro_rules! secret_bytes {
    ($(#[$doc:meta])* $type:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
        pub struct $type([u8; $size]);

        impl $type {
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

            /// The secret that these bytes are, or nothing if there are more or fewer.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        $crate::secret_traits!($type);
    };
}
