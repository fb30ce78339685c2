//! Data directories are encrypted, and opened by the right secrets only.

use super::*;
use crate::agent::Agent;
use crate::config::AgentConfig;
use crate::connection::tests::connected_sides;
use crate::data_dir::DATABASE;
use crate::event::Event;
use crate::events::Events;
use crate::id::ConnectionId;
use tempfile::TempDir;

const MARKER: &[u8] = b"a text that nobody else may read";
/// The name of a relay, which is in each state.
const RELAY: &[u8] = b"relay.example";
const CHEAP: PassphraseCost = PassphraseCost { passes: 1, memory_kib: 8 };

async fn open(dir: &Path, secret: Option<&Secret>) -> Result<(Agent, Events), AgentError> {
    let mut config = AgentConfig::new(dir, Vec::<crate::RelayEntry>::new());
    config.secret = secret.cloned();
    Agent::open(config).await
}

async fn refused(dir: &Path, secret: Option<&Secret>) -> SecretError {
    match open(dir, secret).await.err().unwrap() {
        AgentError::Secret(error) => error,
        error => panic!("{error}"),
    }
}

/// A connection with a message that waits to be sent, and an event that the application has not taken; and another one.
async fn fill(agent: &Agent) -> ConnectionId {
    let (connection, _) = connected_sides();
    let (id, commit) = agent.engine().steps.create(connection).await.unwrap();
    commit.durable().await.unwrap();
    agent.connection(id).send(MARKER).await.unwrap();
    let step = agent.engine().steps.step(id, |_, request| {
        request.effects.events.push(Event::Confirmation { connection: id, info: MARKER.to_vec() });
        Ok(())
    });
    step.await.unwrap().1.durable().await.unwrap();
    let (_, commit) = agent.engine().steps.create(connected_sides().0).await.unwrap();
    commit.durable().await.unwrap();
    id
}

async fn check(dir: &Path, secret: Option<&Secret>, id: ConnectionId) {
    let (agent, events) = open(dir, secret).await.unwrap();
    let summary = agent.connection(id).summary().await.unwrap().unwrap();
    assert_eq!(summary.status, crate::ConnectionStatus::Connected);
    assert_eq!(agent.connections().await.unwrap().len(), 2);
    agent.shutdown().await;
    drop((agent, events));
}

async fn filled(dir: &Path, secret: Option<&Secret>) -> ConnectionId {
    let (agent, events) = open(dir, secret).await.unwrap();
    let id = fill(&agent).await;
    agent.shutdown().await;
    drop((agent, events));
    id
}

/// The files of a directory in which some bytes are.
fn found(dir: &Path, marker: &[u8]) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let has = |file: &PathBuf| std::fs::read(file).unwrap().windows(marker.len()).any(|part| part == marker);
    files.filter(has).collect()
}

fn copy_of(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

#[tokio::test]
async fn nothing_can_be_read_in_an_encrypted_directory() {
    let plain = tempfile::tempdir().unwrap();
    let (agent, _events) = open(plain.path(), None).await.unwrap();
    fill(&agent).await;
    assert!(!found(plain.path(), MARKER).is_empty() && !found(plain.path(), RELAY).is_empty());
    agent.shutdown().await;

    let dir = tempfile::tempdir().unwrap();
    let secret = Secret::key([1; 32]);
    let (agent, events) = open(dir.path(), Some(&secret)).await.unwrap();
    let id = fill(&agent).await;
    // The log has all of it.
    assert!(has_content(&dir.path().join(format!("{DATABASE}-wal"))));
    let key = agent.engine().steps.store.key().unwrap().clone();
    for marker in [MARKER, RELAY, b"SQLite format", key.as_bytes()] {
        assert_eq!(found(dir.path(), marker), Vec::<PathBuf>::new());
    }
    agent.shutdown().await;
    drop((agent, events));
    for marker in [MARKER, RELAY, b"SQLite format", key.as_bytes()] {
        assert_eq!(found(dir.path(), marker), Vec::<PathBuf>::new());
    }
    assert!(is_encrypted(dir.path()).unwrap() && !is_encrypted(plain.path()).unwrap());
    check(dir.path(), Some(&secret), id).await;
}

#[tokio::test]
async fn a_directory_is_opened_as_it_is() {
    let (right, wrong) = (Secret::passphrase("right"), Secret::passphrase("wrong"));
    let dir = tempfile::tempdir().unwrap();
    let id = filled(dir.path(), Some(&right)).await;
    let path = dir.path().to_owned();
    assert_eq!(refused(&path, None).await, SecretError::Needed(path.clone()));
    assert_eq!(refused(&path, Some(&wrong)).await, SecretError::Wrong("passphrase"));
    assert_eq!(refused(&path, Some(&Secret::key([0; 32]))).await, SecretError::Wrong("key"));
    let file = dir.path().join("agent.key");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[1..]).unwrap();
    assert_eq!(refused(&path, Some(&right)).await, SecretError::KeyFileDamaged(file.clone()));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(refused(&path, Some(&right)).await, SecretError::KeyFileMissing(file.clone()));
    // Without the key file nothing tells it from a damaged database.
    let error = open(&path, None).await.err().unwrap();
    assert!(matches!(error, AgentError::Storage(StorageError::Damaged(_))), "{error}");
    std::fs::write(&file, &whole).unwrap();
    check(&path, Some(&right), id).await;
    let plain = tempfile::tempdir().unwrap();
    filled(plain.path(), None).await;
    let error = refused(plain.path(), Some(&right)).await;
    assert_eq!(error, SecretError::NotEncrypted(plain.path().to_owned()));
}

#[tokio::test]
async fn a_directory_is_encrypted_and_decrypted_with_all_that_is_in_it() {
    let (one, two) = (Secret::passphrase("one"), Secret::key([2; 32]));
    let dir = tempfile::tempdir().unwrap();
    let id = filled(dir.path(), None).await;
    let (agent, events) = open(dir.path(), None).await.unwrap();
    let error = encrypt_data_dir(dir.path(), std::slice::from_ref(&one)).await.unwrap_err();
    assert!(matches!(error, AgentError::InUse { .. }), "{error}");
    agent.shutdown().await;
    drop((agent, events));

    let error = encrypt_data_dir(dir.path(), &[]).await.unwrap_err();
    assert!(matches!(error, AgentError::Secret(SecretError::Count)), "{error}");
    check(dir.path(), None, id).await;
    encrypt(dir.path(), &[one.clone(), two.clone()], CHEAP).await.unwrap();
    assert!(found(dir.path(), MARKER).is_empty());
    check(dir.path(), Some(&one), id).await;
    check(dir.path(), Some(&two), id).await;
    let error = encrypt_data_dir(dir.path(), std::slice::from_ref(&one)).await.unwrap_err();
    assert!(matches!(error, AgentError::Secret(SecretError::Encrypted(_))), "{error}");

    let three = Secret::key([3; 32]);
    change_secrets(dir.path(), &one, std::slice::from_ref(&three)).await.unwrap();
    check(dir.path(), Some(&three), id).await;
    for gone in [one, two] {
        assert_eq!(refused(dir.path(), Some(&gone)).await, SecretError::Wrong(gone.name()));
        let error = decrypt_data_dir(dir.path(), &gone).await.unwrap_err();
        assert!(matches!(error, AgentError::Secret(SecretError::Wrong(_))), "{error}");
    }
    decrypt_data_dir(dir.path(), &three).await.unwrap();
    assert!(!is_encrypted(dir.path()).unwrap());
    check(dir.path(), None, id).await;
    let error = decrypt_data_dir(dir.path(), &three).await.unwrap_err();
    assert!(matches!(error, AgentError::Secret(SecretError::NotEncrypted(_))), "{error}");
}

/// As a kill leaves it: what was done by then is there, and nothing else.
#[tokio::test]
async fn a_change_that_is_cut_off_leaves_the_old_or_the_new_one() {
    let secret = Secret::key([1; 32]);
    let dir = tempfile::tempdir().unwrap();
    let id = filled(dir.path(), None).await;
    let (file, key) = (KeyFile::of(dir.path()), new_key(&mut rand::rng()));
    let mut left = Vec::new();
    {
        let held = DataDir::open(dir.path()).unwrap();
        file.write(&key, std::slice::from_ref(&secret), CHEAP, &mut rand::rng()).unwrap();
        left.push((copy_of(dir.path()), None));
        std::fs::write(dir.path().join(format!("{DATABASE}{UNFINISHED}")), b"part of it").unwrap();
        left.push((copy_of(dir.path()), None));
        let copied = Copied::new(&held.database(), None, Some(&key)).await.unwrap();
        left.push((copy_of(dir.path()), None));
        copied.take_place().unwrap();
        left.push((copy_of(dir.path()), Some(&secret)));
        let copied = Copied::new(&held.database(), Some(key), None).await.unwrap();
        left.push((copy_of(dir.path()), Some(&secret)));
        copied.take_place().unwrap();
        left.push((copy_of(dir.path()), None));
        file.remove().unwrap();
        left.push((copy_of(dir.path()), None));
    }
    for (n, (dir, opens)) in left.iter().enumerate() {
        assert_eq!(is_encrypted(dir.path()).unwrap(), opens.is_some(), "{n}");
        check(dir.path(), *opens, id).await;
        // A change can be begun again.
        if opens.is_none() {
            encrypt(dir.path(), std::slice::from_ref(&secret), CHEAP).await.unwrap();
        }
        check(dir.path(), Some(&secret), id).await;
        assert!(!dir.path().join(format!("{DATABASE}{UNFINISHED}")).exists());
        decrypt_data_dir(dir.path(), &secret).await.unwrap();
        check(dir.path(), None, id).await;
    }
}

/// A step that is only in the log is not lost.
#[tokio::test]
async fn the_log_of_an_agent_that_was_killed_is_encrypted_too() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path(), None).await.unwrap();
    let id = fill(&agent).await;
    let killed = copy_of(dir.path());
    assert!(has_content(&killed.path().join(format!("{DATABASE}-wal"))));
    let secret = Secret::key([1; 32]);
    encrypt(killed.path(), std::slice::from_ref(&secret), CHEAP).await.unwrap();
    assert!(found(killed.path(), MARKER).is_empty());
    check(killed.path(), Some(&secret), id).await;
    agent.shutdown().await;
}

#[tokio::test]
async fn an_empty_directory_is_prepared() {
    let dir = tempfile::tempdir().unwrap();
    let secret = Secret::key([1; 32]);
    encrypt(dir.path(), std::slice::from_ref(&secret), CHEAP).await.unwrap();
    assert!(is_encrypted(dir.path()).unwrap());
    assert!(matches!(refused(dir.path(), None).await, SecretError::Needed(_)));
    filled(dir.path(), Some(&secret)).await;
    assert!(found(dir.path(), b"SQLite format").is_empty());
}

#[tokio::test]
async fn keys_for_the_applications_files_are_of_the_data() {
    let dir = tempfile::tempdir().unwrap();
    let secret = Secret::key([1; 32]);
    let (agent, events) = open(dir.path(), Some(&secret)).await.unwrap();
    let key = agent.application_key("book").unwrap();
    assert_ne!(agent.application_key("other").unwrap().as_bytes(), key.as_bytes());
    assert_ne!(agent.engine().steps.store.key().unwrap().as_bytes(), key.as_bytes());
    agent.shutdown().await;
    drop((agent, events));
    let other = Secret::key([2; 32]);
    change_secrets(dir.path(), &secret, std::slice::from_ref(&other)).await.unwrap();
    let (agent, _events) = open(dir.path(), Some(&other)).await.unwrap();
    assert_eq!(agent.application_key("book").unwrap().as_bytes(), key.as_bytes());
    agent.shutdown().await;
    let plain = tempfile::tempdir().unwrap();
    let (agent, _events) = open(plain.path(), None).await.unwrap();
    let offline = application_key(dir.path(), &other, "book");
    assert_eq!(offline.await.unwrap().as_bytes(), key.as_bytes());
    assert!(agent.application_key("book").is_none());
    agent.shutdown().await;
}
