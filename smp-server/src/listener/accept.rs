//! What can go wrong with accepting, and the options of accepted connections.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, time::Instant};

/// How long to wait when the system has no more file descriptors or memory: others have to close first.
const PAUSE: Duration = Duration::from_millis(100);

/// Warnings are not repeated more often.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// When and how often the system asks a silent client whether it is still there. Phones change networks without notice.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(120);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_RETRIES: u32 = 4;

/// Slows accepting down after errors.
#[derive(Default)]
pub(super) struct Pause {
    warned: Option<Instant>,
    failing: bool,
}

impl Pause {
    /// A connection was accepted.
    pub(super) fn succeeded(&mut self) {
        self.failing = false;
    }

    /// Waits as long as the error demands.
    pub(super) async fn after(&mut self, error: &io::Error) {
        if is_of_client(error) {
            return;
        }
        if !self.failing && self.warned.is_none_or(|at| at.elapsed() >= WARN_INTERVAL) {
            self.warned = Some(Instant::now());
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

/// Sets the options of an accepted connection.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_errors_of_the_system_slow_down() {
        let mut pause = Pause::default();
        let start = Instant::now();
        pause.after(&io::ErrorKind::ConnectionAborted.into()).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        // EMFILE
        pause.after(&io::Error::from_raw_os_error(24)).await;
        assert_eq!(start.elapsed(), PAUSE);
    }
}
