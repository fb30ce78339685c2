//! `Rates`: times that something may be done from one network and from all together; a bound that a reconnect does not begin anew.
//!
//! An entry is the time at which everything that was let happen would have happened if it had come evenly (the generic cell rate
//! algorithm). One that has passed says nothing, so it can be forgotten at any time; that keeps the table small.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::time::Instant;

use super::{Guest, Origin, origin::Prefix};
use crate::{config::Rate, metrics::Limit, sync::lock};

/// A burst may be as large as what is allowed in this time.
const BURST: Duration = Duration::from_secs(60);

/// Nobody waits longer for his turn: clients give up before.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(30);

/// Entries that are kept, at about 64 bytes each. Those for whom there is no place share one.
const MAX_ENTRIES: usize = 65_536;

/// The times of all that was done, by network.
pub(crate) struct Rates {
    limits: [Limit; 3],
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    even: HashMap<Key, Instant>,
    /// When entries that say nothing were looked for last.
    swept: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// A connection from this machine.
    Connection(u64),
    Prefix(Prefix),
    All,
    /// All for whom there was no place in the table.
    Rest,
}

/// A limit keeps somebody waiting for longer than he would wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooOften {
    pub(crate) limit: Limit,
    pub(crate) per_minute: u32,
}

impl Rates {
    /// `limits`: the names of those per address, per network and in total.
    pub(crate) fn new(limits: [Limit; 3]) -> Self {
        Self { limits, table: Mutex::default() }
    }

    /// Takes one turn for a connection and returns how long to wait for it.
    ///
    /// # Errors
    ///
    /// The limit that makes this too long; then no turn is taken.
    pub(crate) fn turn(&self, guest: &Guest, rate: Rate, now: Instant) -> Result<Duration, TooOften> {
        let [address, network, all] = self.limits;
        let origin = guest.origin;
        let bounds = match origin {
            Origin::Local => [Some((Key::Connection(guest.number()), rate.per_address, address)), None, None],
            Origin::Remote(_) => [
                Some((Key::Prefix(origin.address()), rate.per_address, address)),
                Some((Key::Prefix(origin.site()), rate.per_network, network))
                    .filter(|_| origin.site() != origin.address()),
                Some((Key::Prefix(origin.network()), rate.per_network, network)),
            ],
        };
        if rate.per_address == 0 {
            return Ok(Duration::ZERO);
        }
        let bounds = bounds.into_iter().flatten().chain([(Key::All, rate.total, all)]);
        let bounds = bounds.filter(|(_, per_minute, _)| *per_minute > 0);
        lock(&self.table).turn(bounds, now)
    }
}

impl Table {
    fn turn(
        &mut self,
        bounds: impl Iterator<Item = (Key, u32, Limit)>,
        now: Instant,
    ) -> Result<Duration, TooOften> {
        let mut next = [None; 4];
        let mut longest = Duration::ZERO;
        for (place, (key, per_minute, limit)) in next.iter_mut().zip(bounds) {
            let key = self.place(key, now);
            let even = self.even.get(&key).map_or(now, |even| now.max(*even)) + BURST / per_minute;
            let wait = even.saturating_duration_since(now + BURST);
            if wait > MAX_WAIT {
                return Err(TooOften { limit, per_minute });
            }
            longest = longest.max(wait);
            *place = Some((key, even));
        }
        self.even.extend(next.into_iter().flatten());
        Ok(longest)
    }

    /// The entry for a key: its own if there is a place for it.
    fn place(&mut self, key: Key, now: Instant) -> Key {
        if self.even.len() < MAX_ENTRIES || self.even.contains_key(&key) || key == Key::All {
            return key;
        }
        // Not for each newcomer: it takes as long as there are entries.
        if self.swept.is_none_or(|swept| now.duration_since(swept) >= BURST / 60) {
            self.swept = Some(now);
            self.even.retain(|_, even| *even > now);
        }
        if self.even.len() < MAX_ENTRIES { key } else { Key::Rest }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::admission::{Bounds, Places};

    const RATE: Rate = Rate { per_address: 60, per_network: 120, total: 180 };

    fn rates() -> Rates {
        Rates::new([Limit::NewQueuesPerAddress, Limit::NewQueuesPerNetwork, Limit::NewQueuesTotal])
    }

    fn guest(text: &str) -> Arc<Guest> {
        let bounds = Bounds { total: usize::MAX, per_address: 0, per_site: 0, per_network: 0 };
        let (place, _) = Places::new(bounds).take(Origin::of(text.parse().unwrap(), false)).unwrap();
        place.guest().clone()
    }

    /// How many turns pass without waiting.
    fn burst(rates: &Rates, text: &str, rate: Rate, now: Instant) -> usize {
        // Each time from another connection.
        (0..1_000).take_while(|_| rates.turn(&guest(text), rate, now) == Ok(Duration::ZERO)).count()
    }

    #[test]
    fn a_burst_passes_what_follows_is_spread_out_and_a_reconnect_changes_nothing() {
        let (rates, now) = (rates(), Instant::now());
        assert_eq!(burst(&rates, "192.0.2.1", RATE, now), 60);
        // The one that ended the burst has taken the first turn.
        assert_eq!(rates.turn(&guest("192.0.2.1"), RATE, now), Ok(Duration::from_secs(2)));
        assert_eq!(burst(&rates, "192.0.2.1", RATE, now + Duration::from_secs(32)), 30);
    }

    #[test]
    fn nobody_waits_for_longer_than_he_would_and_who_is_refused_takes_no_turn() {
        let (rates, now) = (rates(), Instant::now());
        let turns: Vec<_> = (0..200).map(|_| rates.turn(&guest("192.0.2.1"), RATE, now)).collect();
        assert_eq!(turns.iter().filter(|turn| turn.is_ok()).count(), 90);
        let too_often = TooOften { limit: Limit::NewQueuesPerAddress, per_minute: 60 };
        assert_eq!(turns[199].as_ref(), Err(&too_often));
        assert_eq!(rates.turn(&guest("192.0.2.1"), RATE, now + BURST + MAX_WAIT), Ok(Duration::ZERO));
    }

    #[test]
    fn networks_and_all_together_have_bounds_too() {
        let (rates, now) = (rates(), Instant::now());
        let counts = [
            "2001:db8:0:1::1",
            "2001:db8:0:2::1",
            "2001:db8:0:3::1",
            "2001:db8:0:ff00::1",
            "192.0.2.1",
            "198.51.100.1",
        ]
        .map(|text| burst(&rates, text, RATE, now));
        assert_eq!(
            counts[..4],
            [60, 59, 0, 0],
            "a /48 has as much as two addresses: one turn ended the first"
        );
        assert!(counts[4] > 0 && counts[4] < 60 && counts[5] == 0, "{counts:?}");
    }

    #[test]
    fn connections_from_this_machine_are_told_apart_and_bounded_together() {
        let (rates, now) = (rates(), Instant::now());
        let places = Places::new(Bounds { total: 10, per_address: 0, per_site: 0, per_network: 0 });
        let here: Vec<_> = (0..4).map(|_| places.take(Origin::Local).unwrap().0).collect();
        let counts: Vec<_> = here
            .iter()
            .map(|place| {
                (0..).take_while(|_| rates.turn(place.guest(), RATE, now) == Ok(Duration::ZERO)).count()
            })
            .collect();
        assert_eq!(counts[..2], [60, 60]);
        assert_eq!(counts[3], 0);
    }

    #[test]
    fn zero_is_no_bound() {
        let (rates, now) = (rates(), Instant::now());
        assert_eq!(burst(&rates, "192.0.2.1", Rate { per_address: 0, ..RATE }, now), 1_000);
        let alone = Rate { per_network: 0, total: 0, ..RATE };
        assert_eq!(burst(&rates, "192.0.2.1", alone, now), 60);
        assert_eq!(burst(&rates, "192.0.2.2", alone, now), 60);
    }

    #[test]
    fn the_table_is_bounded_and_what_says_nothing_is_forgotten() {
        let (mut table, now) = (Table::default(), Instant::now());
        let turn = |table: &mut Table, number: u64, now| {
            table.turn([(Key::Connection(number), 60, Limit::NewQueuesPerAddress)].into_iter(), now)
        };
        for number in 0..2 * MAX_ENTRIES as u64 {
            let _ = turn(&mut table, number, now);
        }
        assert!(table.even.len() <= MAX_ENTRIES + 1 && table.even.contains_key(&Key::Rest));
        assert!(turn(&mut table, 1 << 40, now).is_err(), "those for whom there is no place share one");
        assert!(turn(&mut table, 0, now).is_ok());
        let later = now + 2 * BURST;
        assert!(turn(&mut table, 1 << 41, later).is_ok());
        assert!(table.even.len() < 10, "{}", table.even.len());
    }
}
