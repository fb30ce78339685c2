//! Whether the agent uses the network now, and when the network is another one.

use super::backoff::Backoff;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The switch of an agent.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct State {
    paused: bool,
    /// Calls that want to receive all the same.
    receiving: usize,
    /// How often the network has become another one.
    changes: u64,
}

impl State {
    fn is_on(self) -> bool {
        !self.paused || self.receiving > 0
    }
}

/// Keeps the network on while it is there.
pub(crate) struct KeepOn(Switch);

impl Drop for KeepOn {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.receiving = state.receiving.saturating_sub(1));
    }
}

impl Switch {
    pub(crate) fn set_paused(&self, paused: bool) {
        self.0.send_modify(|state| state.paused = paused);
    }

    pub(crate) fn keep_on(&self) -> KeepOn {
        self.0.send_modify(|state| state.receiving += 1);
        KeepOn(self.clone())
    }

    pub(crate) fn network_changed(&self) {
        self.0.send_modify(|state| state.changes = state.changes.wrapping_add(1));
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.borrow().is_on()
    }

    /// Waits until the network may be used.
    pub(super) async fn on(&self) {
        // The sender is in `self`.
        let _ = self.0.subscribe().wait_for(|state| state.is_on()).await;
    }

    /// Waits until the network may not be used any more, or is another one than when this was called.
    pub(super) fn interrupted(&self) -> impl Future<Output = ()> + use<> {
        let mut state = self.0.subscribe();
        let changes = state.borrow_and_update().changes;
        async move {
            // Without a sender the agent is gone, and its tasks with it.
            let _ = state.wait_for(|state| !state.is_on() || state.changes != changes).await;
        }
    }

    /// Waits until something is to be tried again: at once if the network is another one.
    pub(super) async fn pause(&self, backoff: &mut Backoff, wait: Duration) {
        let mut state = self.0.subscribe();
        let changes = state.borrow_and_update().changes;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = state.wait_for(|state| state.changes != changes) => backoff.reset(),
        }
    }
}
