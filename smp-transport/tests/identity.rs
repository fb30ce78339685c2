//! Identities on disk: our own, and those of the reference implementation.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use smp_transport::identity::{
    CertificateAuthority, CertificateRole, ChainError, IdentityError, KeyAlgorithm, RelayIdentity, files,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-12-01 12:00 UTC);
const ALGORITHMS: [KeyAlgorithm; 2] = [KeyAlgorithm::Ed25519, KeyAlgorithm::Ed448];

fn new_identity(ca: KeyAlgorithm, leaf: KeyAlgorithm) -> (CertificateAuthority, RelayIdentity) {
    let authority = CertificateAuthority::generate(ca, NOW, &mut rand::rng());
    let identity = authority.issue("relay.example.com", leaf, NOW, &mut rand::rng()).unwrap();
    (authority, identity)
}

fn sample(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")).join(name)
}

#[test]
fn identities_come_back_from_disk() {
    for ca in ALGORITHMS {
        for leaf in ALGORITHMS {
            let directory = tempfile::tempdir().unwrap();
            let (authority, identity) = new_identity(ca, leaf);
            files::create(directory.path(), &authority, &identity).unwrap();

            let loaded = files::load(directory.path(), NOW).unwrap();
            assert_eq!(loaded.chain(), identity.chain());
            assert_eq!(loaded.key(), identity.key());
            assert_eq!(loaded.fingerprint(), authority.fingerprint());
            let authority_loaded = files::load_authority(directory.path()).unwrap();
            assert_eq!(authority_loaded.certificate(), authority.certificate());
            assert_eq!(authority_loaded.key(), authority.key());
        }
    }
}

#[cfg(unix)]
#[test]
fn keys_are_private_on_disk() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let (authority, identity) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    files::create(directory.path(), &authority, &identity).unwrap();
    for name in [files::CA_KEY, files::SERVER_KEY] {
        let mode = fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn an_existing_identity_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let (authority, identity) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    files::create(directory.path(), &authority, &identity).unwrap();
    let (other, other_identity) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    let refused = files::create(directory.path(), &other, &other_identity);
    assert!(matches!(refused, Err(IdentityError::Exists(path)) if path.ends_with(files::CA_CERTIFICATE)));
    assert_eq!(files::load(directory.path(), NOW).unwrap().fingerprint(), authority.fingerprint());
}

#[test]
fn rotation_keeps_the_fingerprint() {
    let directory = tempfile::tempdir().unwrap();
    let (authority, identity) = new_identity(KeyAlgorithm::Ed448, KeyAlgorithm::Ed25519);
    files::create(directory.path(), &authority, &identity).unwrap();
    let loaded = files::load_authority(directory.path()).unwrap();
    let next = loaded.issue("relay.example.com", KeyAlgorithm::Ed448, NOW, &mut rand::rng()).unwrap();
    files::replace_leaf(directory.path(), &next).unwrap();

    let rotated = files::load(directory.path(), NOW).unwrap();
    assert_eq!(rotated.fingerprint(), identity.fingerprint());
    assert_ne!(rotated.key(), identity.key());

    let (_, foreign) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    let refused = files::replace_leaf(directory.path(), &foreign);
    assert!(matches!(refused, Err(IdentityError::FingerprintMismatch { .. })));
}

#[test]
fn the_offline_key_may_be_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let (authority, identity) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    files::create(directory.path(), &authority, &identity).unwrap();
    assert!(files::has_authority_key(directory.path()));
    fs::remove_file(directory.path().join(files::CA_KEY)).unwrap();
    assert!(!files::has_authority_key(directory.path()));
    files::load(directory.path(), NOW).unwrap();
    let missing = files::load_authority(directory.path());
    assert!(matches!(missing, Err(IdentityError::File { path, .. }) if path.ends_with(files::CA_KEY)));
}

/// Loads an identity after one of its files was replaced by the same file of another identity.
fn load_with_foreign(name: &str) -> IdentityError {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for directory in [&ours, &theirs] {
        let (authority, identity) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
        files::create(directory.path(), &authority, &identity).unwrap();
    }
    fs::copy(theirs.path().join(name), ours.path().join(name)).unwrap();
    if name == files::CA_KEY {
        return files::load_authority(ours.path()).unwrap_err();
    }
    files::load(ours.path(), NOW).unwrap_err()
}

#[test]
fn mixed_up_files_are_named() {
    let error = load_with_foreign(files::SERVER_KEY);
    assert!(matches!(error, IdentityError::KeyMismatch(CertificateRole::Leaf)), "{error}");
    let error = load_with_foreign(files::CA_KEY);
    assert!(matches!(error, IdentityError::KeyMismatch(CertificateRole::Authority)), "{error}");
    for name in [files::SERVER_CERTIFICATE, files::CA_CERTIFICATE] {
        let error = load_with_foreign(name);
        assert!(matches!(error, IdentityError::Chain(ChainError::NotSigned(0))), "{name}: {error}");
    }
    let error = load_with_foreign(files::FINGERPRINT);
    assert!(matches!(error, IdentityError::FingerprintMismatch { .. }), "{error}");
}

#[test]
fn damaged_files_are_named() {
    for name in [files::SERVER_CERTIFICATE, files::CA_CERTIFICATE, files::SERVER_KEY] {
        let directory = tempfile::tempdir().unwrap();
        let (authority, identity) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
        files::create(directory.path(), &authority, &identity).unwrap();
        for content in ["", "no PEM at all\n"] {
            fs::write(directory.path().join(name), content).unwrap();
            let error = files::load(directory.path(), NOW).unwrap_err();
            assert!(matches!(&error, IdentityError::Pem { path, .. } if path.ends_with(name)), "{error}");
        }
    }
}

#[test]
fn every_flipped_byte_of_a_certificate_is_noticed() {
    let (_, identity) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    let [leaf, ca] = identity.chain() else { panic!("two certificates") };
    for position in 0..leaf.len() {
        let mut damaged = leaf.to_vec();
        damaged[position] ^= 1;
        let chain = vec![damaged.into(), ca.clone()];
        assert!(RelayIdentity::new(chain, identity.key().clone(), NOW).is_err(), "byte {position}");
    }
}

#[test]
fn certificates_have_a_time() {
    let (_, identity) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    let at = |now| RelayIdentity::new(identity.chain().to_vec(), identity.key().clone(), now);
    at(NOW - Duration::hours(23)).unwrap();
    at(NOW + Duration::days(365 * 2000)).unwrap();
    let early = at(NOW - Duration::days(2)).unwrap_err();
    assert!(matches!(early, IdentityError::Chain(ChainError::NotYetValid(0))), "{early}");
    let late = at(datetime!(4999-01-01 0:00 UTC)).unwrap_err();
    assert!(matches!(late, IdentityError::Chain(ChainError::Expired(0))), "{late}");
}

#[test]
fn host_names_have_limits() {
    let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, NOW, &mut rand::rng());
    let long = "h".repeat(65);
    for host in ["", &long] {
        let refused = authority.issue(host, KeyAlgorithm::Ed25519, NOW, &mut rand::rng());
        assert!(matches!(refused, Err(IdentityError::HostName)));
    }
    authority.issue(&long[..64], KeyAlgorithm::Ed25519, NOW, &mut rand::rng()).unwrap();
}

#[test]
fn configuration_directories_of_the_reference_load() {
    for name in ["reference-ed25519", "openssl-ed448"] {
        let identity = files::load(&sample(name), NOW).unwrap();
        let authority = files::load_authority(&sample(name)).unwrap();
        assert_eq!(identity.fingerprint(), authority.fingerprint(), "{name}");
        let leaf = authority.issue("localhost", KeyAlgorithm::Ed25519, NOW, &mut rand::rng()).unwrap();
        assert_eq!(leaf.fingerprint(), identity.fingerprint(), "{name}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let (authority, identity) = new_identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    let printed = format!("{authority:?} {identity:?} {:?}", identity.key());
    assert_eq!(
        printed,
        "CertificateAuthority { .. } RelayIdentity { certificates: 2, .. } Ed25519(Ed25519PrivateKey(..))"
    );
}
