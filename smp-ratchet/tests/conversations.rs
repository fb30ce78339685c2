//! Whole conversations, against the reference's vectors: every state, message and error.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unreachable_pub)]
mod reference;

use reference::conversation::Conversation;
use reference::{cases, mutation, text};

fn run(file: &str, count: usize) {
    let cases = cases(file);
    let conversation = Conversation::new(file, &cases);
    for case in &cases {
        println!("{}", text(&case["name"]));
        conversation.run(case);
    }
    report(&format!("{file}: {} cases", cases.len()));
    assert_eq!((cases.len(), conversation.count()), (count, count));
    mutation::every_change_is_noticed(file, &cases, |changed| conversation.run_changed(&changed));
}

macro_rules! conversations {
    ($($name:ident $count:literal),+ $(,)?) => {$(
        #[test]
        fn $name() {
            run(concat!(stringify!($name), ".json"), $count);
        }
    )+};
}

conversations!(
    ratchet_v2 183,
    ratchet_v3_no_pq 183,
    ratchet_v3_pq 183,
    ratchet_pq_switched_on 167,
    ratchet_pq_switched_off 167,
    ratchet_pq_off_overtaken 31,
    ratchet_version_upgrade 83,
    ratchet_version_one_side 43,
    ratchet_many_skipped 45,
    ratchet_many_skipped_previous 24,
);

/// Prints how much ran, also where the test harness captures what tests print.
fn report(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}
