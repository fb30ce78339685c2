//! Listening: sockets, and the tasks of connections. The protocol over them is not known here.

mod accept;
mod bind;
mod forwarded;
mod incoming;

pub use self::bind::BindError;
pub(crate) use self::{
    accept::{Connections, listen},
    bind::bind,
};
