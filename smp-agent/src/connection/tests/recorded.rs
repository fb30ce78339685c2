//! A recorded conversation of two SimpleX applications, when one of them moved its queue and then renewed the ratchet
//! (`recorded.jsonl`: simplex-chat 6.5.5): ours say the same, in the same order.

use super::world::World;
use serde::Deserialize;
use smp_protocol::agent::{AMessage, QueueMode};
use smp_protocol::encoding::{from_bytes, to_bytes};

#[derive(Deserialize)]
struct Recorded {
    from: String,
    hex: String,
}

/// Each message of the record, and whether the side that moved sent it.
fn recorded() -> Vec<(bool, AMessage<'static>)> {
    let lines = include_str!("recorded.jsonl").lines();
    let message = |line: &str| {
        let Recorded { from, hex } = serde_json::from_str(line).unwrap();
        let bytes = (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
        let bytes: Vec<_> = bytes.collect();
        let message: AMessage<'_> = from_bytes(&bytes).unwrap();
        assert_eq!(to_bytes(&message), bytes);
        (from == "alice", message.into_owned())
    };
    lines.map(message).collect()
}

fn said_by_ours() -> Vec<(bool, AMessage<'static>)> {
    let mut world = World::new(1);
    assert!(world.rotate(0));
    world.settle();
    assert!(world.resynchronize(0, true));
    world.settle();
    world.check();
    world.said.drain(..).map(|(side, message)| (side == 0, message)).collect()
}

#[test]
fn ours_say_what_the_application_said() {
    let (theirs, ours) = (recorded(), said_by_ours());
    let names =
        |said: &[(bool, AMessage<'_>)]| said.iter().map(|(_, message)| message.name()).collect::<Vec<_>>();
    assert_eq!(names(&theirs), ["QADD", "QKEY", "QUSE", "QTEST", "EREADY", "EREADY"]);
    assert_eq!(names(&ours), names(&theirs));
    let movers = |said: &[(bool, AMessage<'_>)]| said.iter().map(|(mover, _)| *mover).collect::<Vec<_>>();
    // The side that says EREADY first follows from the keys.
    assert_eq!(movers(&ours)[..4], movers(&theirs)[..4]);
    assert_ne!(movers(&ours)[4], movers(&ours)[5]);
    for said in [&theirs, &ours] {
        let [
            (_, AMessage::QueueAdd(add)),
            (_, AMessage::QueueKey(key)),
            (_, AMessage::QueueUse(used)),
            (_, AMessage::QueueTest(test)),
            ..,
        ] = &said[..]
        else {
            panic!("{said:?}");
        };
        let (offer, key, used, test) = (add.first(), key.first(), used.first(), test.first());
        let new = offer.queue.address.sender_queue();
        assert_eq!((offer.queue.versions.min().0, offer.queue.versions.max().0), (1, 4));
        assert_eq!(offer.queue.address.mode, Some(QueueMode::Messaging));
        assert_ne!(offer.replaced.as_ref(), Some(&new));
        assert!(offer.replaced.is_some());
        assert_eq!((key.queue.version.0, key.queue.address.mode), (4, Some(QueueMode::Messaging)));
        assert_eq!(key.queue.address.sender_queue(), new);
        assert_ne!(key.queue.address.dh_key, offer.queue.address.dh_key);
        assert_eq!((&used.queue, used.primary), (&new, true));
        assert_eq!(*test, new);
    }
}
