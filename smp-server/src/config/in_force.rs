//! `InForce`: the settings of a running relay, which `reload` can replace.

use std::sync::{Arc, RwLock};

use tokio::sync::Notify;

use super::Config;
use crate::sync::{read, write};

/// Settings that can be replaced as a whole.
pub(crate) struct InForce {
    config: RwLock<Arc<Config>>,
    replaced: Notify,
}

impl InForce {
    pub(crate) fn new(config: Config) -> Self {
        Self { config: RwLock::new(Arc::new(config)), replaced: Notify::new() }
    }

    /// The settings of this moment.
    pub(crate) fn get(&self) -> Arc<Config> {
        read(&self.config).clone()
    }

    /// Puts other settings in force.
    pub(crate) fn replace(&self, config: Config) {
        *write(&self.config) = Arc::new(config);
        self.replaced.notify_one();
    }

    /// Resolves when the settings have been replaced since the last call. For one task: the sweep, whose interval is a setting.
    pub(crate) async fn replaced(&self) {
        self.replaced.notified().await;
    }
}
