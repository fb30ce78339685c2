//! Memory for commands and answers in flight: so many bytes for all connections together, and a fair share for each.
//!
//! One half is shared by dynamic thresholds, as the buffers of switches are (Choudhury and Hahne, 1998): a network may take only as
//! much as it leaves free for others, and a connection only as much as its network then leaves free for its other connections.
//! Memory that was taken is not taken away again, so the other half is kept for those who have nothing: there a network gets its
//! floor, however greedy others are.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use super::origin::{Origin, Prefix};
use crate::sync::lock;

/// A network's floor is this part of the whole. Half as many greedy networks leave a floor for another one.
const FLOOR: usize = 128;

/// Of those who wait, so many are woken when memory is given back. Some of them may have to go on waiting.
const WOKEN: usize = 4;

/// Memory of the whole relay.
pub(crate) struct Memory {
    state: Mutex<State>,
    /// How many wait.
    waiting: AtomicUsize,
    released: Notify,
}

struct State {
    /// Bytes that there are.
    total: usize,
    used: usize,
    networks: HashMap<Prefix, Weak<Account>>,
}

/// Bytes that a network, or a connection, has taken. Changed under the lock of the state only.
#[derive(Default)]
struct Account(AtomicUsize);

/// The share of one connection.
pub(crate) struct Share {
    memory: Arc<Memory>,
    prefix: Prefix,
    network: Arc<Account>,
    own: Account,
}

impl Memory {
    pub(crate) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State { total, used: 0, networks: HashMap::new() }),
            waiting: AtomicUsize::new(0),
            released: Notify::new(),
        })
    }

    /// Sets another total; memory that was taken stays taken.
    pub(crate) fn set_total(&self, total: usize) {
        lock(&self.state).total = total;
        self.released.notify_waiters();
    }

    /// Bytes that there are.
    fn total(&self) -> usize {
        lock(&self.state).total
    }

    /// Bytes that are taken.
    pub(crate) fn used(&self) -> usize {
        lock(&self.state).used
    }

    /// The share of a connection from there.
    pub(crate) fn share(self: &Arc<Self>, origin: Origin) -> Share {
        let prefix = origin.network();
        let mut state = lock(&self.state);
        let network = state.networks.get(&prefix).and_then(Weak::upgrade).unwrap_or_else(|| {
            let network = Arc::<Account>::default();
            state.networks.insert(prefix, Arc::downgrade(&network));
            network
        });
        drop(state);
        Share { memory: self.clone(), prefix, network, own: Account::default() }
    }
}

impl Account {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl Share {
    /// Bytes that there are for all.
    pub(crate) fn total(&self) -> usize {
        self.memory.total()
    }

    /// Takes so many bytes if they are within the share now. Returns whether they are.
    pub(crate) fn try_take(&self, bytes: usize) -> bool {
        let mut state = lock(&self.memory.state);
        let (network, own) = (self.network.get(), self.own.get());
        let shared = (state.total / 2).saturating_sub(state.used);
        let floor = if state.used + bytes <= state.total { state.total / FLOOR } else { 0 };
        // When nothing is taken the largest command must pass, whatever the settings say.
        if own + bytes > shared.max(floor).saturating_sub(network) && state.used > 0 {
            return false;
        }
        state.used += bytes;
        self.network.set(network + bytes);
        self.own.set(own + bytes);
        true
    }

    /// Waits until so many bytes are within the share, and takes them.
    pub(crate) async fn take(&self, bytes: usize) {
        let _waiting = Waiting::new(&self.memory.waiting);
        loop {
            let released = self.memory.released.notified();
            tokio::pin!(released);
            // From here on nothing that is given back is missed.
            released.as_mut().enable();
            if self.try_take(bytes) {
                return;
            }
            released.await;
        }
    }

    /// Gives back bytes that were taken.
    pub(crate) fn give_back(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let mut state = lock(&self.memory.state);
        state.used = state.used.saturating_sub(bytes);
        self.network.set(self.network.get().saturating_sub(bytes));
        self.own.set(self.own.get().saturating_sub(bytes));
        drop(state);
        if self.memory.waiting.load(Ordering::SeqCst) > 0 {
            (0..WOKEN).for_each(|_| self.memory.released.notify_one());
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = lock(&self.memory.state);
        // The last one of its network: new owners come from the map only, which is locked.
        if Arc::strong_count(&self.network) == 1 {
            state.networks.remove(&self.prefix);
        }
    }
}

/// Counts somebody who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const TOTAL: usize = 1_000_000;
    const COMMAND: usize = 1_000;

    fn share(memory: &Arc<Memory>, text: &str) -> Arc<Share> {
        Arc::new(memory.share(Origin::of(text.parse().unwrap(), false)))
    }

    /// Bytes that were taken; given back when it is dropped.
    struct Grant(Arc<Share>, usize);

    impl Grant {
        fn shrink(&mut self, bytes: usize) {
            self.0.give_back(self.1 - bytes);
            self.1 = bytes;
        }
    }

    impl Drop for Grant {
        fn drop(&mut self) {
            self.0.give_back(self.1);
        }
    }

    fn try_take(share: &Arc<Share>, bytes: usize) -> Option<Grant> {
        share.try_take(bytes).then(|| Grant(share.clone(), bytes))
    }

    /// Takes until it may take no more.
    fn take_all(share: &Arc<Share>) -> Vec<Grant> {
        std::iter::from_fn(|| try_take(share, COMMAND)).collect()
    }

    #[test]
    fn one_connection_leaves_most_for_others() {
        let memory = Memory::new(TOTAL);
        let one = share(&memory, "192.0.2.1");
        let taken = take_all(&one);
        assert!((160..170).contains(&taken.len()), "a sixth: {}", taken.len());
        let others: Vec<_> =
            (0..200).map(|n| take_all(&share(&memory, &format!("192.0.2.{n}"))).len()).collect();
        assert!(others[0] > 10, "the next connection has room: {others:?}");
        drop(taken);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn forty_greedy_networks_leave_room_for_another_one() {
        let memory = Memory::new(TOTAL);
        let mut taken = Vec::new();
        for address in 1..=3 {
            for network in 0..40 {
                taken.extend(take_all(&share(&memory, &format!("192.0.{network}.{address}"))));
            }
        }
        let newcomer = share(&memory, "198.51.100.1");
        assert!(!take_all(&newcomer).is_empty());
    }

    #[test]
    fn many_connections_of_one_network_take_no_more_than_it_may() {
        let memory = Memory::new(TOTAL);
        let crowd: Vec<_> = (0..1_000).flat_map(|_| take_all(&share(&memory, "192.0.2.1"))).collect();
        assert!(crowd.len() * COMMAND <= TOTAL / 4);
        let newcomer = share(&memory, "198.51.100.1");
        assert!(take_all(&newcomer).len() * COMMAND >= TOTAL / 16);
    }

    #[tokio::test]
    async fn who_waits_gets_what_is_given_back() {
        let memory = Memory::new(TOTAL);
        let (one, other) = (share(&memory, "192.0.2.1"), share(&memory, "192.0.2.1"));
        let mut large = try_take(&one, TOTAL).unwrap();
        let mut waiting = Box::pin(other.take(COMMAND));
        assert!((&mut waiting).now_or_never().is_none());
        large.shrink(TOTAL - 2 * COMMAND);
        assert!((&mut waiting).now_or_never().is_none(), "not within its share");
        large.shrink(COMMAND);
        waiting.await;
        assert_eq!(memory.used(), 2 * COMMAND);
        other.give_back(COMMAND);
        drop(large);
        assert_eq!(memory.waiting.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn all_who_wait_get_their_turn() {
        let memory = Memory::new(TOTAL);
        let first = try_take(&share(&memory, "192.0.2.1"), TOTAL).unwrap();
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                let share = share(&memory, &format!("192.0.{n}.1"));
                tokio::spawn(async move {
                    share.take(TOTAL / 3).await;
                    tokio::task::yield_now().await;
                    share.give_back(TOTAL / 3);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn the_largest_command_passes_when_nothing_else_is_there_and_networks_are_forgotten() {
        let memory = Memory::new(COMMAND / 2);
        let one = share(&memory, "192.0.2.1");
        let grant = try_take(&one, COMMAND).unwrap();
        assert!(!one.try_take(1));
        drop(one);
        assert_eq!(lock(&memory.state).networks.len(), 1, "something is still taken");
        drop(grant);
        assert!(lock(&memory.state).networks.is_empty());
        memory.set_total(TOTAL);
        assert!(share(&memory, "192.0.2.1").try_take(COMMAND));
    }
}
