//! `listen`: accepts connections from any [`Incoming`], and has each served in a task that holds a place.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use smp_transport::surroundings::{Surroundings, Time};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{forwarded::read_header, incoming::Incoming};
use crate::{
    admission::{Guest, Origin, Place, Places},
    config::InForce,
    metrics::{Limit, Metrics},
    stopping::Stopping,
};

/// How long to wait when the system has no more file descriptors or memory: others have to close first.
const PAUSE: Duration = Duration::from_millis(100);

/// Warnings are not repeated more often.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// Shared by all listeners: places, and the tasks of connections.
#[derive(Clone)]
pub(crate) struct Connections {
    /// How many there may be.
    pub(crate) places: Places,
    settings: Arc<InForce>,
    metrics: Arc<Metrics>,
    surroundings: Surroundings,
    tasks: TaskTracker,
    stopping: Stopping,
    /// Cancelled to stop everything at once.
    abort: CancellationToken,
}

impl Connections {
    pub(crate) fn new(
        places: Places,
        settings: Arc<InForce>,
        metrics: Arc<Metrics>,
        surroundings: Surroundings,
        abort: CancellationToken,
    ) -> Self {
        let (tasks, stopping) = (TaskTracker::new(), Stopping::default());
        Self { places, settings, metrics, surroundings, tasks, stopping, abort }
    }

    /// The end of accepting and reading.
    pub(crate) fn stopping(&self) -> &Stopping {
        &self.stopping
    }

    /// Accepts no more, and lets those that there are go within this time.
    pub(crate) fn drain(&self, over: Duration) {
        self.stopping.drain(over);
        self.tasks.close();
    }

    /// Accepts no more, and lets those that there are end.
    pub(crate) fn stop(&self) {
        self.stopping.stop();
        self.tasks.close();
    }

    /// Ends those that there are at once.
    pub(crate) fn abort(&self) {
        self.abort.cancel();
        self.tasks.close();
    }

    /// Resolves when all have ended, after [`Connections::drain`], [`Connections::stop`] or [`Connections::abort`].
    pub(crate) async fn ended(&self) {
        self.tasks.wait().await;
    }

    /// Serves a connection in a task of its own, if there is a place for it.
    fn start<S, F>(&self, stream: S, peer: IpAddr, serve: impl FnOnce(S, Arc<Guest>) -> F + Send + 'static)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let config = self.settings.get();
        let is_forwarded = config.server.proxy_protocol.iter().any(|network| network.contains(peer));
        // Its owner is not known yet: it counts in total only.
        let origin =
            if is_forwarded { Origin::Local } else { Origin::of(peer, config.limits.count_loopback) };
        let Some(place) = self.place(origin) else { return };
        let connections = self.clone();
        let forwarder = is_forwarded.then_some(peer);
        let serving = async move {
            tokio::select! {
                () = connections.serve(stream, forwarder, place, serve) => {}
                () = connections.abort.cancelled() => {}
            }
        };
        self.surroundings.spawner.spawn(self.tasks.track_future(serving));
    }

    /// Serves a connection. One that a forwarder makes begins with the address of the client.
    async fn serve<S: AsyncRead + Unpin, F: Future<Output = ()>>(
        &self,
        mut stream: S,
        forwarder: Option<IpAddr>,
        mut place: Place,
        serve: impl FnOnce(S, Arc<Guest>) -> F,
    ) {
        if let Some(forwarder) = forwarder {
            // On the heap: afterwards the task keeps no room for it.
            let known = Box::pin(self.forwarded_place(&mut stream, forwarder, place)).await;
            let Some(known) = known else { return };
            place = known;
        }
        self.metrics.accepted.inc();
        tokio::select! {
            () = serve(stream, place.guest().clone()) => {}
            () = place.evicted() => {}
        }
    }

    /// A place for the client that the forwarder names; `unknown` is held until it has.
    async fn forwarded_place(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        forwarder: IpAddr,
        unknown: Place,
    ) -> Option<Place> {
        let config = self.settings.get();
        let header = timeout(config.limits.handshake_timeout, read_header(stream));
        let header = tokio::select! {
            header = header => header,
            () = unknown.evicted() => return None,
            () = self.stopping.begun() => return None,
        };
        let Ok(Ok(client)) = header else {
            self.metrics.refused.inc();
            let sources = config.server.proxy_protocol.len() as u64;
            self.metrics.refusals.note(Limit::ProxyHeader, sources);
            return None;
        };
        drop(unknown);
        self.place(Origin::of(client.unwrap_or(forwarder), config.limits.count_loopback))
    }

    /// A place for a connection from there. The limit that is reached is noted, also if another one has to go for it.
    fn place(&self, origin: Origin) -> Option<Place> {
        let (place, reached) = match self.places.take(origin) {
            Ok((place, displaced)) => (Some(place), displaced),
            Err(refusal) => (None, Some(refusal)),
        };
        if let Some((limit, value)) = reached {
            self.metrics.refusals.note(limit, value as u64);
        }
        if place.is_none() {
            self.metrics.refused.inc();
        }
        place
    }
}

/// Accepts connections until that is stopped, and has each served.
pub(crate) async fn listen<I: Incoming, F: Future<Output = ()> + Send + 'static>(
    mut incoming: I,
    connections: Connections,
    serve: impl Fn(I::Stream, Arc<Guest>) -> F + Clone + Send + 'static,
) {
    let mut pause = Pause::new(connections.surroundings.time.clone());
    loop {
        let accepted = tokio::select! {
            accepted = incoming.accept() => accepted,
            () = connections.stopping.begun() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause.succeeded();
                connections.start(stream, peer, serve.clone());
            }
            Err(error) => {
                tokio::select! {
                    () = pause.after(&error) => {}
                    () = connections.stopping.begun() => return,
                }
            }
        }
    }
}

/// Slows accepting down after errors.
struct Pause {
    time: Time,
    warned: Option<Instant>,
    failing: bool,
}

impl Pause {
    fn new(time: Time) -> Self {
        Self { time, warned: None, failing: false }
    }

    /// A connection was accepted.
    fn succeeded(&mut self) {
        self.failing = false;
    }

    /// Waits as long as the error demands.
    async fn after(&mut self, error: &io::Error) {
        if is_of_client(error) {
            return;
        }
        let now = self.time.monotonic();
        if !self.failing && self.warned.is_none_or(|at| now.duration_since(at) >= WARN_INTERVAL) {
            self.warned = Some(now);
            tracing::warn!(
                "cannot accept connections ({}): raise the limit of open files or lower limits.max_connections",
                error.kind()
            );
        }
        self.failing = true;
        tokio::time::sleep(PAUSE).await;
    }
}

/// The client has gone before it was accepted: the next one may be fine.
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
        sync::mpsc,
    };

    use super::*;
    use crate::{admission::Bounds, testing};

    impl Incoming for mpsc::Receiver<(DuplexStream, IpAddr)> {
        type Stream = DuplexStream;

        async fn accept(&mut self) -> io::Result<(DuplexStream, IpAddr)> {
            match self.recv().await {
                Some(accepted) => Ok(accepted),
                None => std::future::pending().await,
            }
        }
    }

    /// A listener needs neither TCP nor SMP.
    #[tokio::test]
    async fn any_stream_is_served_by_anything_while_there_are_places() {
        let node = testing::node();
        let (settings, metrics) = (node.settings.clone(), node.metrics.clone());
        let places = Places::new(Bounds { total: 1, per_address: 0, per_site: 0, per_network: 0 });
        let connections = Connections::new(
            places,
            settings,
            metrics.clone(),
            Surroundings::machine(),
            CancellationToken::new(),
        );
        let (dial, incoming) = mpsc::channel(1);
        let echo = |mut stream: DuplexStream, guest: Arc<Guest>| async move {
            let byte = stream.read_u8().await.unwrap();
            guest.note_known();
            stream.write_u8(byte + 1).await.unwrap();
            // Until the client closes.
            let _ = stream.read_u8().await;
        };
        let listening = tokio::spawn(listen(incoming, connections.clone(), echo));
        let connect = async || {
            let (ours, theirs) = tokio::io::duplex(16);
            dial.send((theirs, IpAddr::from([192, 0, 2, 1]))).await.unwrap();
            ours
        };
        let mut first = connect().await;
        first.write_u8(7).await.unwrap();
        assert_eq!(first.read_u8().await.unwrap(), 8);
        assert!(connect().await.read_u8().await.is_err(), "there is one place");
        assert_eq!((metrics.accepted.get(), metrics.refused.get()), (1, 1));
        drop(first);
        connections.stop();
        connections.ended().await;
        listening.await.unwrap();
        assert_eq!(connections.places.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_errors_of_the_system_slow_down() {
        let mut pause = Pause::new(Time::machine());
        let start = Instant::now();
        pause.after(&io::ErrorKind::ConnectionAborted.into()).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        // EMFILE
        pause.after(&io::Error::from_raw_os_error(24)).await;
        assert_eq!(start.elapsed(), PAUSE);
    }
}
