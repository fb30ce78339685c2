//! A relay in the test's own process, with an identity and files of its own.

use anyhow::Result;
use smp_protocol::address::Password;
use smp_server::config::{Config, StoreKind};
use smp_server::{Relay, RunningRelay, init};
use smp_transport::surroundings::Surroundings;
use tempfile::TempDir;

use crate::conformance::Target;

/// A relay on a free port. Its files are deleted with it.
pub struct TestRelay {
    /// The relay.
    pub running: RunningRelay,
    config: Config,
    dir: TempDir,
}

impl TestRelay {
    /// Starts one; with a password only who knows it can create queues.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start(store: StoreKind, password: Option<&str>) -> Result<Self> {
        Self::start_with(store, password, |_| {}).await
    }

    /// As [`start`](Self::start), with these changes to its settings.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start_with(
        store: StoreKind,
        password: Option<&str>,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut config = init::local::embedded(dir.path(), &Surroundings::machine())?;
        config.store.kind = store;
        config.queues.create_password = password.map(Password::new).transpose()?;
        // The suites do nothing else than what these shall prevent.
        config.limits.new_queues_per_minute = 0;
        config.limits.failed_authorizations_per_minute = 0;
        change(&mut config);
        Ok(Self { running: Relay::start(config.clone()).await?, config, dir })
    }

    /// Stops it and starts it again, at the same address.
    ///
    /// # Errors
    /// If it cannot be stopped or started.
    pub async fn again(self) -> Result<Self> {
        let Self { running, mut config, dir } = self;
        config.server.listen = running.local_addrs().to_vec();
        running.shutdown().await?;
        Ok(Self { running: Relay::start(config.clone()).await?, config, dir })
    }

    /// Starts another process of the relay, whose settings have it share its store.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn another(&self) -> Result<RunningRelay> {
        let mut config = self.config.clone();
        config.store.path = self.dir.path().join("data-of-another");
        let another = Relay::start(config).await?;
        while self.running.other_processes() == 0 || another.other_processes() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Ok(another)
    }

    /// The relay as the conformance suite's target.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::new(self.running.address().clone())
    }
}
