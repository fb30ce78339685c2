//! SQLite with encryption, as everything here links it, and [`Options`]: the way one of its files is opened.
//!
//! The library is [SQLite3 Multiple Ciphers](https://github.com/utelle/SQLite3MultipleCiphers): SQLite whose pages, also those in the write-ahead
//! log, are sealed by ChaCha20-Poly1305 if there is a [`DatabaseKey`], and are as ever if there is none. It takes the place of
//! the SQLite that `sqlx` would link, in every program that depends on this crate, however indirectly.
//!
//! Invariant: no key is in the options of a connection, which can be printed, nor in a log. Copies that SQLite and its driver make on
//! the way of a key are not wiped.

mod copy;
mod file;
mod key;
mod options;
mod rows;

pub use copy::copy;
pub use file::{Content, content};
pub use key::{DatabaseKey, KEY_SIZE};
pub use options::{Options, file};
pub use rows::{Query, Row, Rows};
// Its symbols are those of the library; without it nothing would be linked.
use libsqlite3_sys as _;

#[cfg(test)]
mod tests;
