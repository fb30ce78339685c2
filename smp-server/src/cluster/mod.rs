//! The other processes of this relay, which share its store, and the private connections to them.
//!
//! ```text
//!  session ──► Cluster: which process has the queue? ──► Link ══ TLS ══► listen ──► session::remote of that process
//! ```
//!
//! A process has some of the queues ([`Sharing`](crate::store::Sharing)); a command about another one goes to the process that has it, whole,
//! and its answer comes back. Only `SUB` brings the queue here. So each queue is served in one process, in memory, as by a relay that is
//! alone; without `[cluster]` there is nothing of this.
//!
//! Both ends of a connection have the relay's identity; whoever has not is refused. Requests, answers and what waits for them are bounded, and
//! what is not answered in time is refused: the client asks again, and nobody is told `OK` for what may not have been done.

mod codec;
mod directory;
mod frame;
mod link;
mod listen;
mod message;

pub(crate) use self::{
    directory::{Cluster, Place},
    listen::{Served, serve},
    message::{Authorization, CallerFacts, Proof, Reply, Request, Run, ServiceFacts},
};
