//! Relays that are started for a measurement, each in a process of its own and a directory that is removed afterwards.

mod mode;
mod serve;
mod spawn;

pub use mode::Mode;
pub use serve::{ServeOptions, serve};
pub use spawn::{Program, Settings, Spawned};
