//! `[limits]`: bounds of the cost of one client, and of all of them together.

use std::{ops::RangeInclusive, time::Duration};

use serde::Deserialize;

use super::{ConfigError, text};

/// Commands in a block at most: their number is one byte.
const MAX_BATCH: usize = 255;

/// Largest `min_free_disk_mib`.
const MAX_FREE_MIB: u64 = 1 << 20;

/// Keys that a list on the wire can have.
const MAX_RECIPIENT_KEYS: usize = 255;

/// Largest `max_pending_commands`.
const MAX_PENDING: usize = 1_000_000;

/// `max_pending_kib`: the largest command with its answer must fit.
const PENDING_KIB: RangeInclusive<usize> = 64..=1_048_576;

/// `max_pending_total_mib`: a 128th of it must hold the largest command with its answer.
const PENDING_TOTAL_MIB: RangeInclusive<usize> = 16..=1_048_576;

/// Bounds. A count of 0 means no bound where the field says so.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections in total. A further one takes the place of one that was opened and for which no command was done yet, or of
    /// one of a network that has more than twice as many; else it is closed at once.
    pub max_connections: usize,
    /// Connections from one IPv4 address or one IPv6 /64 network. A further one takes the place of one for which no command was
    /// done yet, else it is closed at once. 0: no bound, and none for the networks around it. Loopback, where an onion
    /// service's clients come from, is not counted.
    pub max_connections_per_address: usize,
    /// The same for an IPv6 /56 network, which is what one customer usually has. 0: no bound.
    pub max_connections_per_site: usize,
    /// The same for an IPv4 /24 or IPv6 /48 network. 0: no bound.
    pub max_connections_per_network: usize,
    /// Whether loopback addresses are counted as all others are; for tests.
    pub count_loopback: bool,
    /// Time for TLS and the SMP handshake together.
    #[serde(deserialize_with = "text::duration")]
    pub handshake_timeout: Duration,
    /// A connection without subscriptions and without traffic for this long is closed.
    #[serde(deserialize_with = "text::optional_duration")]
    pub idle_timeout: Option<Duration>,
    /// A connection on which no command but `PING` was done for this long after it began is closed.
    #[serde(deserialize_with = "text::optional_duration")]
    pub first_command_timeout: Option<Duration>,
    /// How often connections are checked for being idle.
    #[serde(deserialize_with = "text::duration")]
    pub idle_check_interval: Duration,
    /// A client that takes longer to send a block that it has begun, or to take one, is disconnected.
    #[serde(deserialize_with = "text::duration")]
    pub block_timeout: Duration,
    /// Commands of one client that may be waiting to be done or for their answer to be read; further ones are not read.
    pub max_pending_commands: usize,
    /// Commands in one block; a block with more of them is refused whole with `BLOCK`. The protocol's own bound is 255, and
    /// clients put as many into a block as fit: less is for relays whose clients are known.
    pub max_batch: usize,
    /// Memory for commands of one client that wait to be done and for answers that wait to be read, in KiB; further commands
    /// are not read. Each weighs 256 bytes at least.
    pub max_pending_kib: usize,
    /// KiB of memory for commands of one connection that are being forwarded to other relays, with their answers; further ones are
    /// refused, so that other commands never wait for another relay.
    pub max_forwarded_kib: usize,
    /// The same for all clients together, in MiB. One half is shared by those who want some, so that a network leaves as much
    /// as it takes; of the other half each network has a 64th, whatever others do.
    pub max_pending_total_mib: usize,
    /// Answers and events that may wait for one client to read them; then it is disconnected at once. Messages are not
    /// counted: they wait in the store.
    pub max_outgoing: usize,
    /// Queues that may be created in a minute from one IPv4 address or IPv6 /64 network, however many connections it has;
    /// further `NEW`s wait, and are refused with `STORE` if they would wait for long. On loopback each connection counts by
    /// itself. 0: no bound, for nobody.
    pub new_queues_per_minute: u32,
    /// The same for an IPv4 /24, IPv6 /56 or IPv6 /48 network. 0: no bound.
    pub new_queues_per_minute_network: u32,
    /// The same for all together. 0: no bound.
    pub new_queues_per_minute_total: u32,
    /// Queues that there may be; further `NEW`s are refused with `STORE`. 0: no bound.
    pub max_queues: u64,
    /// Commands with a wrong authorization or password that may come in a minute from one IPv4 address or IPv6 /64 network; the
    /// answers to further ones wait, so that guessing is slow whatever is guessed. On loopback each connection counts by
    /// itself. Of what a proxy forwards, for many senders, ten times as many may come. 0: no bound, for nobody.
    pub failed_authorizations_per_minute: u32,
    /// The same for an IPv4 /24, IPv6 /56 or IPv6 /48 network. 0: no bound.
    pub failed_authorizations_per_minute_network: u32,
    /// The same for all together. 0: no bound.
    pub failed_authorizations_per_minute_total: u32,
    /// Keys that the owners of one queue may have (`RKEY`); a list with more is refused. A command about a queue may cost as
    /// many verifications. Queues that have more already keep them.
    pub max_recipient_keys: usize,
    /// Notifications kept for one queue until its notifier takes them; the oldest goes first.
    pub max_pending_notifications: usize,
    /// Notifications kept for all queues together; the oldest goes first. Each takes about 400 bytes of memory.
    pub max_pending_notifications_total: usize,
    /// With less free space on the disk of the store, in MiB, new queues are refused; a twentieth of the disk at most. 0: no bound.
    pub min_free_disk_mib: u64,
    /// On `SIGTERM`, the time over which clients are let go one after the other, before the relay stops. Zero: all at once.
    #[serde(deserialize_with = "text::duration")]
    pub drain_timeout: Duration,
    /// On shutdown, how long to wait for what clients have asked before.
    #[serde(deserialize_with = "text::duration")]
    pub shutdown_timeout: Duration,
}

/// How many times as many wrong authorizations may come by a proxy as from an address: it carries many senders.
const FORWARDED_FAILURES: u32 = 10;

/// Times a minute that something may be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// From one address, or on one connection of those that come from this machine. 0: no bound, for nobody.
    pub(crate) per_address: u32,
    /// From one site or network. 0: no bound.
    pub(crate) per_network: u32,
    /// From everywhere. 0: no bound.
    pub(crate) total: u32,
}

/// A wider bound than that of an address is no narrower.
pub(super) fn rate(per_address: u32, per_network: u32, total: u32) -> Rate {
    let wider = |bound: u32| if bound == 0 { 0 } else { bound.max(per_address) };
    Rate { per_address, per_network: wider(per_network), total: wider(total) }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_connections_per_address: 1_000,
            max_connections_per_site: 2_000,
            max_connections_per_network: 4_000,
            count_loopback: false,
            handshake_timeout: Duration::from_secs(30),
            idle_timeout: Some(Duration::from_secs(6 * 3_600)),
            first_command_timeout: Some(Duration::from_secs(300)),
            idle_check_interval: Duration::from_secs(3_600),
            block_timeout: Duration::from_secs(60),
            max_outgoing: 8_192,
            max_pending_commands: 1_024,
            max_batch: MAX_BATCH,
            max_pending_kib: 1_024,
            max_forwarded_kib: 4_096,
            max_pending_total_mib: 256,
            new_queues_per_minute: 1_200,
            new_queues_per_minute_network: 3_000,
            new_queues_per_minute_total: 6_000,
            max_queues: 5_000_000,
            failed_authorizations_per_minute: 6_000,
            failed_authorizations_per_minute_network: 12_000,
            failed_authorizations_per_minute_total: 60_000,
            max_recipient_keys: 16,
            max_pending_notifications: 32,
            max_pending_notifications_total: 100_000,
            min_free_disk_mib: 256,
            drain_timeout: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// How often queues may be created.
    pub(crate) fn new_queues(&self) -> Rate {
        rate(self.new_queues_per_minute, self.new_queues_per_minute_network, self.new_queues_per_minute_total)
    }

    /// How often authorizations may fail.
    pub(crate) fn failures(&self) -> Rate {
        rate(
            self.failed_authorizations_per_minute,
            self.failed_authorizations_per_minute_network,
            self.failed_authorizations_per_minute_total,
        )
    }

    /// How often authorizations of forwarded commands may fail: of many senders who come by one proxy, or of one who forwards to
    /// himself.
    pub(crate) fn forwarded_failures(&self) -> Rate {
        let Rate { per_address, per_network, total } = self.failures();
        let more = |bound: u32| bound.saturating_mul(FORWARDED_FAILURES);
        Rate { per_address: more(per_address), per_network: more(per_network), total: more(total) }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let rules = [
            (self.max_connections == 0, "limits.max_connections is 0; give a positive number"),
            (self.handshake_timeout.is_zero(), "limits.handshake_timeout is 0; try \"30s\""),
            (
                self.first_command_timeout.is_some_and(|timeout| timeout.is_zero()),
                "limits.first_command_timeout is 0; try \"5m\", or \"off\"",
            ),
            (self.idle_check_interval.is_zero(), "limits.idle_check_interval is 0; try \"1h\""),
            (self.block_timeout.is_zero(), "limits.block_timeout is 0; try \"60s\""),
            (
                self.max_outgoing <= self.max_pending_commands,
                "limits.max_outgoing must be greater than limits.max_pending_commands",
            ),
            (
                !(1..=MAX_PENDING).contains(&self.max_pending_commands),
                "limits.max_pending_commands must be 1 to 1000000; try 1024",
            ),
            (!(1..=MAX_BATCH).contains(&self.max_batch), "limits.max_batch must be 1 to 255"),
            (
                !PENDING_KIB.contains(&self.max_pending_kib),
                "limits.max_pending_kib must be 64 to 1048576; try 1024",
            ),
            (
                !PENDING_KIB.contains(&self.max_forwarded_kib),
                "limits.max_forwarded_kib must be 64 to 1048576; try 4096",
            ),
            (
                !PENDING_TOTAL_MIB.contains(&self.max_pending_total_mib),
                "limits.max_pending_total_mib must be 16 to 1048576; try 256",
            ),
            (
                !(1..=MAX_RECIPIENT_KEYS).contains(&self.max_recipient_keys),
                "limits.max_recipient_keys must be 1 to 255; try 16",
            ),
            (
                self.min_free_disk_mib > MAX_FREE_MIB,
                "limits.min_free_disk_mib must be 1048576 at most; try 256",
            ),
            (self.max_pending_notifications == 0, "limits.max_pending_notifications is 0; try 32"),
            (
                self.max_pending_notifications_total < self.max_pending_notifications,
                "limits.max_pending_notifications_total must not be less than limits.max_pending_notifications",
            ),
        ];
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, sentence)) => Err(ConfigError::Invalid((*sentence).to_owned())),
            None => Ok(()),
        }
    }
}
