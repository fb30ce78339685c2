//! Parts of answers and events.

mod contact;
mod error;
mod item;
mod link;
mod plan;
mod preferences;
mod profile;
mod shared;
mod time;
mod user;

pub use self::contact::{
    ConnectionStats, Contact, ContactConnection, ContactRequest, PendingConnection, VersionRange, View,
};
pub use self::error::{ChatError, ErrorType, StoreError};
pub use self::item::{
    Chat, ChatInfo, ChatItem, ChatStats, Deletion, ItemInChat, ReactionInChat, reaction_of,
};
pub use self::link::{AddressSettings, AutoAccept, ConnectionLinks, ContactAddress};
pub use self::plan::{ConnectionPlan, LinkPlan};
pub use self::preferences::{full, merged};
pub use self::profile::{LocalProfile, Profile, profile_of_json};
pub use self::shared::Shared;
pub use self::time::at;
pub use self::user::{User, UserInfo};
