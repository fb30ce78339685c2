//! The files of the new relay apart from its store.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use smp_transport::identity::files;

use super::report::ImportError;
use crate::init::make_private_dir;

/// Copies what is there byte for byte; the key of the offline certificate is usually somewhere safe. Says whether it was
/// there.
pub(super) fn copy_identity(from: &Path, to: &Path) -> Result<bool, ImportError> {
    make_private_dir(to).map_err(|error| ImportError::Write(to.to_path_buf(), error))?;
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
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| ImportError::Write(path.to_path_buf(), error))
}
