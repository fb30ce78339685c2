//! Owners of files: a file that is made in a directory belongs to the owner of the directory.
//!
//! So a command that root runs by mistake, or on purpose, leaves nothing that the service's own user cannot open.

use std::{io, path::Path};

/// Gives a new file to the owner of the directory that it is in. Changes nothing for anybody but root.
///
/// # Errors
/// If the owner cannot be read or changed; not if that is not allowed.
#[cfg(unix)]
pub fn give_to_owner_of_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, lchown};
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (wanted, now) = (directory.metadata()?, path.symlink_metadata()?);
    if wanted.uid() == now.uid() {
        return Ok(());
    }
    match lchown(path, Some(wanted.uid()), Some(wanted.gid())) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// Gives a new file to the owner of the directory that it is in. Changes nothing for anybody but root.
///
/// # Errors
/// None here: owners of files are a matter of Unix.
#[cfg(not(unix))]
pub fn give_to_owner_of_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The owner of a file that may not be used, the user of this process, and the way to mend it. Empty where that is not known.
#[cfg(unix)]
#[must_use]
pub fn explain_denied(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    // A file that cannot be looked at, or is not there, is kept from us by a directory above it.
    let Some((found, owner)) = path.ancestors().find_map(|path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.metadata().ok().map(|metadata| (path, metadata))
    }) else {
        return String::new();
    };
    let Ok(process) = Path::new("/proc/self").metadata() else { return String::new() };
    let (theirs, ours) = (name(owner.uid()), name(process.uid()));
    if owner.uid() == process.uid() {
        return format!(
            "{} belongs to {ours}, who runs this, but its mode is {:o}",
            found.display(),
            owner.mode() & 0o7777
        );
    }
    let directory = found.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(found);
    format!(
        "{} belongs to {theirs} and this runs as {ours}: run it as {theirs}, or give the files to {ours} (as root: chown -R {}:{} {})",
        found.display(),
        process.uid(),
        process.gid(),
        directory.display()
    )
}

/// The owner of a file that may not be used, the user of this process, and the way to mend it. Empty where that is not known.
#[cfg(not(unix))]
#[must_use]
pub fn explain_denied(_: &Path) -> String {
    String::new()
}

/// The user's name, if this machine has one for it.
#[cfg(unix)]
fn name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    user.map_or_else(|| format!("user {uid}"), |name| format!("{name} ({uid})"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, chown};

    use super::*;

    #[test]
    fn a_new_file_is_its_directory_owners() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        give_to_owner_of_directory(&file).unwrap();
        let own = directory.path().metadata().unwrap().uid();
        assert_eq!(file.metadata().unwrap().uid(), own);
        if chown(directory.path(), Some(65_534), Some(65_534)).is_err() {
            return println!("skipped: only root can give files away");
        }
        give_to_owner_of_directory(&file).unwrap();
        assert_eq!((file.metadata().unwrap().uid(), file.metadata().unwrap().gid()), (65_534, 65_534));
        if own == 0 {
            let said = explain_denied(&file);
            assert!(
                said.contains("65534") && said.contains("root (0)") && said.contains("chown -R 0:0"),
                "{said}"
            );
        }
    }
}
