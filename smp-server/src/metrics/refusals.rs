//! Refusals by limits: counted by limit, and warned of.
//!
//! A limit that turns clients away without a word looks to them like a relay that is down. So the first refusal is warned of at
//! once, what follows at most once a minute with its number, and `smp-server status` shows all of them.

use std::{sync::Mutex, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use serde::{Deserialize, Serialize};
use smp_transport::surroundings::Time;
use tokio::time::Instant;

use crate::sync::lock;

/// Warnings about one limit are not repeated more often.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// A limit that clients can reach all together, or by no fault of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Connections in total.
    Connections,
    /// Connections from one IPv4 address or IPv6 /64.
    PerAddress,
    /// Connections from one IPv6 /56.
    PerSite,
    /// Connections from one IPv4 /24 or IPv6 /48.
    PerNetwork,
    /// Connections that should begin with a PROXY header.
    ProxyHeader,
    /// Memory for commands and answers of all clients.
    Memory,
    /// Connections to the page in total.
    PageConnections,
    /// Connections to the page from one address or network.
    PageConnectionsPerAddress,
    /// Queues in total.
    Queues,
    /// Queues created from one address.
    NewQueuesPerAddress,
    /// Queues created from one network.
    NewQueuesPerNetwork,
    /// Queues created by all together.
    NewQueuesTotal,
    /// Relays asked for from one address that nobody has asked for.
    NewRelaysPerAddress,
    /// The same from one network.
    NewRelaysPerNetwork,
    /// The same from all together.
    NewRelaysTotal,
    /// Commands from one address with a wrong authorization.
    FailuresPerAddress,
    /// Commands from one network with a wrong authorization.
    FailuresPerNetwork,
    /// Commands of all together with a wrong authorization.
    FailuresTotal,
    /// Connections for files in total.
    FileConnections,
    /// Connections for files from one address or network.
    FileConnectionsPerNetwork,
    /// Chunks created from one address.
    NewChunksPerAddress,
    /// Chunks created from one network.
    NewChunksPerNetwork,
    /// Chunks created by all together.
    NewChunksTotal,
    /// Chunks in total.
    Chunks,
    /// Bytes of files in total.
    Files,
    /// Bytes of files from one network.
    FilesPerNetwork,
    /// Free space on the disk of the files.
    FilesDisk,
    /// Uploads and downloads at the same time.
    Transfers,
}

/// How an operator is told of a limit.
struct Description {
    limit: Limit,
    /// Name of the setting.
    setting: &'static str,
    /// The consequence of reaching it.
    what: &'static str,
    /// Why.
    why: &'static str,
    /// Advice.
    advice: &'static str,
}

const REACHED: &str = "is reached";

const CONNECTIONS: &str = "connections refused or closed";

const NEW_QUEUES: &str = "new queues refused";

const NEW_RELAYS: &str = "connections to other relays refused";

const FAILURES: &str = "answers to wrong authorizations held back";

const GUESSING: &str = "somebody guesses, or many clients ask for queues that are gone";

const SHARED_ADDRESS: &str = "raise it if many clients share an address (Docker's forwarder, a carrier's NAT), or let the program that forwards them say from whom they come (server.proxy_protocol)";

const UPLOADS: &str = "uploads of files refused";

const NEW_CHUNKS: &str = "new chunks of files refused";

const LIMITS: [Description; 28] = [
    Description {
        limit: Limit::Connections,
        setting: "limits.max_connections",
        what: CONNECTIONS,
        why: REACHED,
        advice: "raise it if this is no attack, and the limit of open files (LimitNOFILE) with it",
    },
    Description {
        limit: Limit::PerAddress,
        setting: "limits.max_connections_per_address",
        what: CONNECTIONS,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::PerSite,
        setting: "limits.max_connections_per_site",
        what: CONNECTIONS,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::PerNetwork,
        setting: "limits.max_connections_per_network",
        what: CONNECTIONS,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::ProxyHeader,
        setting: "server.proxy_protocol",
        what: "connections refused",
        why: "names a source that did not send the header",
        advice: "let the forwarder send it (nginx: proxy_protocol on; HAProxy: send-proxy-v2), or take the source out of the list",
    },
    Description {
        limit: Limit::Memory,
        setting: "limits.max_pending_total_mib",
        what: "commands kept waiting",
        why: REACHED,
        advice: "raise it if there is memory and this is no attack; else the disk may be too slow",
    },
    Description {
        limit: Limit::PageConnections,
        setting: "page.max_connections",
        what: CONNECTIONS,
        why: REACHED,
        advice: "raise it if so many people look at the page at the same time",
    },
    Description {
        limit: Limit::PageConnectionsPerAddress,
        setting: "page.max_connections_per_address",
        what: CONNECTIONS,
        why: REACHED,
        advice: "raise it if a web server stands before the page, or many people share an address",
    },
    Description {
        limit: Limit::Queues,
        setting: "limits.max_queues",
        what: NEW_QUEUES,
        why: REACHED,
        advice: "raise it if there is enough disk, or have unused queues deleted (queues.delete_idle)",
    },
    Description {
        limit: Limit::NewQueuesPerAddress,
        setting: "limits.new_queues_per_minute",
        what: NEW_QUEUES,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::NewQueuesPerNetwork,
        setting: "limits.new_queues_per_minute_network",
        what: NEW_QUEUES,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::NewQueuesTotal,
        setting: "limits.new_queues_per_minute_total",
        what: NEW_QUEUES,
        why: REACHED,
        advice: "raise it if this is no attack, or set queues.create_password",
    },
    Description {
        limit: Limit::NewRelaysPerAddress,
        setting: "proxy.new_relays_per_minute",
        what: NEW_RELAYS,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::NewRelaysPerNetwork,
        setting: "proxy.new_relays_per_minute_network",
        what: NEW_RELAYS,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::NewRelaysTotal,
        setting: "proxy.new_relays_per_minute_total",
        what: NEW_RELAYS,
        why: REACHED,
        advice: "raise it if this is no attack, or set queues.create_password",
    },
    Description {
        limit: Limit::FailuresPerAddress,
        setting: "limits.failed_authorizations_per_minute",
        what: FAILURES,
        why: REACHED,
        advice: GUESSING,
    },
    Description {
        limit: Limit::FailuresPerNetwork,
        setting: "limits.failed_authorizations_per_minute_network",
        what: FAILURES,
        why: REACHED,
        advice: GUESSING,
    },
    Description {
        limit: Limit::FailuresTotal,
        setting: "limits.failed_authorizations_per_minute_total",
        what: FAILURES,
        why: REACHED,
        advice: GUESSING,
    },
    Description {
        limit: Limit::FileConnections,
        setting: "files.max_connections",
        what: CONNECTIONS,
        why: REACHED,
        advice: "raise it if this is no attack and there is memory",
    },
    Description {
        limit: Limit::FileConnectionsPerNetwork,
        setting: "files.max_connections",
        what: CONNECTIONS,
        why: "is the part of one address or network, and is reached",
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::NewChunksPerAddress,
        setting: "files.new_chunks_per_minute",
        what: NEW_CHUNKS,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::NewChunksPerNetwork,
        setting: "files.new_chunks_per_minute_network",
        what: NEW_CHUNKS,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::NewChunksTotal,
        setting: "files.new_chunks_per_minute_total",
        what: NEW_CHUNKS,
        why: REACHED,
        advice: "raise it if this is no attack, or set files.create_password",
    },
    Description {
        limit: Limit::Chunks,
        setting: "files.max_chunks",
        what: NEW_CHUNKS,
        why: REACHED,
        advice: "raise it, or keep chunks for a shorter time (files.expire)",
    },
    Description {
        limit: Limit::Files,
        setting: "files.quota_mib",
        what: UPLOADS,
        why: REACHED,
        advice: "raise it if there is enough disk, or keep chunks for a shorter time (files.expire)",
    },
    Description {
        limit: Limit::FilesPerNetwork,
        setting: "files.quota_mib_network",
        what: UPLOADS,
        why: REACHED,
        advice: SHARED_ADDRESS,
    },
    Description {
        limit: Limit::FilesDisk,
        setting: "limits.min_free_disk_mib",
        what: UPLOADS,
        why: REACHED,
        advice: "free some space on the disk of files.path, or lower files.quota_mib",
    },
    Description {
        limit: Limit::Transfers,
        setting: "files.max_transfers",
        what: "uploads and downloads of files refused",
        why: REACHED,
        advice: "raise it if there is memory for more (about 256 KiB for each)",
    },
];

/// How often a limit was reached since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Name of the setting.
    pub setting: String,
    /// The consequence, in words: `connections refused or closed`.
    pub what: String,
    /// How often.
    pub count: u64,
    /// How many seconds ago for the last time.
    pub last_seconds_ago: u64,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    limit: &'static str,
}

/// Counts refusals.
pub(crate) struct Refusals {
    counter: Family<Labels, Counter>,
    states: [Mutex<State>; LIMITS.len()],
    time: Time,
}

#[derive(Default)]
struct State {
    count: u64,
    /// Those that no warning has told of.
    untold: u64,
    /// The value of the setting when it was reached last.
    value: u64,
    last: Option<Instant>,
    warned: Option<Instant>,
}

impl Refusals {
    pub(super) fn new(registry: &mut Registry, time: Time) -> Self {
        let counter = Family::default();
        registry.register("refused", "Clients or commands refused because of a limit", counter.clone());
        Self { counter, states: Default::default(), time }
    }

    /// Somebody was refused because of this limit, which has this value.
    pub(crate) fn note(&self, limit: Limit, value: u64) {
        let now = self.time.monotonic();
        let Some((description, state)) = self.all().find(|(description, _)| description.limit == limit)
        else {
            return;
        };
        self.counter.get_or_create(&Labels { limit: description.setting }).inc();
        let warning = {
            let mut state = lock(state);
            state.count += 1;
            state.untold += 1;
            (state.value, state.last) = (value, Some(now));
            state.warning(now)
        };
        description.warn(warning);
    }

    /// Warns of the refusals after the last warning, for ever.
    pub(crate) async fn warn_regularly(&self) {
        loop {
            tokio::time::sleep(WARN_INTERVAL).await;
            self.warn_of_rest();
        }
    }

    fn warn_of_rest(&self) {
        let now = self.time.monotonic();
        for (description, state) in self.all() {
            let warning = lock(state).warning(now);
            description.warn(warning);
        }
    }

    /// The limits that were reached.
    pub(crate) fn refused(&self) -> Vec<Refused> {
        let now = self.time.monotonic();
        let refused = self.all().filter_map(|(description, state)| {
            let state = lock(state);
            Some(Refused {
                setting: description.setting.to_owned(),
                what: description.what.to_owned(),
                count: state.count,
                last_seconds_ago: now.duration_since(state.last?).as_secs(),
            })
        });
        refused.collect()
    }

    fn all(&self) -> impl Iterator<Item = (&'static Description, &Mutex<State>)> {
        LIMITS.iter().zip(&self.states)
    }
}

/// Content of a warning.
#[derive(Debug, PartialEq, Eq)]
struct Warning {
    count: u64,
    value: u64,
    /// Since when; `None` at the first one.
    since: Option<Duration>,
}

impl State {
    /// The warning that is due now, if any.
    fn warning(&mut self, now: Instant) -> Option<Warning> {
        let since = self.warned.map(|warned| now.duration_since(warned));
        if self.untold == 0 || since.is_some_and(|since| since < WARN_INTERVAL) {
            return None;
        }
        self.warned = Some(now);
        Some(Warning { count: std::mem::take(&mut self.untold), value: self.value, since })
    }
}

impl Description {
    fn warn(&self, warning: Option<Warning>) {
        if let Some(warning) = warning {
            tracing::warn!("{}", self.sentence(&warning));
        }
    }

    fn sentence(&self, Warning { count, value, since }: &Warning) -> String {
        let Self { setting, what, why, advice, .. } = self;
        let since = since.map_or_else(String::new, |since| format!(" in the last {} s", since.as_secs()));
        format!("{count} {what}{since}: {setting} ({value}) {why}; {advice}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_refusal_is_warned_of_and_then_a_minute_of_them() {
        let (mut state, start) = (State { value: 3, ..State::default() }, Instant::now());
        let mut refuse = |after: u64| {
            state.untold += 1;
            state.warning(start + Duration::from_secs(after))
        };
        assert_eq!(refuse(0), Some(Warning { count: 1, value: 3, since: None }));
        assert_eq!((refuse(1), refuse(59)), (None, None));
        let warning = refuse(60).unwrap();
        assert_eq!(warning, Warning { count: 3, value: 3, since: Some(WARN_INTERVAL) });
        let text = LIMITS[1].sentence(&warning);
        let begin = "3 connections refused or closed in the last 60 s: limits.max_connections_per_address (3) is reached";
        assert!(text.starts_with(begin), "{text}");
        assert_eq!(state.warning(start + Duration::from_secs(500)), None, "there is nothing to tell");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_is_shown_with_its_setting() {
        let refusals = Refusals::new(&mut Registry::default(), Time::machine());
        assert_eq!(refusals.refused(), []);
        refusals.note(Limit::PerAddress, 3);
        refusals.note(Limit::PerAddress, 3);
        tokio::time::advance(Duration::from_secs(5)).await;
        let [refused] = &refusals.refused()[..] else { panic!("{:?}", refusals.refused()) };
        assert_eq!(refused.setting, "limits.max_connections_per_address");
        assert_eq!((refused.count, refused.last_seconds_ago), (2, 5));
        refusals.warn_of_rest();
        assert_eq!(lock(&refusals.states[1]).untold, 1, "not before its time");
        tokio::time::advance(WARN_INTERVAL).await;
        refusals.warn_of_rest();
        assert_eq!(lock(&refusals.states[1]).untold, 0);
    }

    #[test]
    fn every_limit_is_listed_once() {
        for (place, Description { limit, setting, .. }) in LIMITS.iter().enumerate() {
            assert_eq!(LIMITS.iter().position(|other| other.limit == *limit), Some(place));
            assert!(setting.split_once('.').is_some_and(|(section, _)| !section.is_empty()), "{setting}");
        }
    }
}
