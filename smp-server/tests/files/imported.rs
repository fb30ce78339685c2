//! A file relay of the reference implementation that becomes one of ours: its directory as that one writes it, and its clients.

use std::fs;
use std::path::PathBuf;

use smp_crypto::hash::sha256;
use smp_protocol::base64url;
use smp_protocol::id::EntityId;
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::response::XftpResponse;
use smp_server::config::{CONFIG_FILE, Overrides, load};
use smp_server::import::{FilesReport, ImportError, Options, import_files, is_of_files};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::client::{Chunk, SIZE};
use super::*;

/// The directories of an old relay.
struct Old {
    dir: TempDir,
    log: String,
}

impl Old {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = init::local::embedded(&dir.path().join("made"), &Surroundings::machine()).unwrap();
        fs::rename(&made.identity.path, dir.path().join("config")).unwrap();
        fs::create_dir_all(dir.path().join("data")).unwrap();
        fs::create_dir_all(dir.path().join("chunks")).unwrap();
        let ini = format!(
            "[STORE_LOG]\nenable = on\nstore_files = memory\nexpire_files_hours = 48\n[AUTH]\nnew_files = on\n\
             [TRANSPORT]\nhost = files.example\nport = 443\n[FILES]\npath = {}\nstorage_quota = 10gb\n",
            dir.path().join("chunks").display()
        );
        fs::write(dir.path().join("config/file-server.ini"), ini).unwrap();
        Self { dir, log: String::new() }
    }

    /// A chunk in the log, and its IDs.
    fn create(&mut self, number: u8, chunk: &Chunk) -> (EntityId, Vec<EntityId>) {
        let id = |kind: u8| EntityId::new(&[kind, number].repeat(8)).unwrap();
        let (sender, recipients) = (id(1), vec![id(2), id(3)]);
        let now = OffsetDateTime::now_utc().unix_timestamp() / 3_600 * 3_600;
        let text = |id: &EntityId| base64url::encode(id.as_bytes());
        let digest = base64url::encode(&sha256(&chunk.content));
        let key = chunk.sender.public_key().to_text();
        self.log += &format!("FNEW {} {key} {SIZE} {digest} {now} active\n", text(&sender));
        let keys = recipients.iter().zip(&chunk.recipients);
        let keys: Vec<_> =
            keys.map(|(id, key)| format!("{}:{}", text(id), key.public_key().to_text())).collect();
        self.log += &format!("FADD {} {}\n", text(&sender), keys.join(","));
        (sender, recipients)
    }

    /// Its file. The log names the place where the directory was once.
    fn upload(&mut self, sender: &EntityId, content: &[u8]) -> PathBuf {
        let name = base64url::encode(sender.as_bytes());
        let path = self.dir.path().join("chunks").join(&name);
        fs::write(&path, content).unwrap();
        self.log += &format!("FPUT {name} {}\n", base64url::encode(format!("/elsewhere/{name}").as_bytes()));
        path
    }

    async fn import(&self, change: impl FnOnce(&mut Options)) -> Result<FilesReport, ImportError> {
        fs::write(self.dir.path().join("data/file-server-store.log"), &self.log).unwrap();
        let mut options = Options {
            from_config: self.dir.path().join("config"),
            from_data: self.dir.path().join("data"),
            dir: self.new_dir(),
            database: None,
            skip_damaged: false,
            allow_empty: false,
            dry_run: false,
        };
        change(&mut options);
        assert!(is_of_files(&options.from_config));
        import_files(&options, OffsetDateTime::now_utc()).await
    }

    fn new_dir(&self) -> PathBuf {
        self.dir.path().join("new")
    }

    /// Starts the new relay on a port of loopback.
    async fn start(&self) -> RunningRelay {
        let overrides = Overrides { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Overrides::default() };
        let mut config = load(&self.new_dir().join(CONFIG_FILE), &overrides).unwrap();
        config.server.control_socket = None;
        start(&config).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_the_old_relay_go_on_with_the_new_one() {
    let mut old = Old::new();
    let chunks = [Chunk::new(1), Chunk::new(10), Chunk::new(20)];
    let (kept, kept_for) = old.create(1, &chunks[0]);
    old.upload(&kept, &chunks[0].content);
    let (waiting, waiting_for) = old.create(2, &chunks[1]);
    let (deleted, deleted_for) = old.create(3, &chunks[2]);
    let path = old.upload(&deleted, &chunks[2].content);
    old.log += &format!(
        "FDEL {}\nFACK {}\n",
        base64url::encode(deleted.as_bytes()),
        base64url::encode(kept_for[1].as_bytes())
    );
    fs::remove_file(path).unwrap();

    let trial = old.import(|options| options.dry_run = true).await.unwrap();
    assert_eq!((trial.chunks, trial.bytes, trial.ignored_records), (2, SIZE.into(), 0));
    assert!(!old.new_dir().exists());
    let report = old.import(|_| {}).await.unwrap();
    assert_eq!((report.chunks, report.records, report.damaged.count()), (2, 10, 0));
    assert_eq!((report.notes, report.has_authority_key), (Vec::<String>::new(), true));
    assert_eq!(report.address.to_string().split_once('@').unwrap().1, "files.example");

    let relay = old.start().await;
    assert_eq!(relay.files_address().unwrap().0.fingerprint, report.address.0.fingerprint);
    let mut client = client(&relay).await;
    let got = client.get(&kept_for[0], &chunks[0].recipients[0]).await;
    assert_eq!(got.as_ref(), Ok(&chunks[0].content));
    assert_eq!(client.get(&kept_for[1], &chunks[0].recipients[1]).await, Err(XftpError::Auth));
    assert_eq!(client.get(&deleted_for[0], &chunks[2].recipients[0]).await, Err(XftpError::Auth));
    assert_eq!(client.put(&waiting, &chunks[1], &[&chunks[1].content]).await, XftpResponse::Ok);
    let got = client.get(&waiting_for[0], &chunks[1].recipients[0]).await;
    assert_eq!(got.as_ref(), Ok(&chunks[1].content));
    drop(client);
    relay.shutdown().await.unwrap();
}

/// A chunk that is missing, or not what the log says, is damage as a line that cannot be read is: all of it or, if that is wanted, the rest.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_left_out_on_demand() {
    let mut old = Old::new();
    let chunks = [Chunk::new(1), Chunk::new(10), Chunk::new(20)];
    let (good, good_for) = old.create(1, &chunks[0]);
    old.upload(&good, &chunks[0].content);
    let (other, other_for) = old.create(2, &chunks[1]);
    old.upload(&other, &chunks[2].content);
    let (missing, _) = old.create(3, &chunks[2]);
    let path = old.upload(&missing, b"");
    fs::remove_file(path).unwrap();
    let again = old.log.lines().next().unwrap().to_owned();
    old.log += &format!("{again}\nFNEW AAAA");
    let error = old.import(|_| {}).await.unwrap_err();
    assert!(matches!(error, ImportError::Damaged(_)), "{error}");
    assert!(!old.new_dir().exists());
    let report = old.import(|options| options.skip_damaged = true).await.unwrap();
    assert_eq!((report.chunks, report.bytes, report.damaged.count()), (1, SIZE.into(), 4));
    let relay = old.start().await;
    let mut client = client(&relay).await;
    let got = client.get(&good_for[0], &chunks[0].recipients[0]).await;
    assert_eq!(got.as_ref(), Ok(&chunks[0].content));
    assert_eq!(client.get(&other_for[0], &chunks[1].recipients[0]).await, Err(XftpError::Auth));
    assert_eq!(files(&old.new_dir(), "chunks").len(), 1);
}
