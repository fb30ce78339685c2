//! Archives without an agent: a file goes in and comes out, or is refused.

use super::export::{Content, seal};
use super::*;
use crate::data_dir::DATABASE;
use crate::secret::{MAX_SECRETS, RecoveryPhrase, Secret};
use smp_crypto::passphrase::PassphraseCost;
use smp_crypto::sealed_stream::PIECE_OVERHEAD;
use smp_sqlite::DatabaseKey;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use zeroize::Zeroizing;

const CHEAP: PassphraseCost = PassphraseCost { passes: 1, memory_kib: 8 };

struct Case {
    dir: TempDir,
    content: Vec<u8>,
    phrase: RecoveryPhrase,
}

impl Case {
    /// An archive of a file of this size.
    fn new(size: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let from = dir.path().join("database");
        std::fs::write(&from, &content).unwrap();
        let phrase = RecoveryPhrase::generate(&mut rand::rng());
        let secrets = [Secret::passphrase("pass"), Secret::Recovery(phrase.clone())];
        let case = Self { dir, content, phrase };
        seal(open_file(&from), &case.archive(), 1_700_000_000, &secrets, CHEAP, &mut rand::rng()).unwrap();
        case
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    fn restore(&self, name: &str, secret: &Secret) -> Result<RestoredArchive, ArchiveError> {
        restore_archive(&self.archive(), secret, &self.dir.path().join(name))
    }

    fn restored(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name).join(DATABASE)).unwrap()
    }
}

fn open_file(database: &Path) -> Content<'_> {
    Content { database, key: None, files: &[] }
}

fn pass() -> Secret {
    Secret::passphrase("pass")
}

#[test]
fn each_secret_opens_files_of_any_size() {
    for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
        let case = Case::new(size);
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(case.restore("one", &pass()).unwrap().made, made, "{size}");
        assert!(case.restored("one") == case.content, "{size}");
        case.restore("other", &Secret::Recovery(case.phrase.clone())).unwrap();
        assert!(case.restored("other") == case.content, "{size}");
    }
}

#[test]
fn other_secrets_open_nothing() {
    let case = Case::new(10);
    let other = RecoveryPhrase::generate(&mut rand::rng());
    for secret in [Secret::passphrase("Pass"), Secret::Recovery(other)] {
        let error = case.restore("dir", &secret).unwrap_err();
        assert!(matches!(error, ArchiveError::WrongSecret(_)), "{error}");
    }
    assert!(!case.dir.path().join("dir").exists(), "nothing was made");
    assert_eq!(format!("{:?}", pass()), "Secret(passphrase)");
}

#[test]
fn whatever_was_changed_is_refused() {
    let case = Case::new(PIECE + 10);
    let whole = std::fs::read(case.archive()).unwrap();
    let try_with = |bytes: &[u8]| {
        std::fs::write(case.archive(), bytes).unwrap();
        let error = case.restore("dir", &pass()).unwrap_err();
        let database = case.dir.path().join("dir").join(DATABASE);
        assert!(std::fs::metadata(database).map_or(true, |file| file.len() == 0));
        error
    };
    // Each byte of the head, and some of the pieces.
    let pieces = whole.len() - PIECE - 10 - 2 * PIECE_OVERHEAD;
    for at in (0..pieces).chain((pieces..whole.len()).step_by(997)) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        try_with(&changed);
    }
    for length in (0..pieces).step_by(7).chain([pieces, pieces + PIECE + PIECE_OVERHEAD, whole.len() - 1]) {
        try_with(&whole[..length]);
    }
    assert!(matches!(try_with(&[&whole[..], b"x"].concat()), ArchiveError::Damaged));
    assert!(matches!(try_with(b"SQLite format 3\0"), ArchiveError::NotAnArchive(_)));
    let mut newer = whole.clone();
    newer[MAGIC.len()] = 4;
    assert!(matches!(try_with(&newer), ArchiveError::Version(4)));
    std::fs::write(case.archive(), &whole).unwrap();
    case.restore("dir", &pass()).unwrap();
}

#[test]
fn an_agent_that_is_there_is_not_replaced() {
    let case = Case::new(10);
    case.restore("dir", &pass()).unwrap();
    assert!(matches!(case.restore("dir", &pass()), Err(ArchiveError::Occupied(_))));
}

#[test]
fn an_archive_needs_a_secret() {
    let case = Case::new(10);
    let from = case.dir.path().join("database");
    for count in [0, MAX_SECRETS + 1] {
        let secrets = vec![pass(); count];
        let error =
            seal(open_file(&from), &case.archive(), 0, &secrets, CHEAP, &mut rand::rng()).unwrap_err();
        assert!(matches!(error, ArchiveError::Secrets));
    }
    let error = seal(
        open_file(&case.dir.path().join("none")),
        &case.archive(),
        0,
        &[pass()],
        CHEAP,
        &mut rand::rng(),
    );
    assert!(matches!(error, Err(ArchiveError::File { .. })));
}

#[test]
fn files_of_an_application_are_in_it_whole() {
    let case = Case::new(PIECE + 10);
    let path = |name: &str| case.dir.path().join(name);
    let contents = [("empty", Vec::new()), ("short", b"name = 1".to_vec()), ("long", vec![7; 3 * PIECE])];
    for (name, content) in &contents {
        std::fs::write(path(name), content).unwrap();
    }
    let files: Vec<_> = contents.iter().map(|(name, _)| ArchivedFile::new(*name, path(name))).collect();
    let database = path("database");
    for key in [None, Some(DatabaseKey::new(Zeroizing::new([9; 32])))] {
        let content = Content { database: &database, key: key.as_ref(), files: &files };
        seal(content, &case.archive(), 0, &[pass()], CHEAP, &mut rand::rng()).unwrap();
        let name = if key.is_some() { "encrypted" } else { "open" };
        let made = |file: &str| path(&format!("{name}-{file}"));
        let wanted: Vec<_> =
            ["long", "short", "other"].map(|file| ArchivedFile::new(file, made(file))).into();
        restore_archive_with(&case.archive(), &pass(), &path(name), &wanted).unwrap();
        assert!(case.restored(name) == case.content);
        for (file, content) in &contents {
            let is_wanted = *file != "empty";
            assert!(std::fs::read(made(file)).ok().as_ref() == is_wanted.then_some(content), "{file}");
        }
        assert!(!made("other").exists());
        // Files that nobody asks for are left out.
        case.restore(&format!("{name} alone"), &pass()).unwrap();
        // An archive that is cut off anywhere is refused, and makes no agent.
        let whole = std::fs::read(case.archive()).unwrap();
        for length in (0..whole.len()).step_by(4099) {
            std::fs::write(case.archive(), &whole[..length]).unwrap();
            assert!(restore_archive_with(&case.archive(), &pass(), &path("cut"), &wanted).is_err());
            assert!(std::fs::metadata(path("cut").join(DATABASE)).map_or(true, |file| file.len() == 0));
        }
    }
    let missing = [ArchivedFile::new("x", path("missing"))];
    let many = vec![ArchivedFile::new("x", path("short")); 17];
    let nameless = [ArchivedFile::new("", path("short"))];
    for files in [&missing[..], &many, &nameless] {
        let content = Content { database: &database, key: None, files };
        assert!(seal(content, &case.archive(), 0, &[pass()], CHEAP, &mut rand::rng()).is_err());
    }
}
