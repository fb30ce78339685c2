//! Links, by which people get to each other's queues (chapter `8-links.md`).
//!
//! - A full link is a [`ConnectionRequest`]: queues, keys and versions in one long URI.
//! - A [`ShortLink`] names data on a relay and holds the secret that decrypts it. The data, [`OpenedLinkData`], contains the
//!   connection request, and what the owner wants to show: [`seal_fixed_data`], [`seal_user_data`], [`open_link_data`].
//!
//! [`ConnectionLink`] reads either of them. Links exist in two schemes, `simplex:` and `https:`, that mean the same:
//! the scheme is chosen when a link is written ([`ConnectionRequest::to_uri`], [`ShortLink::to_uri`]).

mod any;
mod data;
mod error;
mod owner;
mod query;
mod relay;
mod request;
mod request_binary;
mod scheme;
mod seal;
mod short;
mod user_data;

pub use any::ConnectionLink;
pub use data::{FixedLinkData, LinkEntityId, OpenedLinkData, UserContactData, UserLinkData};
pub use error::LinkError;
pub use owner::{MAX_OWNER_ID, OwnerAuth, OwnerError, validate_owners};
pub(crate) use query::{Query, QueryWriter};
pub use relay::ShortLinkRelay;
pub use request::{ConnectionRequest, ContactRequest, InvitationRequest};
pub use scheme::{LinkScheme, WebServer};
pub use seal::{
    FIXED_DATA_LENGTH, LinkDataError, USER_DATA_LENGTH, open_link_data, seal_fixed_data, seal_user_data,
};
pub use short::{ContactKind, ContactShortLink, InvitationShortLink, ShortLink, ShortLinkScheme};
pub use user_data::UserData;
