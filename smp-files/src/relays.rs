//! `FileRelays`: connections to file relays, made when they are needed and used by all transfers at once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use smp_protocol::address::XftpAddress;
use smp_transport::client::ClientError;
use smp_transport::dial::Dialler;
use smp_transport::surroundings::Surroundings;

use crate::client::FileRelayClient;
use crate::error::FileRelayError;

/// The way to a relay: its address with the hosts that may be used, and how they are dialled. None if there is no such host.
pub type Way = Arc<dyn Fn(&XftpAddress) -> Option<(XftpAddress, Dialler)> + Send + Sync>;

/// How file relays are reached.
#[derive(Clone)]
pub struct FileNetwork {
    /// Clock, randomness, network and tasks.
    pub surroundings: Surroundings,
    /// The way to each relay.
    pub way: Way,
}

impl FileNetwork {
    /// Directly, to any address.
    #[must_use]
    pub fn direct(surroundings: Surroundings) -> Self {
        Self { surroundings, way: Arc::new(|relay| Some((relay.clone(), Dialler::default()))) }
    }
}

impl fmt::Debug for FileNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileNetwork").finish_non_exhaustive()
    }
}

/// Connections to file relays, at most one to each.
#[derive(Debug)]
pub struct FileRelays {
    network: FileNetwork,
    places: Mutex<HashMap<XftpAddress, Place>>,
}

/// The connection to one relay. The first that needs it makes it, and others wait for that.
type Place = Arc<tokio::sync::Mutex<Option<FileRelayClient>>>;

impl FileRelays {
    /// Without connections yet.
    #[must_use]
    pub fn new(network: FileNetwork) -> Self {
        Self { network, places: Mutex::default() }
    }

    /// Clock, randomness, network and tasks.
    #[must_use]
    pub fn surroundings(&self) -> &Surroundings {
        &self.network.surroundings
    }

    /// The connection to a relay; a new one if there is none.
    ///
    /// # Errors
    /// [`FileRelayError`], if it cannot be made.
    pub async fn client(&self, relay: &XftpAddress) -> Result<FileRelayClient, FileRelayError> {
        let place = self.place(relay);
        let mut place = place.lock().await;
        if let Some(client) = &*place {
            return Ok(client.clone());
        }
        let (address, dialler) = (self.network.way)(relay).ok_or(ClientError::OnionOnly)?;
        let client = FileRelayClient::connect(&address, dialler, &self.network.surroundings).await?;
        Ok(place.insert(client).clone())
    }

    /// Forgets a connection that turned out to be broken, and passes the outcome on.
    pub(crate) async fn checked<T>(
        &self,
        relay: &XftpAddress,
        client: &FileRelayClient,
        done: Result<T, FileRelayError>,
    ) -> Result<T, FileRelayError> {
        if done.as_ref().is_err_and(FileRelayError::ends_connection) {
            let place = self.place(relay);
            let mut place = place.lock().await;
            // Another one may have made a new one since.
            if place.as_ref().is_some_and(|known| known.is_same(client)) {
                *place = None;
            }
        }
        done
    }

    fn place(&self, relay: &XftpAddress) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.entry(relay.without_password()).or_default().clone()
    }
}
