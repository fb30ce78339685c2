//! The control socket: how `smp-server status` asks a relay that is running on the same machine.
//!
//! A Unix socket that only its owner can connect to (mode 0600). A client sends one line with the name of a question and
//! gets one line of JSON. There is one question: `status`, answered by [`Status`].

mod client;
mod listen;
mod memory;
mod status;

pub use self::{
    client::{ControlError, ask_status},
    status::{Status, StoreStatus},
};
pub(crate) use self::{
    listen::{Control, serve},
    memory::resident_bytes,
    status::Observer,
};

/// The question for [`Status`], as it is sent, with a line break behind it.
const STATUS: &str = "status";

/// Longest question and its line break, in bytes.
const MAX_QUESTION: u64 = 64;
