//! What tests that cross crates share: end to end, restart and crash, interoperability.

pub mod relay_process;
