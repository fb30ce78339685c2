//! The files of the new relay apart from its store.

use std::{fs, io, path::Path};

use smp_transport::{durable, identity::files};

use super::report::ImportError;

/// Copies what is there byte for byte; the key of the offline certificate is usually somewhere safe. Says whether it was
/// there.
pub(super) fn copy_identity(from: &Path, to: &Path) -> Result<bool, ImportError> {
    durable::make_dir(to).map_err(|error| ImportError::Write(to.to_path_buf(), error))?;
    let has_authority_key = files::has_authority_key(from);
    let names = [files::CA_CERTIFICATE, files::SERVER_CERTIFICATE, files::SERVER_KEY, files::FINGERPRINT];
    for name in names.into_iter().chain(has_authority_key.then_some(files::CA_KEY)) {
        let source = from.join(name);
        let text = match fs::read_to_string(&source) {
            Ok(text) => zeroize::Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound && name == files::FINGERPRINT => continue,
            Err(error) => return Err(ImportError::Read(source, error)),
        };
        write_new(&to.join(name), &text)?;
    }
    Ok(has_authority_key)
}

/// Writes a file that only its owner can read: it may hold a key or the password.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), ImportError> {
    durable::write_new(path, text.as_bytes()).map_err(|error| ImportError::Write(path.to_path_buf(), error))
}
