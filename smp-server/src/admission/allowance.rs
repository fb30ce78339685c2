//! `Allowance`: bytes that each network may put on the relay in a time.
//!
//! As in [`Rates`](super::Rates) an entry is the time at which everything would have come if it had come evenly. So nothing says which bytes
//! are of which network, and what is removed is not given back: bytes that are kept for that time are never more than twice as many from
//! one network as it may have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::{Origin, origin::Prefix};
use crate::sync::lock;

/// Networks that are told apart, at about 64 bytes each. Those for whom there is no place share one.
const MAX_ENTRIES: usize = 65_536;

/// Bytes in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// 0: no bound.
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
}

impl Quota {
    /// The time in which so many bytes would come evenly.
    fn share(self, bytes: u64) -> Duration {
        let nanos = self.time.as_nanos().saturating_mul(bytes.into()) / u128::from(self.bytes.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The bytes of all networks.
#[derive(Default)]
pub(crate) struct Allowance(Mutex<HashMap<Option<Prefix>, Instant>>);

/// Bytes that were taken, and come back if this is dropped.
pub(crate) struct Taken {
    allowance: Arc<Allowance>,
    network: Option<Prefix>,
    share: Duration,
}

impl Allowance {
    /// Takes bytes for somebody, if his network may have as many. This machine stands for many: it has no bound.
    pub(crate) fn take(
        self: &Arc<Self>,
        origin: Origin,
        bytes: u64,
        quota: Quota,
        now: Instant,
    ) -> Option<Taken> {
        if origin == Origin::Local || quota.bytes == 0 {
            return Some(Taken { allowance: self.clone(), network: None, share: Duration::ZERO });
        }
        let mut table = lock(&self.0);
        let network = place(&mut table, origin.network(), now);
        let share = quota.share(bytes);
        let even = table.get(&network).map_or(now, |even| now.max(*even)) + share;
        if even > now + quota.time {
            return None;
        }
        table.insert(network, even);
        Some(Taken { allowance: self.clone(), network, share })
    }
}

/// The entry of a network: its own if there is a place for it.
fn place(table: &mut HashMap<Option<Prefix>, Instant>, network: Prefix, now: Instant) -> Option<Prefix> {
    let network = Some(network);
    if table.len() >= MAX_ENTRIES && !table.contains_key(&network) {
        table.retain(|_, even| *even > now);
        if table.len() >= MAX_ENTRIES {
            return None;
        }
    }
    network
}

impl Taken {
    /// They were used.
    pub(crate) fn keep(mut self) {
        self.share = Duration::ZERO;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.share.is_zero()
            && let Some(even) = lock(&self.allowance.0).get_mut(&self.network)
        {
            *even = even.checked_sub(self.share).unwrap_or(*even);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const QUOTA: Quota = Quota { bytes: 1_000, time: DAY };

    fn of(text: &str) -> Origin {
        Origin::of(text.parse().unwrap(), false)
    }

    #[test]
    fn a_network_has_its_bytes_and_they_come_back_with_time() {
        let (allowance, now) = (Arc::new(Allowance::default()), Instant::now());
        let take = |text, bytes, now| allowance.take(of(text), bytes, QUOTA, now);
        take("192.0.2.1", 600, now).unwrap().keep();
        assert!(take("192.0.2.99", 401, now).is_none(), "one network");
        take("192.0.2.99", 400, now).unwrap().keep();
        assert!(take("192.0.2.1", 1, now).is_none());
        take("192.0.3.1", 1_000, now).unwrap().keep();
        assert!(take("192.0.2.1", 501, now + DAY / 2).is_none());
        assert!(take("192.0.2.1", 500, now + DAY / 2).is_some());
    }

    #[test]
    fn what_was_not_used_comes_back_and_this_machine_has_no_bound() {
        let (allowance, now) = (Arc::new(Allowance::default()), Instant::now());
        for _ in 0..10 {
            drop(allowance.take(of("192.0.2.1"), 1_000, QUOTA, now).unwrap());
            allowance.take(of("::1"), 1_000, QUOTA, now).unwrap().keep();
        }
        let none = Quota { bytes: 0, time: DAY };
        allowance.take(of("192.0.2.1"), u64::MAX, none, now).unwrap().keep();
        allowance.take(of("192.0.2.1"), 1_000, QUOTA, now).unwrap().keep();
        assert!(allowance.take(of("192.0.2.1"), 1, QUOTA, now).is_none());
    }
}
