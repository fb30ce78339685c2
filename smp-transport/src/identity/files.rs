//! An identity on disk, in the files that the reference implementation uses too.
//!
//! | file | content | keep |
//! |---|---|---|
//! | `ca.crt` | offline certificate (then those above it, if there are any) | with the relay, and in the backup |
//! | `ca.key` | its key, PKCS#8 | in the backup only: move it off the machine |
//! | `server.crt` | online certificate (then those between it and the offline one) | with the relay |
//! | `server.key` | its key, PKCS#8 | with the relay |
//! | `fingerprint` | base64url SHA-256 of the offline certificate: the identity in the address | with the relay |
//!
//! Keys are readable by their owner only. Files of the reference implementation load unchanged.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use smp_crypto::{PrivateSignatureKey, base64url};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::authority::CertificateAuthority;
use super::chain;
use super::error::IdentityError;
use super::pem;
use super::relay::RelayIdentity;
use crate::durable::{self, Access, Complete, UNFINISHED, Unfinished};
use crate::owner;

/// Name of the offline certificate's file.
pub const CA_CERTIFICATE: &str = "ca.crt";
/// Name of the offline key's file.
pub const CA_KEY: &str = "ca.key";
/// Name of the online certificate's file.
pub const SERVER_CERTIFICATE: &str = "server.crt";
/// Name of the online key's file.
pub const SERVER_KEY: &str = "server.key";
/// Name of the file with the fingerprint.
pub const FINGERPRINT: &str = "fingerprint";

/// Writes a new identity into `directory`, which is made if it does not exist.
///
/// # Errors
/// [`IdentityError::Exists`] if any of the files exists: nothing is changed then. [`IdentityError::File`] if a file
/// cannot be written.
pub fn create(
    directory: &Path,
    authority: &CertificateAuthority,
    identity: &RelayIdentity,
) -> Result<(), IdentityError> {
    for name in [CA_CERTIFICATE, CA_KEY, SERVER_CERTIFICATE, SERVER_KEY, FINGERPRINT] {
        let path = directory.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(IdentityError::Exists(path));
        }
    }
    if !directory.exists() {
        fs::create_dir_all(directory)
            .and_then(|()| owner::give_to_owner_of_directory(directory))
            .map_err(|source| file_error(directory, source))?;
    }
    write(directory, CA_KEY, &pem::private_key(authority.key()), Access::Owner)?;
    write(directory, CA_CERTIFICATE, &pem::certificate(authority.certificate()), Access::Everybody)?;
    write_leaf(directory, identity)?;
    let fingerprint = base64url::encode(&identity.fingerprint()) + "\n";
    write(directory, FINGERPRINT, &fingerprint, Access::Everybody)
}

/// Reads what a running relay needs: everything but the offline key, which may be absent. A missing `fingerprint`
/// file is not an error either, since it follows from the certificates.
///
/// # Errors
/// [`IdentityError`] says which file is missing or wrong.
pub fn load(directory: &Path, now: OffsetDateTime) -> Result<RelayIdentity, IdentityError> {
    let Leaf { mut chain, key, .. } = read_leaf(directory)?;
    chain.extend(read_certificates(directory, CA_CERTIFICATE)?);
    let identity = RelayIdentity::new(chain, key, now)?;
    check_fingerprint(directory, &identity)?;
    Ok(identity)
}

/// From when the certificates are valid: an earlier time is that of a wrong clock.
///
/// # Errors
/// [`IdentityError`] says which file is missing or wrong.
pub fn valid_from(directory: &Path) -> Result<OffsetDateTime, IdentityError> {
    let mut certificates = read_leaf(directory)?.chain;
    certificates.extend(read_certificates(directory, CA_CERTIFICATE)?);
    let seconds = chain::valid_from(&certificates)?;
    Ok(OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

/// Reads the offline certificate and key.
///
/// # Errors
/// [`IdentityError`] says which file is missing or wrong.
pub fn load_authority(directory: &Path) -> Result<CertificateAuthority, IdentityError> {
    load_authority_with(directory, &directory.join(CA_KEY))
}

/// Reads the offline certificate in this directory, and the offline key wherever it is kept.
///
/// # Errors
/// [`IdentityError`] says which file is missing or wrong.
pub fn load_authority_with(directory: &Path, key: &Path) -> Result<CertificateAuthority, IdentityError> {
    let certificate = read_certificates(directory, CA_CERTIFICATE)?.swap_remove(0);
    CertificateAuthority::new(certificate, read_key(key.to_path_buf())?)
}

/// Whether the offline key is in the directory, where it should not stay.
#[must_use]
pub fn has_authority_key(directory: &Path) -> bool {
    directory.join(CA_KEY).symlink_metadata().is_ok()
}

/// Replaces the online certificate and key by those of `identity`; the address of the relay stays the same.
///
/// # Errors
/// [`IdentityError::FingerprintMismatch`] if `identity` is another relay's, [`IdentityError::File`] if a file cannot
/// be written.
pub fn replace_leaf(directory: &Path, identity: &RelayIdentity) -> Result<(), IdentityError> {
    check_fingerprint(directory, identity)?;
    // Else the only copy of the key that is in force could be the one that is written over.
    finish_rotation(directory)?;
    write_leaf(directory, identity)
}

/// Certificate and key are two files, and no rename changes two. So both are complete beside the old ones before the first
/// gets its name: whenever the machine stops, there is a pair that fits ([`read_leaf`]), the old one or the new one.
fn write_leaf(directory: &Path, identity: &RelayIdentity) -> Result<(), IdentityError> {
    let leaf = identity.chain().first().map(pem::certificate).unwrap_or_default();
    let key = write_beside(directory, SERVER_KEY, &pem::private_key(identity.key()), Access::Owner)?;
    let certificate = write_beside(directory, SERVER_CERTIFICATE, &leaf, Access::Everybody)?;
    durable::sync(directory).map_err(|source| file_error(directory, source))?;
    finish(key, directory)?;
    finish(certificate, directory)
}

/// Gives the files of a rotation that was cut off their names, if one of them has its name already.
///
/// # Errors
/// [`IdentityError::File`] if they cannot be renamed. Files that are missing or wrong are not its business.
pub fn finish_rotation(directory: &Path) -> Result<(), IdentityError> {
    match read_leaf(directory) {
        Ok(Leaf { unfinished: Some(name), .. }) => match Complete::left_for(&directory.join(name)) {
            Some(complete) => finish(complete, directory),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The online certificates and their key.
struct Leaf {
    chain: Vec<rustls_pki_types::CertificateDer<'static>>,
    key: PrivateSignatureKey,
    /// Which of the two files has not got its name yet, because a rotation was cut off.
    unfinished: Option<&'static str>,
}

impl Leaf {
    fn read(directory: &Path, unfinished: Option<&'static str>) -> Result<Self, IdentityError> {
        let name = |name: &str| match unfinished {
            Some(unfinished) if unfinished == name => format!("{name}{UNFINISHED}"),
            _ => name.to_owned(),
        };
        let chain = read_certificates(directory, &name(SERVER_CERTIFICATE))?;
        Ok(Leaf { chain, key: read_key(directory.join(name(SERVER_KEY)))?, unfinished })
    }

    fn fits(&self) -> bool {
        let certified = self.chain.first().map(chain::public_key);
        matches!(certified, Some(Ok(key)) if key == self.key.public_key())
    }
}

/// Reads the pair that is in force: the two files, unless a rotation was cut off between them.
fn read_leaf(directory: &Path) -> Result<Leaf, IdentityError> {
    let current = Leaf::read(directory, None);
    if current.as_ref().is_ok_and(Leaf::fits) {
        return current;
    }
    let cut_off = [SERVER_CERTIFICATE, SERVER_KEY]
        .into_iter()
        .find_map(|unfinished| Leaf::read(directory, Some(unfinished)).ok().filter(Leaf::fits));
    cut_off.map_or(current, Ok)
}

fn check_fingerprint(directory: &Path, identity: &RelayIdentity) -> Result<(), IdentityError> {
    let path = directory.join(FINGERPRINT);
    let recorded = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(file_error(&path, error)),
    };
    let recorded = recorded.trim();
    if base64url::decode(recorded).is_ok_and(|bytes| bytes == identity.fingerprint()) {
        return Ok(());
    }
    Err(IdentityError::FingerprintMismatch {
        recorded: recorded.to_owned(),
        actual: base64url::encode(&identity.fingerprint()),
    })
}

fn read_certificates(
    directory: &Path,
    name: &str,
) -> Result<Vec<rustls_pki_types::CertificateDer<'static>>, IdentityError> {
    let path = directory.join(name);
    let text = fs::read(&path).map_err(|source| file_error(&path, source))?;
    pem::read_certificates(&text).ok_or(IdentityError::Pem { path, expected: "a certificate" })
}

fn read_key(path: PathBuf) -> Result<PrivateSignatureKey, IdentityError> {
    let text = Zeroizing::new(fs::read(&path).map_err(|source| file_error(&path, source))?);
    let der = pem::read_private_key(&text).ok_or(IdentityError::Pem { path, expected: "a private key" })?;
    PrivateSignatureKey::from_der(der.secret_pkcs8_der()).map_err(|_| IdentityError::UnsupportedKey)
}

/// Writes a file so that a crash leaves the old or the new content, never a part.
fn write(directory: &Path, name: &str, text: &str, access: Access) -> Result<(), IdentityError> {
    let path = directory.join(name);
    durable::replace(&path, text.as_bytes(), access).map_err(|source| file_error(&path, source))
}

/// Writes the new content of a file beside it.
fn write_beside(directory: &Path, name: &str, text: &str, access: Access) -> Result<Complete, IdentityError> {
    let path = directory.join(name);
    let write = || {
        let mut unfinished = Unfinished::create(&path, access)?;
        unfinished.write_all(text.as_bytes())?;
        unfinished.complete()
    };
    write().map_err(|source| file_error(&path, source))
}

/// Puts the new content in the place of the old one.
fn finish(complete: Complete, directory: &Path) -> Result<(), IdentityError> {
    complete.finish().map_err(|source| file_error(directory, source))
}

fn file_error(path: &Path, source: io::Error) -> IdentityError {
    IdentityError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::KeyAlgorithm;

    /// Key, certificate, and what is beside them; which pair is in force.
    type State<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, &'a RelayIdentity);

    /// Content of a directory when the machine stops after each step of a rotation. Renames that were not made durable can be
    /// there in any order.
    #[test]
    fn a_rotation_that_is_cut_off_leaves_a_pair_that_fits() {
        let (now, rng) = (OffsetDateTime::now_utc(), &mut rand::rng());
        let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, rng);
        let mut issue = || authority.issue("relay.example", KeyAlgorithm::Ed25519, now, rng).unwrap();
        let (old, new, next) = (issue(), issue(), issue());
        let text = |identity: &RelayIdentity| {
            let certificate = pem::certificate(&identity.chain()[0]);
            [pem::private_key(identity.key()).to_string(), certificate.to_string()]
        };
        let (new_key, new_certificate) =
            (format!("{SERVER_KEY}{UNFINISHED}"), format!("{SERVER_CERTIFICATE}{UNFINISHED}"));
        let [old_texts, new_texts] = [text(&old), text(&new)];
        let states: [State<'_>; 7] = [
            (&old_texts[0], &old_texts[1], vec![(&new_key, &new_texts[0][..20])], &old),
            (&old_texts[0], &old_texts[1], vec![(&new_key, &new_texts[0])], &old),
            (&old_texts[0], &old_texts[1], vec![(&new_key, &new_texts[0]), (&new_certificate, "")], &old),
            (
                &old_texts[0],
                &old_texts[1],
                vec![(&new_key, &new_texts[0]), (&new_certificate, &new_texts[1])],
                &old,
            ),
            (&new_texts[0], &old_texts[1], vec![(&new_certificate, &new_texts[1])], &new),
            (&old_texts[0], &new_texts[1], vec![(&new_key, &new_texts[0])], &new),
            (&new_texts[0], &new_texts[1], vec![], &new),
        ];
        for (number, (key, certificate, beside, in_force)) in states.into_iter().enumerate() {
            for again in [false, true] {
                let directory = tempfile::tempdir().unwrap();
                create(directory.path(), &authority, &old).unwrap();
                for (name, text) in
                    [(SERVER_KEY, key), (SERVER_CERTIFICATE, certificate)].iter().chain(&beside)
                {
                    fs::write(directory.path().join(name), text).unwrap();
                }
                let chain = |directory: &Path| load(directory, now).unwrap().chain().to_vec();
                assert_eq!(chain(directory.path()), in_force.chain(), "state {number}");
                if again {
                    replace_leaf(directory.path(), &next).unwrap();
                    assert_eq!(chain(directory.path()), next.chain(), "state {number}");
                } else {
                    finish_rotation(directory.path()).unwrap();
                    assert!(Leaf::read(directory.path(), None).unwrap().fits(), "state {number}");
                    assert_eq!(chain(directory.path()), in_force.chain(), "state {number}");
                }
            }
        }
    }

    #[test]
    fn certificates_say_from_when_they_are_valid() {
        let (now, rng) = (OffsetDateTime::now_utc(), &mut rand::rng());
        let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, rng);
        let identity = authority.issue("relay.example", KeyAlgorithm::Ed25519, now, rng).unwrap();
        let directory = tempfile::tempdir().unwrap();
        create(directory.path(), &authority, &identity).unwrap();
        let from = valid_from(directory.path()).unwrap();
        assert!(load(directory.path(), from).is_ok());
        assert!(load(directory.path(), from - std::time::Duration::from_secs(1)).is_err());
    }
}
