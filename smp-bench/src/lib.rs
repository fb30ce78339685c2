//! A load generator for SMP relays, and what this machine could do at best.
//!
//! It speaks the protocol as a client does and needs nothing else of a relay than its address. Only what it says of the
//! relay's memory and CPU time needs the process ID of a relay on the same machine.
//!
//! | module | what it holds |
//! |---|---|
//! | [`driver`] | a lean client: connections, prepared transmissions, pipelining |
//! | [`scenario`] | one file for each scenario |
//! | [`limit`] | what the machine could do at best, in the same units |
//! | [`relay`] | relays that are started for a measurement |
//! | [`slow_link`] | a link that is slow, in user space |
//! | [`conversations`] | a book with many contacts and messages |
//! | [`terminal`] | a program in a terminal without a window |
//! | [`compare`] | two relays in turn |
//! | [`outcome`], [`statistics`], [`schedule`], [`process`], [`progress`] | figures and how they are made |
//! | [`cli`] | the command line |

#![allow(clippy::disallowed_methods, reason = "a program runs with the time and chance of this machine")]

pub mod cli;
pub mod compare;
pub mod conversations;
pub mod driver;
pub mod limit;
pub mod outcome;
pub mod process;
pub mod progress;
pub mod relay;
pub mod scenario;
pub mod schedule;
pub mod slow_link;
pub mod statistics;
pub mod terminal;
