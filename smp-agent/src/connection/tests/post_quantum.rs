//! Post-quantum keys that are switched on and off while a connection is in use.

use super::pair::{Pair, Side};
use super::world::{World, seeds};
use super::{CASES, connected};
use crate::error::AgentError;
use crate::event::Event;

const BOTH: [(bool, bool); 2] = [(true, true); 2];
const NONE: [(bool, bool); 2] = [(false, false); 2];

fn named(name: &str) -> Pair {
    connected(CASES.iter().find(|case| case.name == name).unwrap())
}

/// Both sides write in turns, so often that what both want is in force.
fn talk(pair: &mut Pair) {
    for round in 0..5 {
        for side in [Side::Alice, Side::Bob] {
            pair.send(side, &[round]);
            pair.run();
        }
    }
}

fn protection(pair: &Pair) -> [(bool, bool); 2] {
    [&pair.alice, &pair.bob].map(|peer| {
        let now = peer.connection.protection();
        (now.sending, now.receiving)
    })
}

/// The directions that a side was told of.
fn told<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<(bool, bool)> {
    let told = |event: &Event| match event {
        Event::PostQuantum { sending, receiving, .. } => Some((*sending, *receiving)),
        _ => None,
    };
    events.filter_map(told).collect()
}

fn switch(pair: &mut Pair, side: Side, wanted: bool) {
    let peer = match side {
        Side::Alice => &mut pair.alice,
        Side::Bob => &mut pair.bob,
    };
    peer.connection.set_post_quantum(wanted, &super::pair::config()).unwrap();
}

#[test]
fn either_side_switches_off_and_on_again() {
    for side in [Side::Alice, Side::Bob] {
        let mut pair = named("fast");
        talk(&mut pair);
        assert_eq!(protection(&pair), BOTH);
        assert_eq!([told(pair.events(Side::Alice)), told(pair.events(Side::Bob))], [[], []]);
        switch(&mut pair, side, false);
        talk(&mut pair);
        assert_eq!(protection(&pair), NONE);
        switch(&mut pair, side, true);
        talk(&mut pair);
        assert_eq!(protection(&pair), BOTH);
        for side in [Side::Alice, Side::Bob] {
            let told = told(pair.events(side));
            assert!(told.contains(&(false, false)) && told.last() == Some(&(true, true)), "{told:?}");
        }
        assert_eq!(pair.trouble(), []);
    }
}

#[test]
fn a_connection_that_began_without_gets_keys_when_one_side_wants_them() {
    let mut pair = named("no post-quantum keys");
    talk(&mut pair);
    assert_eq!(protection(&pair), NONE);
    let before = pair.limit(Side::Alice);
    // Alice is not configured to want them: what Bob offers is not taken.
    switch(&mut pair, Side::Bob, true);
    talk(&mut pair);
    assert_eq!(protection(&pair), NONE);
    assert_eq!(told(pair.events(Side::Alice)), []);
    assert!(pair.limit(Side::Bob) < before && pair.limit(Side::Alice) == before);
    switch(&mut pair, Side::Alice, true);
    talk(&mut pair);
    assert_eq!(protection(&pair), BOTH);
    assert!(pair.limit(Side::Alice) < before);
    assert_eq!(pair.trouble(), []);

    // Bob is configured to, but has never had any on this connection.
    let mut pair = named("no post-quantum keys");
    switch(&mut pair, Side::Alice, true);
    talk(&mut pair);
    talk(&mut pair);
    assert_eq!(protection(&pair), BOTH);
    assert_eq!(told(pair.events(Side::Bob)).last(), Some(&(true, true)));
    // Switched off by hand it does not take them any more.
    switch(&mut pair, Side::Bob, false);
    talk(&mut pair);
    talk(&mut pair);
    assert_eq!(protection(&pair), NONE);
    assert_eq!(pair.trouble(), []);
}

#[test]
fn sides_that_do_not_know_them_are_not_asked() {
    let mut pair = named("oldest joiner");
    let refused = pair.alice.connection.set_post_quantum(true, &super::pair::config());
    assert!(matches!(refused, Err(AgentError::NotNow { .. })));
    switch(&mut pair, Side::Alice, false);
    talk(&mut pair);
    assert_eq!(pair.trouble(), []);
}

#[test]
fn wishes_change_whatever_dies_and_in_whatever_order() {
    for seed in 0..seeds(8) {
        // Half of the worlds begin with such keys.
        let mut world = World::new(seed * 4 + 1);
        let mut wanted = [seed % 2 == 0; 2];
        for _ in 0..300 {
            let side = usize::from(world.chance(2));
            if world.chance(20) {
                wanted[side] = world.chance(2);
                world.switch(side, wanted[side]);
            } else if world.chance(60) {
                world.rotate(side);
            } else {
                world.act();
            }
        }
        let last = seed % 4 < 2;
        for side in 0..2 {
            world.switch(side, last);
        }
        for _ in 0..6 {
            for side in 0..2 {
                world.send(side);
                world.settle();
            }
        }
        world.check();
        for peer in &world.sides {
            let now = peer.connection.protection();
            assert_eq!((now.sending, now.receiving), (last, last), "seed {seed}");
            if let Some(told) = told(peer.events.iter()).last() {
                assert_eq!(*told, (last, last), "seed {seed}");
            }
        }
    }
}
