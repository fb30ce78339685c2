//! What tests that cross crates share: end to end, restart and crash, interoperability.
//!
//! [`conformance`] checks any relay by its address, from the outside.

pub mod conformance;
pub mod relay_process;
pub mod test_relay;
