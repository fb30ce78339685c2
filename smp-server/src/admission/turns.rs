//! `Turns`: how many of a kind of work go on at the same time, for everybody and for one network. Further ones wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Origin, origin::Prefix};
use crate::sync::lock;

/// A network has this part of all turns.
const PART: usize = 4;

/// Networks that are remembered before those without work are forgotten.
const MANY: usize = 1_024;

/// Counts work.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    total: usize,
    networks: Mutex<HashMap<Prefix, Weak<Semaphore>>>,
}

/// Work that goes on until this is dropped.
pub(crate) struct Turn {
    _all: Option<OwnedSemaphorePermit>,
    /// Keeps the semaphore of the network, too.
    _network: Option<(OwnedSemaphorePermit, Arc<Semaphore>)>,
}

impl Turns {
    pub(crate) fn new(total: usize) -> Self {
        let all = Arc::new(Semaphore::new(total.min(Semaphore::MAX_PERMITS)));
        Self { all, total, networks: Mutex::default() }
    }

    /// Waits for a turn. Those of this machine, which stands for many, wait for the others only.
    pub(crate) async fn take(&self, origin: Origin) -> Turn {
        let network = match origin {
            Origin::Local => None,
            Origin::Remote(_) => {
                let network = self.network(origin.network());
                // It is never closed.
                let permit = network.clone().acquire_owned().await.ok();
                permit.map(|permit| (permit, network))
            }
        };
        Turn { _all: self.all.clone().acquire_owned().await.ok(), _network: network }
    }

    /// How many go on.
    pub(crate) fn used(&self) -> usize {
        self.total.saturating_sub(self.all.available_permits())
    }

    fn network(&self, prefix: Prefix) -> Arc<Semaphore> {
        let mut networks = lock(&self.networks);
        if let Some(network) = networks.get(&prefix).and_then(Weak::upgrade) {
            return network;
        }
        if networks.len() >= MANY {
            networks.retain(|_, network| network.strong_count() > 0);
        }
        let network = Arc::new(Semaphore::new(self.total.div_ceil(PART).min(Semaphore::MAX_PERMITS)));
        networks.insert(prefix, Arc::downgrade(&network));
        network
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_network_leaves_turns_for_others_and_who_waits_gets_one() {
        let turns = Turns::new(8);
        let of = |text: &str| Origin::of(text.parse().unwrap(), false);
        let mut greedy = vec![turns.take(of("192.0.2.1")).await, turns.take(of("192.0.2.2")).await];
        let mut waiting = Box::pin(turns.take(of("192.0.2.3")));
        assert!((&mut waiting).now_or_never().is_none());
        let others: Vec<_> = (0..6).map(|_| turns.take(Origin::Local).now_or_never().unwrap()).collect();
        assert_eq!(turns.used(), 8);
        greedy.pop();
        waiting.await;
        drop((greedy, others));
        assert_eq!(turns.used(), 0);
    }
}
