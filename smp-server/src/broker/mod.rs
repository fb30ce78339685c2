//! Subscriptions: to messages, to notifications, and of services. In memory only.
//!
//! [`Hub`] is what commands and sessions use; the other files are its parts. It knows clients by their address
//! ([`crate::client::Client`]) and never calls a session.

mod abroad;
mod delivery;
mod hub;
mod notification_file;
mod notifications;
mod services;
mod subscriptions;

pub(crate) use self::{
    abroad::Abroad,
    delivery::DeliveryState,
    hub::Hub,
    notification_file::{NotificationWriter, take as take_notification_file},
    notifications::{Notification, Notifications},
    services::ClientEnded,
    subscriptions::{Subscribed, Ticket},
};
