//! The bot interface: [`smp_bot`]'s commands done with an identity, over WebSocket or a Unix socket.
//!
//! Happenings are in the book's feed until a client has taken it; each client reads the feed at its own pace ([`client`]), so nothing
//! waits in memory for one that is slow. Commands of one client are done one at a time, in order.

mod client;
mod desk;
mod events;
mod execute;
mod server;
mod taken;
mod tls;
mod token;
mod views;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use smp_transport::causes::with_causes;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use self::desk::Desk;
use self::server::{Door, Place};
use self::taken::Takers;
pub(crate) use self::tls::TlsFiles;
use crate::session::Follow;

/// How clients reach the interface, and what they are told.
pub(crate) struct Settings {
    /// TCP addresses; all of them are listened on.
    pub(crate) addresses: Vec<SocketAddr>,
    /// A Unix socket, for processes of the same user.
    pub(crate) socket: Option<PathBuf>,
    /// The token that clients of the TCP addresses need.
    pub(crate) token: Option<Zeroizing<String>>,
    /// The certificate of the TCP addresses, which are served with TLS then.
    pub(crate) tls: Option<TlsFiles>,
    /// The version that is answered to `/v`.
    pub(crate) version: String,
}

/// The running interface, until [`stop`](Self::stop).
pub(crate) struct BotApi {
    places: Vec<String>,
    open: Vec<String>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    desk: Arc<Desk>,
}

impl BotApi {
    /// Begins to serve. From now on what happens is kept for clients.
    pub(crate) async fn start(settings: Settings, follow: Follow) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let takers = Arc::new(Takers::default());
        let places = Place::open(&settings).await?;
        follow.identity().book().feed();
        let desk = Desk::new(follow, settings.version, takers.clone(), stop.clone());
        let door = Arc::new(Door::new(settings.token, desk.clone()));
        let names = places.iter().map(Place::name).collect();
        let open = places.iter().filter(|place| place.is_open()).map(Place::name).collect();
        let mut tasks = JoinSet::new();
        for place in places {
            tasks.spawn(place.serve(door.clone(), stop.clone()));
        }
        let (stopped, forgets) = (stop.clone(), desk.clone());
        tasks.spawn(async move {
            let forgetting = taken::forget(&takers, forgets.identity().book());
            if let Some(Err(error)) = stopped.run_until_cancelled(forgetting).await {
                tracing::warn!("{}", with_causes(&error));
            }
        });
        Ok(Self { places: names, open, stop, tasks, desk })
    }

    /// Where it is reached.
    pub(crate) fn places(&self) -> &[String] {
        &self.places
    }

    /// Those places that others on the network can listen in on.
    pub(crate) fn open_places(&self) -> &[String] {
        &self.open
    }

    /// Ends all connections, and waits for what they are doing.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        // Events that were taken since the last turn of the disk.
        if let Err(error) = taken::forget_now(self.desk.takers(), self.desk.identity().book()).await {
            tracing::warn!("{}", with_causes(&error));
        }
    }
}
