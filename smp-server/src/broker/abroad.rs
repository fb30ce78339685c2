//! `Abroad`: what clients of other processes of this relay are to be told or sent.
//!
//! A queue's messages are delivered in the process that has the queue, and nowhere else; notifications and services are not bound to it: a
//! notifier, or the client of a service, can be connected to any process.

use std::sync::OnceLock;

use smp_protocol::{
    command::IdsHash,
    id::{EntityId, NotifierId, ServiceId},
};
use tokio::sync::mpsc;

use super::notifications::Notification;
use crate::store::ServiceRole;

/// Something for clients of all other processes.
#[derive(Clone, Debug)]
pub(crate) enum Abroad {
    /// A notification that has no client here; it waits here, too.
    Notify { notifier: NotifierId, service: Option<ServiceId>, notification: Notification },
    /// A client here is this service from now on.
    Serves { role: ServiceRole, service: ServiceId },
    /// A queue or notifier is no longer a service's, because it was deleted or another client has subscribed to it.
    LeftService { role: ServiceRole, service: ServiceId, queue: IdsHash, entity: EntityId, deleted: bool },
    /// A notifier was deleted that has no subscriber here.
    NotifierDeleted { notifier: NotifierId },
}

/// The way to the other processes, if there can be any.
#[derive(Default)]
pub(super) struct Border(OnceLock<mpsc::Sender<Abroad>>);

impl Border {
    pub(super) fn open(&self, to: mpsc::Sender<Abroad>) {
        // It is opened once, at the start.
        let _ = self.0.set(to);
    }

    /// Whether there can be any.
    pub(super) fn is_open(&self) -> bool {
        self.0.get().is_some()
    }

    /// Sends what `abroad` makes. Too much is left out: notifications wait here, and services subscribe again.
    pub(super) fn send(&self, abroad: impl FnOnce() -> Abroad) {
        if let Some(border) = self.0.get()
            && border.try_send(abroad()).is_err()
        {
            tracing::warn!("too much is to be told to other processes of this relay: something was left out");
        }
    }
}
