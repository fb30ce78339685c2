//! The reload of settings and certificate while the relay runs.

use smp_protocol::address::RelayAddress;
use smp_transport::{connection::RelayAcceptor, identity::RelayIdentity};

use crate::{
    config::{Changes, Config},
    page,
    relay::{
        RunningRelay, StartError, acceptor_settings, bounds, load_identity, seconds, warn_of_authority_key,
    },
};

/// Settings and certificate that a relay has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The certificate was another one. Clients that are connected stay.
    pub certificate: bool,
    /// The certificate of the page was another one, or there was none before, or is none now.
    pub page_certificate: bool,
    /// Settings that were different.
    pub settings: Changes,
}

impl RunningRelay {
    /// Takes over what can change while the relay runs, and reads the certificates and keys again, those of the page too.
    /// Connections stay, with the limits that they had. The log is the program's: a library has no level to change.
    ///
    /// # Errors
    ///
    /// [`StartError`], for instance if the certificate belongs to another relay: then everything stays as it was.
    pub fn reload(&mut self, config: Config) -> Result<Reloaded, StartError> {
        config.validate()?;
        let mut settings = (*self.node.config()).clone();
        let changes = settings.take_over(config);
        let identity = load_identity(&settings, &self.node.clock)?;
        if identity.fingerprint() != self.identity.fingerprint() {
            return Err(StartError::OtherRelay(settings.identity.path));
        }
        // A mixture of both has to be possible too.
        settings.validate()?;
        let acceptor = RelayAcceptor::new(&identity, acceptor_settings(&settings, &self.node.surroundings))?;
        let page_tls = page::load_tls(&settings.page)?;
        let port = self.local_addrs().first().map_or(0, std::net::SocketAddr::port);
        let address = settings.address(identity.fingerprint(), port)?;
        let files = self.files.as_ref().map(|files| {
            let address = files.address(&settings, identity.fingerprint(), port)?;
            let replacement = files.replacement(&settings, &identity, &self.node.surroundings.time)?;
            Ok::<_, StartError>((address, replacement))
        });
        let files = files.transpose()?;
        warn_of_authority_key(&settings);
        let page_certificate = self.page_tls.replace(page_tls);
        self.page_tls.warn(seconds(&self.node.clock));
        if let Some((address, replace)) = files {
            replace();
            self.files_address = Some(address);
        }
        let certificate = self.take_over(settings, acceptor, identity, address);
        Ok(Reloaded { certificate, page_certificate, settings: changes })
    }

    /// From here on nothing can fail. Returns whether the certificate is another one.
    fn take_over(
        &mut self,
        settings: Config,
        acceptor: RelayAcceptor,
        identity: RelayIdentity,
        address: RelayAddress,
    ) -> bool {
        self.node.memory.set_total(settings.limits.max_pending_total_mib << 20);
        self.connections.places.set_bounds(bounds(&settings));
        self.acceptor.replace(acceptor);
        let certificate = identity.chain() != self.identity.chain();
        self.identity = identity;
        self.address = address;
        self.node.settings.replace(settings);
        certificate
    }
}
