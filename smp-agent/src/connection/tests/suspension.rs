//! A queue that is suspended while messages flow, whatever dies in between.

use super::super::{Errand, Suspension};
use super::world::{World, seeds};
use crate::error::AgentError;
use crate::event::Event;
use crate::stages::SuspensionState;

#[test]
fn what_the_relay_took_before_arrives_and_nothing_after_that() {
    for seed in 0..seeds(20) {
        let mut world = World::new(seed);
        for _ in 0..200 {
            match world.chance(60) {
                true => {
                    // It may move just now.
                    let _ = world.sides[0].connection.suspend();
                }
                false => world.act(),
            }
        }
        let _ = world.sides[0].connection.suspend();
        world.settle();
        world.send(0);
        world.send(1);
        world.settle();
        let [alice, bob] = &world.sides;
        let received = alice.received();
        assert_eq!(received, (1..=u32::try_from(received.len()).unwrap()).collect::<Vec<_>>(), "seed {seed}");
        assert!(received.len() < world.sent[1] as usize, "seed {seed}");
        assert_eq!(bob.received(), (1..=world.sent[0]).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!((alice.trouble(), bob.trouble()), (vec![], vec![]), "seed {seed}");
        let told = alice.events.iter().filter(|event| matches!(event, Event::Suspension { .. }));
        let suspended =
            Event::Suspension { connection: alice.connection.id, state: SuspensionState::Suspended };
        assert_eq!(told.collect::<Vec<_>>(), [&suspended], "seed {seed}");
    }
}

#[test]
fn it_can_be_taken_back_until_the_relay_is_asked() {
    let mut world = World::new(1);
    let alice = &mut world.sides[0].connection;
    alice.suspend().unwrap();
    alice.suspend().unwrap();
    assert_eq!(alice.errand(), Some(Errand::Suspend));
    alice.resume().unwrap();
    alice.resume().unwrap();
    assert_eq!(alice.errand(), None);
    alice.suspend().unwrap();
    assert!(alice.suspension_asked() && alice.suspension_asked());
    assert!(matches!(alice.resume(), Err(AgentError::NotNow { .. })));
    let mut effects = super::super::Effects::default();
    alice.suspension_answered(true, &mut effects);
    alice.suspension_answered(false, &mut effects);
    assert_eq!((alice.suspension, effects.events.len()), (Suspension::None, 1));
    assert!(!alice.suspension_asked());
    alice.suspend().unwrap();
    assert!(!world.rotate(0), "its answers would not come");
}
