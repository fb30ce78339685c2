//! The only part that touches the network. It takes what to do from the steps, and makes steps of what came of it.

mod acknowledging;
mod age;
mod application;
mod attempt;
mod backoff;
mod commands;
mod connecting;
mod deletion;
mod disk;
mod early;
mod engine;
mod errands;
mod held;
mod inbox;
mod invite;
mod isolation;
pub(crate) mod links;
mod quota_wait;
mod relay_states;
mod relays;
pub(crate) mod requests;
mod restored;
mod route;
mod routes;
mod running;
mod sending;
mod session;
mod sleep;
mod subscribing;
mod switch;
mod tasks;
mod troubles;
mod update;
pub(crate) mod user_changes;
mod users;
mod worker;
mod workers;

#[cfg(test)]
pub(crate) use age::expire;
pub(crate) use application::{done, messages_done, remove};
pub(crate) use engine::Engine;
pub(crate) use invite::{Made, invite};
pub use relay_states::{RelayState, RelayStates};
pub(crate) use tasks::start;
