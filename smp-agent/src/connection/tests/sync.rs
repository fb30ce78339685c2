//! New ratchets while messages flow, whatever dies in between, and after one side was replaced by an old copy.

use super::world::{World, seeds};
use crate::event::Event;
use crate::stages::SyncState;

fn states(events: &[Event]) -> Vec<SyncState> {
    let state = |event: &Event| match event {
        Event::RatchetSync { state, .. } => Some(*state),
        _ => None,
    };
    events.iter().filter_map(state).collect()
}

#[test]
fn one_side_asks_for_a_new_ratchet() {
    let mut world = World::new(1);
    let code = |world: &World, side: usize| {
        world.sides[side].connection.ratchet.as_ref().unwrap().security_code().to_string()
    };
    let before = code(&world, 0);
    assert!(!world.resynchronize(0, false), "nothing is wrong");
    world.send(1);
    assert!(world.resynchronize(0, true));
    // They wait until the peer has answered.
    assert!(world.send(0) && world.send(0));
    world.settle();
    assert_eq!(states(&world.sides[0].events), [SyncState::Started, SyncState::Agreed, SyncState::Ok]);
    assert_eq!(states(&world.sides[1].events), [SyncState::Agreed, SyncState::Ok]);
    assert_ne!(code(&world, 0), before);
    assert_eq!(code(&world, 0), code(&world, 1));
    for side in [0, 1, 0, 1] {
        assert!(world.send(side));
        world.settle();
    }
    world.check();
}

#[test]
fn messages_arrive_whoever_asks_for_a_new_ratchet_and_when() {
    for seed in 0..seeds(16) {
        let mut world = World::new(seed);
        for _ in 0..300 {
            let side = usize::from(world.chance(2));
            if world.chance(40) {
                world.resynchronize(side, true);
            } else {
                world.act();
            }
        }
        finish(&mut world, seed);
        world.check();
    }
}

#[test]
fn old_copy_of_a_side_is_noticed_and_both_converge() {
    for seed in 0..seeds(16) {
        let mut world = World::new(seed);
        let side = usize::from(world.chance(2));
        run(&mut world, 40);
        let copy = world.sides[side].clone();
        let copied = world.sent[side];
        run(&mut world, 100);
        if world.chance(2) {
            world.settle();
        }
        world.sides[side] = copy;
        // Its application is as old.
        world.sent[side] = copied + 1000;
        run(&mut world, 100);
        finish(&mut world, seed);
        for side in 0..2 {
            let before = world.sides[side].received().len();
            assert!(world.send(1 - side));
            world.settle();
            let received = world.sides[side].received();
            assert_eq!(received.len(), before + 1, "seed {seed}");
            assert_eq!(received.last(), Some(&world.sent[1 - side]), "seed {seed}");
            assert!(received.is_sorted_by(|a, b| a < b), "seed {seed}: {received:?}");
        }
    }
}

fn run(world: &mut World, actions: usize) {
    for _ in 0..actions {
        world.act();
    }
}

/// Messages show whether the ratchets fit.
fn finish(world: &mut World, seed: u64) {
    for _ in 0..3 {
        world.settle();
        world.send(0);
        world.send(1);
    }
    world.settle();
    for peer in &world.sides {
        assert_eq!(peer.connection.resync.state, SyncState::Ok, "seed {seed}");
    }
}
