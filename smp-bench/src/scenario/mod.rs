//! Scenarios, one file for each.

mod agent;
mod agent_open;
mod bot;
mod contacts;
mod create;
mod files;
mod identity;
mod idle;
mod latency;
mod many;
mod offline;
mod proxy;
mod recipient;
mod restart;
mod sending;
mod slow_link;
mod subject;
mod subscribe;
mod throughput;
mod traffic;
mod tui;

use anyhow::Result;
use clap::{Args, Command, FromArgMatches, Subcommand};

use crate::outcome::Outcome;

pub use agent_open::{OpenOptions, open_and_tell};
pub use subject::Subject;

/// A scenario with its options.
#[derive(Debug, Clone, Subcommand)]
pub enum Scenario {
    /// Senders and recipients that are online, with as many messages as the relay can carry
    Throughput(throughput::Options),
    /// How long messages take at a given rate (open loop)
    Latency(latency::Options),
    /// Messages to queues that nobody reads, which are read later
    Offline(offline::Options),
    /// New queues
    Create(create::Options),
    /// Subscriptions to existing queues by clients that come back all at once
    Subscribe(subscribe::Options),
    /// Connections that do nothing: the memory of the relay
    Idle(idle::Options),
    /// Messages through this relay to another
    Proxy(proxy::Options),
    /// A client with many queues that comes back over a slow link
    SlowLink(slow_link::Options),
    /// How long a relay needs until its first answer after its death
    Restart(restart::Options),
    /// Two agents that write to each other: messages, connections, the CPU time of each
    Agent(agent::Options),
    /// An agent with many connections that is opened: the time until all are subscribed, its memory
    AgentOpen(agent_open::Options),
    /// Many people who write to one bot of `smp daemon` at once: the time until each has its answer, memory
    Bot(bot::Options),
    /// The list of `smp contacts`, with many of them, beside that of `sqlite3`
    Contacts(contacts::Options),
    /// A file to the relay and back, against this machine's cryptography; messages beside many transfers, and their memory
    Files(files::Options),
    /// `smp tui` in a terminal, with many contacts and messages: its start, and how soon a key is answered
    Tui(tui::Options),
}

impl Scenario {
    /// Those that can be run on any relay, with their default options.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::Throughput(defaults()),
            Self::Latency(defaults()),
            Self::Offline(defaults()),
            Self::Create(defaults()),
            Self::Subscribe(defaults()),
            Self::Idle(defaults()),
            Self::Proxy(defaults()),
        ]
    }

    /// [`Restart`](Self::Restart) with its default options.
    #[must_use]
    pub fn restart() -> Self {
        Self::Restart(defaults())
    }

    /// The other relay that is needed: an address or a mode.
    #[must_use]
    pub fn destination(&self) -> Option<&str> {
        match self {
            Self::Proxy(options) => Some(&options.destination),
            _ => None,
        }
    }

    /// Settings, as environment variables, that a relay needs which is started for it.
    #[must_use]
    pub fn settings(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Files(_) => files::SETTINGS,
            _ => &[],
        }
    }

    /// Measures.
    ///
    /// # Errors
    /// If the relay cannot be reached, refuses something or goes away.
    pub async fn run(&self, subject: &mut Subject) -> Result<Outcome> {
        match self {
            Self::Throughput(options) => throughput::run(options, &subject.target).await,
            Self::Latency(options) => latency::run(options, &subject.target).await,
            Self::Offline(options) => offline::run(options, subject).await,
            Self::Create(options) => create::run(options, &subject.target).await,
            Self::Subscribe(options) => subscribe::run(options, &subject.target).await,
            Self::Idle(options) => idle::run(options, &subject.target).await,
            Self::Proxy(options) => proxy::run(options, subject).await,
            Self::SlowLink(options) => slow_link::run(options, &subject.target).await,
            Self::Restart(options) => restart::run(options, subject).await,
            Self::Agent(options) => agent::run(options, subject).await,
            Self::AgentOpen(options) => agent_open::run(options, subject).await,
            Self::Bot(options) => bot::run(options, subject).await,
            Self::Contacts(options) => contacts::run(options, subject).await,
            Self::Files(options) => files::run(options, subject).await,
            Self::Tui(options) => tui::run(options, subject).await,
        }
    }
}

/// Options of which none was given. That there are defaults for all is tested.
fn defaults<T: Args + FromArgMatches>() -> T {
    let matches = T::augment_args(Command::new("defaults")).get_matches_from(["defaults"]);
    match T::from_arg_matches(&matches) {
        Ok(options) => options,
        Err(error) => error.exit(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_defaults() {
        assert_eq!(Scenario::defaults().len(), 7);
        assert!(matches!(Scenario::restart(), Scenario::Restart(_)));
    }
}
