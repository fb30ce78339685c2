//! The relay is killed with SIGKILL at random moments under load, and started again: whatever was answered must hold.
//!
//! Two kinds of load run next to each other, so that changes of every kind share the group commits:
//!
//! * [`owner`]: commands of every kind that changes something, one after the other. Answered commands are in a model; the
//!   command that had no answer may or may not have been done.
//! * [`conversation`]: many messages at once, with the recipient away or there.
//!
//! ```text
//! cargo test -p smp-server --test program killed -- --nocapture                      # a short run
//! SMP_TEST_KILLS=200 cargo test -p smp-server --test program killed -- --nocapture
//! ```

mod conversation;
mod owner;
mod state;

use std::time::Duration;

use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use self::{conversation::Conversation, owner::Owner};
use super::{init, start};

/// Kills in a run without `SMP_TEST_KILLS`.
const KILLS: u32 = 6;
/// Queues whose owners change them.
const OWNERS: usize = 6;
/// Queues with many messages, half of them with a recipient.
const CONVERSATIONS: usize = 4;
/// How long the relay lives under load, in milliseconds.
const LIFETIME: std::ops::Range<u64> = 5..150;

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_holds_after_being_killed() {
    let kills = number_of("SMP_TEST_KILLS").map_or(KILLS, |kills| u32::try_from(kills).unwrap());
    let seed = number_of("SMP_SEED").unwrap_or_else(|| rand::rng().random());
    println!("SMP_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &[]);
    let mut started = start(dir.path(), 0);
    let (address, port) = (started.address.clone(), started.address.port_or_default());
    let mut owners: Vec<_> = (0..OWNERS).map(|i| Owner::new(i % 2 == 0, rng.random())).collect();
    let mut conversations = Vec::new();
    for i in 0..CONVERSATIONS {
        conversations.push(Conversation::create(&address, i % 2 == 0).await);
    }
    for _ in 0..kills {
        // Connected before the time starts, so that it is spent under load.
        join_all(owners.iter_mut().map(|owner| owner.connect(&address))).await;
        join_all(conversations.iter_mut().map(|conversation| conversation.connect(&address))).await;
        let load = async {
            tokio::join!(
                join_all(owners.iter_mut().map(Owner::run_until_killed)),
                join_all(conversations.iter_mut().map(Conversation::run_until_killed)),
            )
        };
        let lifetime = Duration::from_millis(rng.random_range(LIFETIME));
        let killing = async {
            tokio::time::sleep(lifetime).await;
            started.signal("-KILL");
            started.exit_code();
        };
        tokio::join!(load, killing);
        started = start(dir.path(), port);
        join_all(owners.iter_mut().map(|owner| owner.check(&address))).await;
        join_all(conversations.iter_mut().map(|conversation| conversation.check(&address))).await;
    }
    let done = owners.iter().fold(owner::Counts::default(), |sum, owner| sum + &owner.counts);
    let messages = conversations
        .iter()
        .fold(conversation::Counts::default(), |sum, conversation| sum + &conversation.counts);
    println!("{kills} kills: {done}; {messages}; 0 lost, 0 delivered again, 0 out of order");
    assert!(done.answered() > 0 && messages.kept > 0, "the relay was hardly used");
    started.signal("-TERM");
    assert_eq!(started.exit_code(), Some(0));
}
