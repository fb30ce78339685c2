//! A connected client as the rest of the relay sees it: an address that can be sent to.
//!
//! [`Client`] is what the broker enters as subscriber. Its [`Mailbox`] takes answers, events, and signals that there may be
//! something in a queue; the session's writer empties it. Nothing here knows sessions, commands or subscriptions.

mod content;
mod envelope;
mod handle;
mod mailbox;
mod order;
mod permit;
mod transmission;

pub(crate) use self::{
    content::{Content, Delivery},
    envelope::Envelope,
    handle::Client,
    mailbox::Signal,
    permit::{InFlight, LARGE_ANSWER, Permit, SMALLEST},
    transmission::Transmission,
};
