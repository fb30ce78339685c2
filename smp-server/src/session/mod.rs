//! A session: one connected client, with a task that reads its commands, and one that writes to it.
//!
//! ```text
//! reader ─► receive (out of the block, and out of a proxy's boxes) ─► run ─► commands ─► mailbox ─► writer
//! ```

mod anywhere;
mod coalesce;
mod entity_queues;
mod forwarded;
mod reader;
mod receive;
mod remote;
mod request;
mod run;
mod serve;
mod service;
mod state;
mod time_slice;
mod writer;

pub(crate) use self::{
    remote::{RemoteClients, give_to_service, run_remote},
    serve::{Acceptor, serve},
};
#[cfg(test)]
pub(crate) use self::{
    serve::id_of_new_service,
    state::{Agreed, Session},
};
