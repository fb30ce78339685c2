//! The bot interface of SimpleX's terminal app: its commands read from text, its answers and events written as JSON.
//!
//! Pure: no sockets, no agent, no clock. [`Command::parse`] takes the text of a command; [`types`] are what answers and events are made of,
//! each made of a contact or an item of [`smp_chat`]. Fields of older and newer versions stand side by side, as the public SDKs read both.
//!
//! `docs/bot-api.md` says what is there and where it differs from the app.

mod command;
mod frame;
mod response;
pub mod types;

pub use command::{Address, ChatPage, ChatRef, Command, ComposedMessage, DeleteMode, NotUnderstood, Page};
#[cfg(feature = "schema")]
pub use frame::schema;
pub use frame::{Request, answer, event, read_request};
pub use response::Response;
