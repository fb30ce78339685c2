use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use crate::*;

/// One test module for the two types of an algorithm.
macro_rules! test_key_types {
    ($module:ident, $private:ident, $public:ident) => {
        mod $module {
            use super::*;

            proptest! {
                #[test]
                fn all_forms_come_back(seed: u64) {
                    let private = $private::generate(&mut ChaCha20Rng::seed_from_u64(seed));
                    let public = private.public_key();
                    prop_assert_eq!($private::from_der(private.to_der().as_ref()), Ok(private.clone()));
                    prop_assert_eq!($private::from_text(&private.to_text()), Ok(private.clone()));
                    prop_assert_eq!(&$private::from_bytes(*private.to_bytes()), &private);
                    prop_assert_eq!($public::from_der(&public.to_der()), Ok(public));
                    prop_assert_eq!($public::from_text(&public.to_text()), Ok(public));
                    prop_assert_eq!($public::from_bytes(public.to_bytes()), public);
                }

                #[test]
                fn readers_never_panic(bytes: Vec<u8>, text: String) {
                    let _ = ($private::from_der(&bytes), $public::from_der(&bytes));
                    let _ = ($private::from_text(&text), $public::from_text(&text));
                    let _ = ($private::try_from(&bytes[..]), $public::try_from(&bytes[..]));
                }

                #[test]
                fn one_encoding_only(seed: u64, place: prop::sample::Index, change in 1..=255_u8) {
                    let private = $private::generate(&mut ChaCha20Rng::seed_from_u64(seed));
                    let mut der = private.public_key().to_der();
                    der[place.index($public::DER_SIZE)] ^= change;
                    if let Ok(other) = $public::from_der(&der) {
                        prop_assert_ne!(other, private.public_key());
                        prop_assert_eq!(other.to_der(), der);
                    }
                }
            }

            #[test]
            fn sizes_are_checked() {
                let expected = $public::SIZE;
                for actual in [0, expected - 1, expected + 1] {
                    let error = KeyError::Size { expected, actual };
                    assert_eq!($public::try_from(&vec![1; actual][..]), Err(error));
                    assert_eq!($private::try_from(&vec![1; actual][..]), Err(error));
                }
            }

            #[test]
            fn nothing_is_printed() {
                let private = $private::from_bytes([7; $private::SIZE]);
                assert_eq!(format!("{private:?}"), concat!(stringify!($private), "(..)"));
                assert_eq!(format!("{:?}", private.public_key()), concat!(stringify!($public), "(..)"));
            }

            #[test]
            fn private_and_public_forms_are_not_mixed_up() {
                let private = $private::from_bytes([7; $private::SIZE]);
                assert_eq!($public::from_der(private.to_der().as_ref()), Err(KeyError::Encoding));
                assert_eq!($private::from_der(&private.public_key().to_der()), Err(KeyError::Encoding));
                assert_eq!($public::from_text("*"), Err(KeyError::Text));
            }
        }
    };
}

test_key_types!(ed25519, Ed25519PrivateKey, Ed25519PublicKey);
test_key_types!(ed448, Ed448PrivateKey, Ed448PublicKey);
test_key_types!(x25519, X25519PrivateKey, X25519PublicKey);
test_key_types!(x448, X448PrivateKey, X448PublicKey);

#[test]
fn secrets_compare_and_do_not_print() {
    let (one, same, other) = (
        DhSecret::from_bytes([1; 32]),
        DhSecret::from_slice(&[1; 32]).unwrap(),
        DhSecret::from_bytes([2; 32]),
    );
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert_eq!(DhSecret::from_slice(&[1; 31]), None);
    assert_eq!(format!("{one:?} {:?}", one.box_key()), "DhSecret(..) BoxKey(..)");
}
