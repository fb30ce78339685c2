//! Tests that cross crates: end to end, restart and crash, interoperability.
