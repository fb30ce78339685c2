//! The control socket: how `smp-server status`, `block`, `unblock` and `delete` reach a relay that is running on the same
//! machine.
//!
//! A Unix socket that only its owner can connect to (mode 0600). A client sends one line with a question and gets one line of
//! JSON:
//!
//! | question | answer |
//! |---|---|
//! | `status` | [`Status`] |
//! | `block <queue> reason=spam` or `reason=content`, maybe with `,notice={"ttl":<seconds>}` or `,notice={}` behind it | [`QueueAnswer`] |
//! | `unblock <queue>` | [`QueueAnswer`] |
//! | `delete <queue>` | [`QueueAnswer`] |
//! | anything else | an object with `error` |
//!
//! `<queue>` is the sender ID of a queue or the ID of its short link, in base64url.

mod answer;
mod client;
mod listen;
mod question;
mod status;

pub use self::{
    answer::{QueueAnswer, QueueState},
    client::{ControlError, ask_status, order_queue},
    question::{QueueId, QueueOrder},
    status::{FileStatus, Status, StoreStatus},
};
pub(crate) use self::{
    listen::{Control, serve},
    question::Question,
};
pub use crate::{
    metrics::Refused,
    page::{CertificateState, PageCertificate},
};
