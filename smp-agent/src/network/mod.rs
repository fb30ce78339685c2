//! The only part that touches the network. It reads what to do from the database, and writes there what came of it.

mod acknowledge;
mod age;
mod backoff;
mod deletion;
mod early;
mod errands;
mod inbox;
mod relays;
mod sending;
mod session;
mod space;
mod update;
mod worker;
mod workers;

pub(crate) use age::give_up_what_is_old;
pub(crate) use deletion::delete_queues;
pub(crate) use errands::Errands;
pub(crate) use relays::{Relay, Relays};
pub(crate) use session::creation_error;
pub(crate) use workers::Workers;
