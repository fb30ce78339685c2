//! One data directory for several commands at once: the first long-lived one serves the others over a private socket.
//!
//! Only one process can hold an agent. `smp listen`, `chat`, `tui` and `invite --wait` hold it for long; while they do, they run what other
//! commands ask for, and send back the lines that these are to print ([`Server`], [`ask`]). A command that finds the directory held by a
//! short one waits for its end. The socket is in the data directory, which only its owner can open, and takes no other user's
//! connections.

mod client;
mod frames;
mod place;
mod server;

pub(crate) use self::client::{Answer, ask};
pub(crate) use self::place::{Holder, Running};
pub(crate) use self::server::Server;
