//! Records for [`tracing`](https://docs.rs/tracing), if the feature of this name is on: what the agent does, for whoever has to find out why
//! it does not do something else.
//!
//! They have no identifiers at any level: no queues, connections, users, hosts, keys, sizes or texts. So only counts, and words that are in the
//! program, can be given to these functions.

/// Defines a record: a function that takes words and counts.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident($($field:ident: $type:ty),*) = $level:ident, $text:literal;)+) => {$(
        $(#[$doc])*
        pub(crate) fn $name($($field: $type),*) {
            #[cfg(feature = "tracing")]
            tracing::$level!(target: "smp_agent", $($field,)* $text);
            #[cfg(not(feature = "tracing"))]
            let _ = ($($field,)*);
        }
    )+};
}

type Word = &'static str;

records! {
    /// The data directory was opened, with so many sessions to be made.
    opened(sessions: usize) = info, "agent opened";
    /// The agent ends.
    closed() = info, "agent closed";
    /// A session with a relay is made.
    session_up() = info, "session with a relay";
    /// A session could not be made, or has ended.
    session_down(error: Word) = info, "no session with a relay";
    /// Nobody needs a session, or the network is not used.
    session_ended() = debug, "session with a relay is not needed";
    /// Queues were subscribed, and others are to be tried again.
    subscribed(queues: usize, again: usize) = debug, "queues subscribed";
    /// A message that came is dealt with.
    received(outcome: Word) = debug, "message received";
    /// A relay took a body.
    sent(kind: Word) = debug, "body sent";
    /// A relay did not take a body.
    not_sent(kind: Word, error: Word) = debug, "body not sent";
    /// A command that a connection needs was done, or not.
    command(command: Word, outcome: Word) = debug, "command";
    /// The application is told something.
    event(event: Word) = debug, "event";
    /// A transaction is on the disk.
    committed(items: usize) = trace, "committed";
    /// The database did not take a transaction.
    not_committed(items: usize) = warn, "not committed";
}
