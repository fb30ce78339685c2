//! Outcomes of an attempt to do something at a relay.

/// It did not work this time.
pub(super) enum Later {
    /// It may work the next time.
    Again,
    /// The peer's queue is full.
    Full,
    /// The peer's queue, which took messages before, is not there or not ours.
    Refused,
}
