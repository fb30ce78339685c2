//! A relay of ours in the test's own process, with an identity and files of its own.

use smp_server::config::{Config, StoreKind};
use smp_server::{Relay, RunningRelay, init};
use smp_tests::conformance::Target;
use tempfile::TempDir;
use time::OffsetDateTime;

pub(crate) struct TestRelay {
    pub(crate) running: RunningRelay,
    _dir: TempDir,
}

impl TestRelay {
    pub(crate) async fn start(store: StoreKind, password: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = init::Options {
            dir: dir.path().to_path_buf(),
            hosts: vec!["127.0.0.1".parse().unwrap()],
            port: 0,
            password: None,
        };
        init::create(&options, OffsetDateTime::now_utc(), &mut rand::rng()).unwrap();
        let mut config = Config::for_tests(dir.path());
        config.store.kind = store;
        config.queues.create_password =
            password.map(|text| smp_protocol::address::Password::new(text).unwrap());
        // The suite does nothing else than what this shall prevent.
        config.limits.new_queues_per_minute = 0;
        Self { running: Relay::start(config).await.unwrap(), _dir: dir }
    }

    pub(crate) fn target(&self) -> Target {
        Target::new(self.running.address().clone())
    }
}
