//! Conversations: profiles, contacts, messages and what people do with them, between an agent that carries bytes and a
//! program that people look at.
//!
//! Decisions are made without I/O: [`Conversation`] takes a chat message and says which items it changes and which effects it has;
//! [`words`] says what a message means; [`compose`] makes bodies of texts. The [`Book`] keeps contacts and items in an SQLite file.
//! Nothing here knows the agent: its connections and messages are numbers.
//!
//! The format of the messages is [`smp_protocol::chat`] (`protocol-spec/9-chat.md`).

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests have the time and chance of this machine")
)]

mod book;
pub mod compose;
pub mod conversation;
mod kept;
mod names;
pub mod profile;
mod visible;
pub mod words;

pub use book::{
    Arrival, Book, BookError, Contact, Happened, Happening, Introduction, KeptItem, ListedContact,
    MAX_UNREAD, NewLine, News, Overview, Person, Received, Status,
};
pub use conversation::Conversation;
pub use names::{MAX_NAME, is_addressable, printable};
pub use visible::{is_visible, visible};
