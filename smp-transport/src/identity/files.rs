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

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use smp_crypto::{PrivateSignatureKey, base64url};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::authority::CertificateAuthority;
use super::error::IdentityError;
use super::pem;
use super::relay::RelayIdentity;

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

/// Appended to a file's name while its new content is written.
const UNFINISHED: &str = ".new";

/// Who may read a file.
#[derive(Clone, Copy)]
enum Access {
    Owner,
    Everybody,
}

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
    fs::create_dir_all(directory).map_err(|source| file_error(directory, source))?;
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
    let mut chain = read_certificates(directory, SERVER_CERTIFICATE)?;
    chain.extend(read_certificates(directory, CA_CERTIFICATE)?);
    let identity = RelayIdentity::new(chain, read_key(directory.join(SERVER_KEY))?, now)?;
    check_fingerprint(directory, &identity)?;
    Ok(identity)
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
    write_leaf(directory, identity)
}

/// The online key goes first: should the machine stop in between, loading reports a mismatch and rotation can be
/// repeated.
fn write_leaf(directory: &Path, identity: &RelayIdentity) -> Result<(), IdentityError> {
    write(directory, SERVER_KEY, &pem::private_key(identity.key()), Access::Owner)?;
    let leaf = identity.chain().first().map(pem::certificate).unwrap_or_default();
    write(directory, SERVER_CERTIFICATE, &leaf, Access::Everybody)
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
    let unfinished: PathBuf = directory.join(format!("{name}{UNFINISHED}"));
    write_synced(&unfinished, text, access)
        .and_then(|()| fs::rename(&unfinished, &path))
        .map_err(|source| file_error(&path, source))
}

fn write_synced(path: &Path, text: &str, access: Access) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    restrict(&mut options, access);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, access: Access) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(match access {
        Access::Owner => 0o600,
        Access::Everybody => 0o644,
    });
}

#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions, _access: Access) {}

fn file_error(path: &Path, source: io::Error) -> IdentityError {
    IdentityError::File { path: path.to_owned(), source }
}
