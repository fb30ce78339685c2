//! Samples, and relays made of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use smp_crypto::{BoxKey, DhSecret, Ed25519PrivateKey, PrivateAuthKey, base64url};
use smp_protocol::{
    address::RelayAddress,
    id::{RecipientId, SenderId},
};
use smp_server::{
    Relay, RunningRelay,
    config::{CONFIG_FILE, Overrides, load},
    import::{ImportError, Options, Report, import},
};
use tempfile::TempDir;
use time::OffsetDateTime;

/// Both kinds of relays.
pub(crate) const SAMPLES: [&str; 2] = ["memory", "journal"];

/// A directory with a copy of a sample that may be damaged, and a place for the new relay.
pub(crate) struct Copy {
    pub(crate) dir: TempDir,
    sample: &'static str,
}

pub(crate) fn sample_dir(sample: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format!("reference-relay-{sample}"))
}

impl Copy {
    pub(crate) fn of(sample: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&sample_dir(sample), &dir.path().join("old"));
        Self { dir, sample }
    }

    pub(crate) fn old(&self, path: &str) -> PathBuf {
        self.dir.path().join("old").join(path)
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            from_config: self.old("etc"),
            from_data: self.old("var"),
            dir: self.dir.path().join("new"),
            database: None,
            skip_damaged: false,
            allow_empty: true,
            dry_run: false,
        }
    }

    pub(crate) async fn import(&self, change: impl FnOnce(&mut Options)) -> Result<Report, ImportError> {
        let mut options = self.options();
        change(&mut options);
        import(&options, OffsetDateTime::now_utc()).await
    }

    /// Names in the directory that holds the old and the new relay.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Starts the new relay on a free port. The samples are of one day: nothing must expire.
    pub(crate) async fn start(&self) -> RunningRelay {
        let overrides = Overrides { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Overrides::default() };
        let mut config = load(&self.dir.path().join("new").join(CONFIG_FILE), &overrides).unwrap();
        config.queues.expire_messages = None;
        Relay::start(config).await.unwrap()
    }

    pub(crate) fn queues(&self) -> Vec<SampleQueue> {
        let text = fs::read_to_string(sample_dir(self.sample).join("queues.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The address that clients of the old relay have.
    pub(crate) fn old_address(&self) -> String {
        let fingerprint = fs::read_to_string(sample_dir(self.sample).join("etc/fingerprint")).unwrap();
        let port = if self.sample == "memory" { 15_301 } else { 15_302 };
        format!("smp://{}@127.0.0.1:{port}", fingerprint.trim())
    }

    /// The secret of the old relay and the recipient: the relay's half is in the store log only.
    pub(crate) fn box_key(&self, queue: &SampleQueue) -> BoxKey {
        let log = fs::read_to_string(sample_dir(self.sample).join("var/smp-server-store.log")).unwrap();
        let id = format!("CREATE rid={} ", base64url::encode(queue.recipient().as_bytes()));
        let line = log.lines().find(|line| line.starts_with(&id)).unwrap();
        let secret = line.split(' ').find_map(|field| field.strip_prefix("rdh=")).unwrap();
        DhSecret::from_slice(&base64url::decode(secret).unwrap()).unwrap().box_key()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// A queue with everything that was done to it, and the keys of both sides.
#[derive(Deserialize)]
pub(crate) struct SampleQueue {
    recipient_private_key: String,
    recipient_id: String,
    sender_id: String,
    sender_private_key: Option<String>,
    pub(crate) messages_sent: usize,
    pub(crate) suspended: bool,
    pub(crate) deleted: bool,
}

impl SampleQueue {
    pub(crate) fn recipient(&self) -> RecipientId {
        RecipientId::new(&hex(&self.recipient_id)).unwrap()
    }

    pub(crate) fn sender(&self) -> SenderId {
        SenderId::new(&hex(&self.sender_id)).unwrap()
    }

    pub(crate) fn recipient_key(&self) -> PrivateAuthKey {
        ed25519(&self.recipient_private_key)
    }

    pub(crate) fn sender_key(&self) -> Option<PrivateAuthKey> {
        self.sender_private_key.as_deref().map(ed25519)
    }
}

fn ed25519(text: &str) -> PrivateAuthKey {
    Ed25519PrivateKey::from_bytes(hex(text).try_into().unwrap()).into()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Messages that clients will get: those of deleted queues are gone.
pub(crate) fn expected_messages(queues: &[SampleQueue]) -> usize {
    queues.iter().filter(|queue| !queue.deleted).map(|queue| queue.messages_sent).sum()
}

/// The address with the port where the test's relay listens.
pub(crate) fn reachable(relay: &RunningRelay) -> RelayAddress {
    RelayAddress { port: Some(relay.local_addrs()[0].port()), ..relay.address().clone() }
}
