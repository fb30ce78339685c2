//! Connections: how many there may be, in total and from one network, and which one goes when there is no place left.
//!
//! A connection is a stranger until a command other than `PING` was done for it; then it is known. Where a limit is reached a
//! newcomer takes the place of a stranger: of the oldest one of the network that has most of them, so that who opens connections
//! by the thousand displaces his own. If there is none left in the whole relay, a newcomer takes a place of the network that has
//! most connections, if that has more than twice as many as the newcomer's: of the youngest one, so that what has lasted goes on.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use super::origin::{Origin, Prefix};
use crate::{metrics::Limit, sync::lock};

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) total: usize,
    /// From one [`Origin::address`]; 0: no bound.
    pub(crate) per_address: usize,
    /// From one [`Origin::site`]; 0: no bound.
    pub(crate) per_site: usize,
    /// From one [`Origin::network`]; 0: no bound.
    pub(crate) per_network: usize,
}

/// Counts connections. Clones are the same.
#[derive(Clone)]
pub(crate) struct Places(Arc<Mutex<Table>>);

/// One connection's place, given back when it is dropped.
pub(crate) struct Place {
    guest: Arc<Guest>,
    evicted: Arc<Notify>,
}

/// The connection that has a place, for those who learn that it is no stranger.
pub(crate) struct Guest {
    places: Places,
    number: u64,
    pub(crate) origin: Origin,
    is_known: AtomicBool,
}

/// A limit that is reached, and its value.
pub(crate) type Refusal = (Limit, usize);

/// A newcomer's place. If somebody had to go for it, because of which limit.
pub(crate) type Granted = (Place, Option<Refusal>);

/// Prefixes with a bound of their own.
#[derive(Clone, Copy)]
enum Level {
    Address,
    Site,
    Network,
}

struct Table {
    bounds: Bounds,
    next_number: u64,
    total: usize,
    networks: HashMap<Prefix, Network>,
    /// Networks by the number of their connections.
    by_connections: BTreeSet<(usize, Prefix)>,
    /// Networks that have strangers, by their number.
    by_strangers: BTreeSet<(usize, Prefix)>,
}

/// The connections of one network.
#[derive(Default)]
struct Network {
    connections: usize,
    strangers: usize,
    sites: HashMap<Prefix, usize>,
    addresses: HashMap<Prefix, Address>,
}

/// The connections of one address, by number: the oldest first.
struct Address {
    site: Prefix,
    strangers: BTreeMap<u64, Arc<Notify>>,
    known: BTreeMap<u64, Arc<Notify>>,
}

impl Places {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(Table {
            bounds,
            next_number: 0,
            total: 0,
            networks: HashMap::new(),
            by_connections: BTreeSet::new(),
            by_strangers: BTreeSet::new(),
        })))
    }

    /// Sets other bounds. Connections that there are stay, and count.
    pub(crate) fn set_bounds(&self, bounds: Bounds) {
        lock(&self.0).bounds = bounds;
    }

    /// A place for a connection from there.
    ///
    /// # Errors
    ///
    /// The limit that is reached.
    pub(crate) fn take(&self, origin: Origin) -> Result<Granted, Refusal> {
        let mut table = lock(&self.0);
        let displaced = table.make_place(origin)?;
        let number = table.next_number;
        table.next_number += 1;
        let evicted = Arc::new(Notify::new());
        table.enter(origin, number, evicted.clone());
        drop(table);
        let guest = Guest { places: self.clone(), number, origin, is_known: AtomicBool::new(false) };
        Ok((Place { guest: Arc::new(guest), evicted }, displaced))
    }

    /// Connections that there may be.
    pub(crate) fn max(&self) -> usize {
        lock(&self.0).bounds.total
    }

    /// Connections that there are now.
    pub(crate) fn used(&self) -> usize {
        lock(&self.0).total
    }
}

impl Place {
    pub(crate) fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    /// Resolves when another connection has taken the place: then this one is to be closed.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Guest { places, number, origin, .. } = &*self.guest;
        lock(&places.0).leave(*origin, *number);
    }
}

impl Guest {
    /// A command was done for it.
    pub(crate) fn note_known(&self) {
        if !self.is_known.swap(true, Ordering::Relaxed) {
            lock(&self.places.0).note_known(self.origin, self.number);
        }
    }

    /// Tells connections apart.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether a command was done for it.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }
}

impl Table {
    /// Sees to it that one more connection from there keeps to all bounds. Returns the limit because of which another one had
    /// to go, if it had to.
    fn make_place(&mut self, origin: Origin) -> Result<Option<Refusal>, Refusal> {
        let mut displaced = None;
        // The narrowest first: a place in it is one in the others too.
        for level in Level::ALL {
            let max = level.max(&self.bounds);
            let network = self.networks.get(&origin.network());
            if max == 0
                || origin == Origin::Local
                || network.map_or(0, |network| network.count(level, origin)) < max
            {
                continue;
            }
            let is_in = |prefix: &Prefix, address: &Address| level.holds(origin, prefix, address);
            let stranger = network.and_then(|network| network.oldest_stranger(is_in));
            let (prefix, number) = stranger.ok_or((level.limit(), max))?;
            self.evict(origin.network(), prefix, number);
            displaced = Some((level.limit(), max));
        }
        let limit = (Limit::Connections, self.bounds.total);
        if self.total >= self.bounds.total {
            let (network, prefix, number) =
                self.a_stranger().or_else(|| self.of_the_largest(origin)).ok_or(limit)?;
            self.evict(network, prefix, number);
            displaced = Some(limit);
        }
        // Bounds that were lowered may be exceeded by more than one.
        if self.total >= self.bounds.total { Err(limit) } else { Ok(displaced) }
    }

    /// The oldest stranger of the network that has most.
    fn a_stranger(&self) -> Option<(Prefix, Prefix, u64)> {
        let (_, network) = self.by_strangers.last()?;
        let (prefix, number) = self.networks.get(network)?.oldest_stranger(|_, _| true)?;
        Some((*network, prefix, number))
    }

    /// The youngest connection of the network that has most, if that has far more than the newcomer's.
    fn of_the_largest(&self, newcomer: Origin) -> Option<(Prefix, Prefix, u64)> {
        let own = self.networks.get(&newcomer.network()).map_or(0, |network| network.connections);
        let (most, network) = self.by_connections.last()?;
        if *most <= 2 * (own + 1) {
            return None;
        }
        let addresses = &self.networks.get(network)?.addresses;
        let (prefix, address) = addresses.iter().max_by_key(|(_, address)| address.known.len())?;
        let (number, _) = address.known.last_key_value()?;
        Some((*network, *prefix, *number))
    }

    fn evict(&mut self, network: Prefix, address: Prefix, number: u64) {
        if let Some(evicted) = self.remove(network, address, number) {
            evicted.notify_one();
        }
    }

    fn enter(&mut self, origin: Origin, number: u64, evicted: Arc<Notify>) {
        self.total += 1;
        self.change(origin.network(), |network| {
            network.connections += 1;
            network.strangers += 1;
            *network.sites.entry(origin.site()).or_default() += 1;
            let address = network.addresses.entry(origin.address()).or_insert_with(|| Address {
                site: origin.site(),
                strangers: BTreeMap::new(),
                known: BTreeMap::new(),
            });
            address.strangers.insert(number, evicted);
        });
    }

    fn note_known(&mut self, origin: Origin, number: u64) {
        self.change(origin.network(), |network| {
            let address = network.addresses.get_mut(&origin.address());
            // It may have been evicted.
            if let Some(address) = address
                && let Some(evicted) = address.strangers.remove(&number)
            {
                address.known.insert(number, evicted);
                network.strangers -= 1;
            }
        });
    }

    /// Nothing happens if it was evicted.
    fn leave(&mut self, origin: Origin, number: u64) {
        self.remove(origin.network(), origin.address(), number);
    }

    fn remove(&mut self, network: Prefix, prefix: Prefix, number: u64) -> Option<Arc<Notify>> {
        let removed = self.change(network, |network| network.remove(prefix, number));
        self.total -= usize::from(removed.is_some());
        removed
    }

    /// Changes a network and keeps the orders right. One without connections is forgotten.
    fn change<T>(&mut self, prefix: Prefix, change: impl FnOnce(&mut Network) -> T) -> T {
        let network = self.networks.entry(prefix).or_default();
        let (connections, strangers) = (network.connections, network.strangers);
        let changed = change(network);
        for (order, before, after) in [
            (&mut self.by_connections, connections, network.connections),
            (&mut self.by_strangers, strangers, network.strangers),
        ] {
            if before != after {
                order.remove(&(before, prefix));
                if after > 0 {
                    order.insert((after, prefix));
                }
            }
        }
        if network.connections == 0 {
            self.networks.remove(&prefix);
        }
        changed
    }
}

impl Level {
    const ALL: [Self; 3] = [Self::Address, Self::Site, Self::Network];

    fn limit(self) -> Limit {
        match self {
            Self::Address => Limit::PerAddress,
            Self::Site => Limit::PerSite,
            Self::Network => Limit::PerNetwork,
        }
    }

    fn max(self, bounds: &Bounds) -> usize {
        match self {
            Self::Address => bounds.per_address,
            Self::Site => bounds.per_site,
            Self::Network => bounds.per_network,
        }
    }

    /// Whether an address of the origin's network is in the origin's prefix of this level.
    fn holds(self, origin: Origin, prefix: &Prefix, address: &Address) -> bool {
        match self {
            Self::Address => *prefix == origin.address(),
            Self::Site => address.site == origin.site(),
            Self::Network => true,
        }
    }
}

impl Network {
    /// Connections in the origin's prefix of this level.
    fn count(&self, level: Level, origin: Origin) -> usize {
        match level {
            Level::Address => self.addresses.get(&origin.address()).map_or(0, Address::count),
            Level::Site => self.sites.get(&origin.site()).copied().unwrap_or(0),
            Level::Network => self.connections,
        }
    }

    /// The oldest stranger of the address that has most, among some addresses.
    fn oldest_stranger(&self, is_in: impl Fn(&Prefix, &Address) -> bool) -> Option<(Prefix, u64)> {
        let addresses = self.addresses.iter().filter(|(prefix, address)| is_in(prefix, address));
        let (prefix, address) = addresses.max_by_key(|(_, address)| address.strangers.len())?;
        let (number, _) = address.strangers.first_key_value()?;
        Some((*prefix, *number))
    }

    fn remove(&mut self, prefix: Prefix, number: u64) -> Option<Arc<Notify>> {
        let address = self.addresses.get_mut(&prefix)?;
        let evicted = match address.strangers.remove(&number) {
            Some(evicted) => {
                self.strangers -= 1;
                evicted
            }
            None => address.known.remove(&number)?,
        };
        let (site, is_empty) = (address.site, address.count() == 0);
        if is_empty {
            self.addresses.remove(&prefix);
        }
        self.connections -= 1;
        if let Some(count) = self.sites.get_mut(&site) {
            *count -= 1;
            if *count == 0 {
                self.sites.remove(&site);
            }
        }
        Some(evicted)
    }
}

impl Address {
    fn count(&self) -> usize {
        self.strangers.len() + self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const NONE: Bounds = Bounds { total: 1_000, per_address: 0, per_site: 0, per_network: 0 };

    fn from(text: &str) -> Origin {
        Origin::of(text.parse().unwrap(), false)
    }

    /// A connection for which nothing was done.
    fn stranger(places: &Places, text: &str) -> Place {
        places.take(from(text)).unwrap().0
    }

    fn known(places: &Places, text: &str) -> Place {
        let place = stranger(places, text);
        place.guest().note_known();
        place
    }

    fn is_evicted(place: &Place) -> bool {
        let evicted = place.evicted().now_or_never().is_some();
        if evicted {
            place.evicted.notify_one();
        }
        evicted
    }

    fn refused(places: &Places, text: &str) -> Option<Refusal> {
        places.take(from(text)).err()
    }

    #[test]
    fn the_total_is_bounded_and_places_come_back() {
        let places = Places::new(Bounds { total: 2, ..NONE });
        let one = known(&places, "192.0.2.1");
        let _two = known(&places, "192.0.2.1");
        assert_eq!(refused(&places, "192.0.2.2"), Some((Limit::Connections, 2)));
        drop(one);
        let _three = stranger(&places, "192.0.2.2");
        assert_eq!(places.used(), 2);
    }

    #[test]
    fn each_prefix_has_its_bound() {
        let places = Places::new(Bounds { per_address: 1, per_site: 2, per_network: 3, ..NONE });
        let _one = known(&places, "2001:db8:aaaa:1100::1");
        assert_eq!(refused(&places, "2001:db8:aaaa:1100::2"), Some((Limit::PerAddress, 1)));
        let _two = known(&places, "2001:db8:aaaa:1101::1");
        assert_eq!(refused(&places, "2001:db8:aaaa:1102::1"), Some((Limit::PerSite, 2)));
        let _three = known(&places, "2001:db8:aaaa:2200::1");
        assert_eq!(refused(&places, "2001:db8:aaaa:3300::1"), Some((Limit::PerNetwork, 3)));
        let _other = known(&places, "2001:db8:aaab:1100::1");
        let _v4: Vec<_> = (1..=3).map(|n| known(&places, &format!("192.0.2.{n}"))).collect();
        assert_eq!(refused(&places, "::ffff:192.0.2.1"), Some((Limit::PerAddress, 1)));
        assert_eq!(refused(&places, "192.0.2.4"), Some((Limit::PerNetwork, 3)));
        // This machine stands for many.
        let _local: Vec<_> = (0..10).map(|_| known(&places, "127.0.0.1")).collect();
    }

    #[test]
    fn a_newcomer_takes_the_place_of_the_oldest_stranger() {
        let places = Places::new(Bounds { total: 3, ..NONE });
        let known = known(&places, "192.0.2.1");
        let (old, young) = (stranger(&places, "192.0.2.2"), stranger(&places, "192.0.2.2"));
        let (newcomer, displaced) = places.take(from("192.0.2.3")).unwrap();
        assert_eq!(displaced, Some((Limit::Connections, 3)));
        assert_eq!([&known, &old, &young, &newcomer].map(is_evicted), [false, true, false, false]);
        assert_eq!(places.used(), 3);
        drop(old);
        assert_eq!(places.used(), 3, "its place is not given back twice");
    }

    #[test]
    fn a_bound_of_an_address_too_is_kept_by_strangers_leaving() {
        let places = Places::new(Bounds { per_address: 2, ..NONE });
        let elsewhere = stranger(&places, "192.0.2.9");
        let (first, second) = (stranger(&places, "192.0.2.1"), known(&places, "192.0.2.1"));
        let third = known(&places, "192.0.2.1");
        assert_eq!([&elsewhere, &first, &second, &third].map(is_evicted), [false, true, false, false]);
        assert_eq!(refused(&places, "192.0.2.1"), Some((Limit::PerAddress, 2)));
    }

    #[test]
    fn who_opens_many_displaces_his_own() {
        let places = Places::new(Bounds { total: 100, ..NONE });
        let lonely = stranger(&places, "198.51.100.1");
        let crowd: Vec<_> = (0..500).map(|n| stranger(&places, &format!("192.0.{}.1", n % 4))).collect();
        assert!(!is_evicted(&lonely));
        assert_eq!(crowd.iter().filter(|place| is_evicted(place)).count(), 401);
        assert!(!is_evicted(&crowd[499]));
    }

    #[test]
    fn a_full_relay_is_shared_among_networks() {
        let places = Places::new(Bounds { total: 10, ..NONE });
        let crowd: Vec<_> = (0..10).map(|_| known(&places, "192.0.2.1")).collect();
        assert!(places.take(from("192.0.2.2")).is_err(), "the same network");
        let mut others = Vec::new();
        while let Ok((place, _)) = places.take(from("198.51.100.1")) {
            place.guest().note_known();
            others.push(place);
        }
        assert_eq!(others.len(), 3, "more than twice as many");
        let evicted: Vec<_> = crowd.iter().map(is_evicted).collect();
        assert!(evicted[..7].iter().all(|evicted| !evicted) && evicted[7..].iter().all(|evicted| *evicted));
        assert!(!others.iter().any(is_evicted));
    }

    #[test]
    fn lowered_bounds_hold_for_who_comes() {
        let places = Places::new(NONE);
        let mut held: Vec<_> = (0..3).map(|_| known(&places, "192.0.2.1")).collect();
        places.set_bounds(Bounds { total: 1, ..NONE });
        assert_eq!(places.max(), 1);
        held.truncate(1);
        assert!(refused(&places, "192.0.2.1").is_some());
    }

    #[test]
    fn nothing_is_left_of_those_who_went() {
        let places = Places::new(Bounds { total: 5, per_address: 3, per_site: 4, per_network: 5 });
        for round in 0..50 {
            let place = stranger(&places, &format!("2001:db8:{round}::1"));
            if round % 2 == 0 {
                place.guest().note_known();
            }
        }
        let table = lock(&places.0);
        assert_eq!(table.total, 0);
        assert!(
            table.networks.is_empty() && table.by_connections.is_empty() && table.by_strangers.is_empty()
        );
    }
}
