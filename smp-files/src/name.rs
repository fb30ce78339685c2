//! Names of received files: what a sender wrote becomes the name of one file, in the directory that was meant.
//!
//! Invariant: a name is one component of a path, visible, not hidden, without control characters, and at most `MAX_NAME` bytes long.

use std::io;
use std::path::{Path, PathBuf};

/// The name of a file whose sender gave it none.
const NAMELESS: &str = "file";
/// Bytes of a name, so that a number still fits behind it.
const MAX_NAME: usize = 200;
/// How many numbers are tried behind a name that is taken.
const MAX_NUMBER: u32 = 10_000;

/// The name under which a file is kept that its sender called so.
#[must_use]
pub fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    // Also those that turn the direction of text, behind which an ending can hide.
    let visible = last.chars().filter(|c| !c.is_control() && !is_invisible(*c));
    let cleaned: String = visible.map(|c| if "<>:\"|?*".contains(c) { '_' } else { c }).collect();
    let trimmed = cleaned.trim().trim_end_matches('.').trim_start_matches('.').trim();
    if trimmed.is_empty() { NAMELESS.to_owned() } else { shortened(trimmed) }
}

/// A path in a directory at which nothing is: the name itself, or with a number in front of its ending.
fn numbered(directory: &Path, name: &str, number: u32) -> PathBuf {
    if number == 0 {
        return directory.join(name);
    }
    match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() => directory.join(format!("{stem} ({number}).{end}")),
        _ => directory.join(format!("{name} ({number})")),
    }
}

/// Gives a complete file a name in a directory that no other file has, and says where it is.
///
/// # Errors
/// Of the system.
pub fn place(file: &Path, directory: &Path, name: &str) -> io::Result<PathBuf> {
    let name = safe_name(name);
    for number in 0..MAX_NUMBER {
        let path = numbered(directory, &name, number);
        // A second name, which never replaces another file.
        match std::fs::hard_link(file, &path) {
            Ok(()) => {
                std::fs::remove_file(file)?;
                smp_transport::durable::sync_name(&path)?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // There are file systems without second names.
            Err(_) if !path.exists() => {
                smp_transport::durable::rename(file, &path)?;
                return Ok(path);
            }
            Err(_) => {}
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// At most so many bytes, with the ending.
fn shortened(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let (stem, end) = match name.rsplit_once('.') {
        Some((stem, end)) if end.len() < 20 => (stem, format!(".{end}")),
        _ => (name, String::new()),
    };
    let mut length = MAX_NAME - end.len();
    while !stem.is_char_boundary(length) {
        length -= 1;
    }
    format!("{}{end}", &stem[..length])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_one_visible_component() {
        for (name, expected) in [
            ("photo.jpg", "photo.jpg"),
            ("/etc/passwd", "passwd"),
            ("..\\..\\evil.exe", "evil.exe"),
            ("..", "file"),
            (".bashrc", "bashrc"),
            ("a/", "file"),
            ("", "file"),
            ("a\nb\u{202e}gpj.exe", "abgpj.exe"),
            ("C:stream", "C_stream"),
            ("  . ", "file"),
            ("Größe 1.txt", "Größe 1.txt"),
        ] {
            assert_eq!(safe_name(name), expected, "{name:?}");
        }
        let long = safe_name(&format!("{}.tar.gz", "ü".repeat(200)));
        assert!(long.len() <= MAX_NAME && long.ends_with("ü.gz"), "{long}");
    }

    #[test]
    fn no_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for expected in ["a.txt", "a (1).txt", "a (2).txt"] {
            let file = dir.path().join("part");
            std::fs::write(&file, expected).unwrap();
            assert_eq!(place(&file, dir.path(), "a.txt").unwrap(), dir.path().join(expected));
            assert!(!file.exists());
        }
        assert_eq!(std::fs::read_to_string(dir.path().join("a.txt")).unwrap(), "a.txt");
    }

    proptest! {
        #[test]
        fn any_name_is_safe(name: String) {
            let safe = safe_name(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= MAX_NAME);
            prop_assert!(!safe.starts_with('.') && !safe.contains(['/', '\\', '\0']));
            let path = Path::new("/d").join(&safe);
            prop_assert_eq!(path.parent(), Some(Path::new("/d")));
        }
    }
}
