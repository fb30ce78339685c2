//! Moves to other queues while messages flow, whatever dies in between.

use super::super::Place;
use super::world::{World, places, seeds};
use crate::event::Event;
use crate::stages::{RotationSide, RotationStage};

/// The stages that a side was told about its own move or the peer's.
fn stages(events: &[Event], of: RotationSide) -> Vec<RotationStage> {
    let stage = |event: &Event| match event {
        Event::QueueRotation { side, stage, .. } if *side == of => Some(*stage),
        _ => None,
    };
    events.iter().filter_map(stage).collect()
}

const WHOLE: [RotationStage; 4] =
    [RotationStage::Started, RotationStage::Confirmed, RotationStage::Secured, RotationStage::Completed];

#[test]
fn both_sides_move_and_are_told() {
    let mut world = World::new(1);
    for side in 0..2 {
        let before = world.sides[side].connection.receive.clone().unwrap();
        assert!(world.rotate(side));
        assert!(!world.rotate(side), "one at a time");
        world.send(1 - side);
        world.settle();
        world.send(1 - side);
        world.settle();
        let after = world.sides[side].connection.receive.as_ref().unwrap();
        assert_ne!(after.relay, before.relay);
        assert_eq!(places(&world.sides[side].connection), [Place::Current]);
        assert_eq!(stages(&world.sides[side].events, RotationSide::Receiving), WHOLE);
        assert_eq!(stages(&world.sides[1 - side].events, RotationSide::Sending), WHOLE);
    }
    world.check();
}

#[test]
fn nothing_is_lost_or_repeated_whatever_dies_and_in_whatever_order() {
    for seed in 0..seeds(20) {
        let mut world = World::new(seed);
        for _ in 0..400 {
            let side = usize::from(world.chance(2));
            if world.chance(25) {
                world.rotate(side);
            } else if world.chance(60) {
                world.abort(side);
            } else {
                world.act();
            }
        }
        world.settle();
        world.send(0);
        world.send(1);
        world.settle();
        world.check();
        for peer in &world.sides {
            assert!(peer.connection.errand().is_none(), "seed {seed}");
            assert_eq!(places(&peer.connection), [Place::Current], "seed {seed}");
        }
    }
}
