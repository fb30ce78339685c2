//! The only part that touches the network. It takes what to do from the steps, and makes steps of what came of it.

mod age;
mod backoff;
mod commands;
mod deletion;
mod early;
mod engine;
mod errands;
mod held;
mod inbox;
mod invite;
pub(crate) mod links;
mod relays;
pub(crate) mod requests;
mod route;
mod sending;
mod session;
mod space;
mod subscribing;
mod switch;
mod troubles;
mod update;
mod worker;
mod workers;

pub(crate) use engine::Engine;
pub(crate) use invite::{Made, invite};
pub use relays::{RelayState, RelayStates};
