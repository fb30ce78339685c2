//! Whole conversations, against the reference's vectors: every state, message and error.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unreachable_pub)]
mod reference;

use reference::conversation::Conversation;
use reference::{cases, mutation, run_cases};

fn run(file: &str) {
    let cases = cases(file);
    let conversation = Conversation::new(file, &cases);
    run_cases(file, &cases, |_, case| conversation.run(case));
    assert_eq!(conversation.count(), cases.len(), "names are unique");
    mutation::every_change_is_noticed(file, &cases, |changed| conversation.run_changed(changed));
}

macro_rules! conversations {
    ($($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            run(concat!(stringify!($name), ".json"));
        }
    )+};
}

conversations!(
    ratchet_v2,
    ratchet_v3_no_pq,
    ratchet_v3_pq,
    ratchet_pq_switched_on,
    ratchet_pq_switched_off,
    ratchet_pq_off_overtaken,
    ratchet_version_upgrade,
    ratchet_version_one_side,
    ratchet_many_skipped,
    ratchet_many_skipped_previous,
);
