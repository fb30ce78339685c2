//! Messages whose time is over while a command goes on.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::session::Session;

/// How late a message may disappear.
const PERIOD: Duration = Duration::from_secs(10);

/// The next look at messages that disappear.
pub(crate) struct Tidy {
    next: Instant,
}

impl Tidy {
    pub(crate) fn new() -> Self {
        Self { next: Instant::now() + PERIOD }
    }

    /// Waits until it is time to look. May be dropped while it waits.
    pub(crate) async fn wait(&self) {
        sleep_until(self.next).await;
    }

    /// Forgets the messages whose time is over.
    pub(crate) async fn run(&mut self, session: &Session) -> anyhow::Result<()> {
        self.next = Instant::now() + PERIOD;
        session.expire().await
    }
}
