//! Files through file relays, which listen on ports of this machine.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod commands;
mod files;
mod hostile;
mod interrupted;
mod relay;
