//! Checks of a running relay: every command, every refusal and every rule of order, in each version from 6 to 19.
//!
//! The checks speak raw SMP: transmissions are built with `smp_protocol`, blocks are put together here, so that wrong
//! things can be sent too. All that a check needs is the relay's address. Checks create queues of their own and delete
//! nothing else, so that they can be run against a relay that is in use.
//!
//! | module | what is checked |
//! |---|---|
//! | [`handshake`] | versions, identity, session keys, what may follow a hello |
//! | [`create`] | `NEW` in all its forms, password |
//! | [`secure`] | `KEY`, `SKEY` |
//! | [`subscribe`] | `SUB`, `END` |
//! | [`messages`] | `SEND`, `MSG`, `ACK`, sizes of bodies |
//! | [`quota`] | full queues, their marker, and when they can be sent to again |
//! | [`lifecycle`] | `OFF`, `DEL`, `DELD`, `QUE` |
//! | [`get`] | `GET`, and what it excludes |
//! | [`links`] | `NEW` with link data, `LSET`, `LDEL`, `LKEY`, `LGET` |
//! | [`recipient_keys`] | `RKEY` |
//! | [`notifications`] | `NKEY`, `NDEL`, `NSUB`, `NMSG` |
//! | [`services`] | service certificates, `SUBS`, `NSUBS`, `ENDS`, `ALLS` |
//! | [`forwarded`] | `RFWD` as a proxy sends it |
//! | [`proxy`] | `PRXY`, `PFWD` |
//! | [`authorization`] | kinds of keys, `ERR AUTH` equal to the byte |
//! | [`credentials`] | missing and superfluous credentials, unknown and damaged commands |
//! | [`batches`] | many transmissions in a block, order of answers |
//! | [`blocks`] | damaged blocks, sizes of authorizations, correlation IDs |
//!
//! Where the protocol text leaves room, checks accept all that a client has to expect. Checks that hold a relay to more than
//! the protocol say so ([`Check::stricter`]) and can be left out ([`Options::lenient`]).

mod client;
mod context;
mod queue;
mod runner;
mod statistics;
mod target;
pub mod timing;
mod wire;

pub mod authorization;
pub mod batches;
pub mod blocks;
pub mod create;
pub mod credentials;
pub mod forwarded;
pub mod get;
pub mod handshake;
pub mod lifecycle;
pub mod links;
pub mod messages;
pub mod notifications;
pub mod proxy;
pub mod quota;
pub mod recipient_keys;
pub mod secure;
pub mod services;
pub mod subscribe;

use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;

pub use client::{Auth, Client, Received};
pub use context::Context;
pub use queue::{KeyKind, NewOptions, Queue};
pub use runner::{Options, Outcome, Report, run};
pub use target::Target;

/// Result of a check: the reason for which the relay does not conform, if it does not.
pub type CheckResult = anyhow::Result<()>;

/// A running check.
pub type CheckFuture<'a> = Pin<Box<dyn Future<Output = CheckResult> + Send + 'a>>;

/// One thing that a relay must do.
#[derive(Debug, Clone)]
pub struct Check {
    /// The module.
    pub subject: &'static str,
    /// The rule that must hold, as a sentence with underscores.
    pub name: &'static str,
    /// The versions in which it must hold.
    pub versions: RangeInclusive<u16>,
    /// Why it asks for more than the protocol does, if so: a relay without that is none the less one.
    pub stricter: Option<&'static str>,
    /// Checks it in one version.
    pub run: for<'a> fn(&'a Context) -> CheckFuture<'a>,
}

/// Lists the checks of a module.
macro_rules! checks {
    ($subject:literal: $($versions:expr => $name:ident $(stricter $why:literal)?),+ $(,)?) => {
        /// The checks of this module.
        #[must_use]
        pub fn checks() -> Vec<super::Check> {
            vec![$(super::Check {
                subject: $subject,
                name: stringify!($name),
                versions: $versions,
                stricter: None$(.or(Some($why)))?,
                run: |context| Box::pin($name(context)),
            }),+]
        }
    };
}
pub(crate) use checks;

/// All checks.
#[must_use]
pub fn all() -> Vec<Check> {
    [
        handshake::checks(),
        create::checks(),
        secure::checks(),
        subscribe::checks(),
        messages::checks(),
        quota::checks(),
        lifecycle::checks(),
        get::checks(),
        links::checks(),
        recipient_keys::checks(),
        notifications::checks(),
        services::checks(),
        forwarded::checks(),
        proxy::checks(),
        authorization::checks(),
        credentials::checks(),
        batches::checks(),
        blocks::checks(),
    ]
    .concat()
}
