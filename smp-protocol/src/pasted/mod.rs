//! Links and relay addresses as people paste them, made tidy for the strict codecs.
//!
//! Chat programs, mail programs, terminals and people do things to a link: they put words and brackets around it, break it
//! into lines, escape its characters, add parameters, paste it twice. [`link()`] and [`relay_address()`] take such a text
//! and find the one link or address that it holds. They always return something that the strict codec
//! ([`ConnectionLink`](crate::link::ConnectionLink), [`RelayAddress`](crate::address::RelayAddress)) has read; nothing is guessed: a text that can be read as two different links, or
//! whose end is not certain, is refused by a sentence that says what is wrong.
//!
//! Errors never show the text: a link is a secret, and an address may have a password.

mod address;
mod clean;
mod error;
mod flow;
mod link;

pub use address::relay_address;
pub use error::PasteError;
pub use link::link;

/// Longest text in bytes in which a link or an address is looked for.
pub const MAX_PASTED: usize = 65_536;
