//! The end of a command that goes on until it is told to stop.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::args::LONGEST_WAIT;

/// Ctrl-C, or a request to terminate. From its making on they do not end the program by themselves, and what comes between two
/// waits is not missed.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("The program cannot wait for Ctrl-C");
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    /// Waits for either. May be dropped while it waits.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Far enough away to be never.
pub(super) fn never() -> Instant {
    Instant::now() + LONGEST_WAIT
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::signal::{Signal, raise};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_signal_between_two_waits_is_not_missed() {
        let mut stop = Stop::new().unwrap();
        assert!(timeout(Duration::from_millis(1), stop.wait()).await.is_err());
        raise(Signal::SIGTERM).unwrap();
        timeout(Duration::from_secs(30), stop.wait()).await.unwrap();
        raise(Signal::SIGINT).unwrap();
        timeout(Duration::from_secs(30), stop.wait()).await.unwrap();
    }
}
