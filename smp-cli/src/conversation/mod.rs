//! Chat messages in words, and the messages that a person's words become. Pure: no store, no network, no clock.

mod incoming;
mod outgoing;
mod profile;

pub(crate) use self::incoming::{Incoming, Kind, Shown, read};
pub(crate) use self::outgoing::{MAX_TEXT, bodies};
pub(crate) use self::profile::{contact_request, own_profile, shown_with_link};
