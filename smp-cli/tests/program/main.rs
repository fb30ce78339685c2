//! The program `smp`, run as people and programs run it: one file for each subject.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

mod common;

mod address;
mod archive;
mod bot_command;
mod bot_tls;
mod bot_words;
mod bots;
mod care;
mod chat;
mod chat_files;
mod conversation;
mod daemon;
mod doctor;
mod files;
mod first_minute;
mod full_disk;
mod history;
mod kills;
mod mute;
mod passphrase;
mod relays;
mod sdks;
mod session;
mod states;
mod together;
mod tui;
mod wrong_input;
