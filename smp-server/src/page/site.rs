//! `Site`: the page that goes with the settings in force.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::{content, html};
use crate::{
    config::{Config, InForce},
    metrics::{Metrics, Refusals},
    sync::lock,
};

/// Makes the page, again when the settings have changed.
pub(crate) struct Site {
    settings: Arc<InForce>,
    metrics: Arc<Metrics>,
    fingerprint: [u8; 32],
    /// The port in the address, if the settings do not say another one.
    port: u16,
    page: Mutex<Option<(Arc<Config>, Arc<str>)>>,
}

impl Site {
    pub(crate) fn new(
        settings: Arc<InForce>,
        metrics: Arc<Metrics>,
        fingerprint: [u8; 32],
        port: u16,
    ) -> Self {
        Self { settings, metrics, fingerprint, port, page: Mutex::new(None) }
    }

    /// The settings in force.
    pub(super) fn config(&self) -> Arc<Config> {
        self.settings.get()
    }

    /// Counts who was refused the page.
    pub(super) fn refusals(&self) -> &Refusals {
        &self.metrics.refusals
    }

    /// HTML of the page; `None` if the settings make no address.
    pub(super) fn page(&self) -> Option<Arc<str>> {
        let config = self.settings.get();
        let mut kept = lock(&self.page);
        if let Some((of, page)) = &*kept
            && Arc::ptr_eq(of, &config)
        {
            return Some(page.clone());
        }
        let address = config.address(self.fingerprint, self.port).ok()?;
        let own = config.files.listen.first().map(SocketAddr::port).filter(|port| *port != 0);
        let files = config.files.enabled.then(|| config.files_address(self.fingerprint, own, self.port).ok());
        let page: Arc<str> = html::page(&content::of(&config, &address, files.flatten().as_ref())).into();
        *kept = Some((config, page.clone()));
        Some(page)
    }
}
