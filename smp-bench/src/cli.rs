//! The command line of `smp-bench`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use smp_protocol::address::RelayAddress;
use smp_protocol::version::{SmpVersion, VersionRange};

use crate::compare::{compare, table};
use crate::driver::{AuthKind, Target};
use crate::limit;
use crate::outcome::Outcome;
use crate::relay::{Mode, Program, ServeOptions, Settings, Spawned, serve};
use crate::scenario::{OpenOptions, Scenario, Subject, open_and_tell};

/// Puts load on SMP relays and measures what they do with it.
///
/// A relay is either an address, with the password for new queues if it wants one, or a mode in which a relay is started
/// for the measurement: memory, sqlite-fsync, sqlite-os.
#[derive(Debug, Parser)]
#[command(arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// The relay: smp://FINGERPRINT[:PASSWORD]@HOST[:PORT], or a mode
    #[arg(short, long, global = true, default_value = "memory")]
    relay: String,
    /// Program to start for a mode: an smp-server, or `self` for the relay that is built in
    #[arg(long, global = true, value_name = "PROGRAM", default_value = "self")]
    spawn: String,
    /// Cores that a relay which is started may use, as taskset has them
    #[arg(long, global = true, value_name = "LIST")]
    relay_cpus: Option<String>,
    /// Process ID of a relay on this machine that was not started here, for its CPU time and memory
    #[arg(long, global = true)]
    pid: Option<u32>,
    /// SMP version to speak, or a range such as 9-14 [default: the newest that both know]
    #[arg(long, global = true, value_parser = versions, value_name = "VERSION")]
    version: Option<VersionRange<SmpVersion>>,
    /// Kind of the queues' keys [default: x25519 if the relay has a key for authenticators, else ed25519]
    #[arg(long, global = true, value_enum)]
    auth: Option<AuthKind>,
    /// Threads of this client [default: one for each core]
    #[arg(long, global = true)]
    threads: Option<usize>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Scenario(Scenario),
    /// All scenarios; without --relay in all modes. The limit comes first
    Run(RunOptions),
    /// Measure the most that this machine could do
    Limit(limit::Options),
    /// Two relays in turn: medians, spread, ratio
    Compare(CompareOptions),
    #[command(hide = true)]
    Relay(ServeOptions),
    #[command(hide = true)]
    Echo(limit::EchoOptions),
    #[command(hide = true)]
    AgentOpened(OpenOptions),
}

#[derive(Debug, Args)]
struct RunOptions {
    /// Modes to start relays in, instead of all
    #[arg(long = "mode")]
    modes: Vec<Mode>,
    /// Leave the limit out
    #[arg(long)]
    no_limit: bool,
}

#[derive(Debug, Args)]
struct CompareOptions {
    /// One relay
    a: String,
    /// The other
    b: String,
    /// How often to run each
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A program smp-server for B, if it is not the same as for A
    #[arg(long, value_name = "PROGRAM")]
    spawn_b: Option<String>,
    /// The scenario, with its options [default: throughput]
    #[command(subcommand)]
    scenario: Option<Scenario>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Printed {
    Outcomes(Vec<Outcome>),
    Compared { a: String, b: String, figures: Vec<crate::compare::Compared> },
}

fn versions(text: &str) -> Result<VersionRange<SmpVersion>, String> {
    let number =
        |text: &str| text.trim().parse().map(SmpVersion).map_err(|_| format!("`{text}` is no version"));
    let (min, max) = match text.split_once('-') {
        Some((min, max)) => (number(min)?, number(max)?),
        None => (number(text)?, number(text)?),
    };
    let range = VersionRange::new(min, max).ok_or_else(|| format!("`{text}` is no range"))?;
    let ours = SmpVersion::SUPPORTED;
    match ours.contains(range.min()) && ours.contains(range.max()) {
        // keys of queues are X25519 from 7, and `KEY` is enough before 9, but nobody uses those any more
        true => Ok(range),
        false => Err(format!("this client speaks versions {} to {}", ours.min().0, ours.max().0)),
    }
}

/// Does what the command line says.
///
/// # Errors
/// Says what went wrong in one sentence.
pub fn run() -> Result<()> {
    let Cli { common, command } = Cli::parse();
    // Relays that are started here get the same. If that is still too little, the scenario says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = common.threads {
        runtime.worker_threads(threads.max(1));
    }
    runtime.enable_all().build().context("cannot start threads")?.block_on(execute(&common, command))
}

async fn execute(common: &Common, command: Command) -> Result<()> {
    match command {
        Command::Scenario(scenario) => {
            let outcome = common.measure(&scenario, &common.relay, &common.spawn).await?;
            common.print(Printed::Outcomes(vec![outcome]))
        }
        Command::Run(options) => common.run_all(&options).await,
        Command::Limit(options) => common.print(Printed::Outcomes(limit::run(&options).await?)),
        Command::Compare(options) => common.compare(options).await,
        Command::Relay(options) => serve(&options).await,
        Command::Echo(options) => limit::serve_echo(&options).await,
        Command::AgentOpened(options) => open_and_tell(&options).await,
    }
}

impl Common {
    async fn measure(&self, scenario: &Scenario, relay: &str, program: &str) -> Result<Outcome> {
        let settings = scenario.settings();
        let mut subject = self.subject(relay, program, settings).await?;
        if let Some(destination) = scenario.destination() {
            subject.other = Some(Box::new(self.subject(destination, program, settings).await?));
        }
        scenario.run(&mut subject).await
    }

    async fn subject(&self, relay: &str, program: &str, settings: Settings) -> Result<Subject> {
        if relay.starts_with("smp://") {
            let address: RelayAddress = match relay.parse() {
                Ok(address) => address,
                Err(error) => bail!("the address of the relay cannot be read: {error}"),
            };
            let name = address.without_password().to_string();
            let mut target = self.target(name, address).await?;
            target.pid = self.pid;
            return Ok(Subject { target, spawned: None, other: None });
        }
        let mode: Mode = relay.parse().map_err(anyhow::Error::msg)?;
        let spawned = Spawned::start(Program::named(program)?, mode, self.relay_cpus.clone(), settings)?;
        let mut target = self.target(mode.name().to_owned(), spawned.address.clone()).await?;
        target.pid = Some(spawned.pid());
        target.clean_up = false;
        Ok(Subject { target, spawned: Some(spawned), other: None })
    }

    async fn target(&self, name: String, address: RelayAddress) -> Result<Target> {
        let mut target = Target::new(name, address, self.version.unwrap_or(SmpVersion::SUPPORTED))?;
        target.auth = match self.auth {
            Some(auth) => auth,
            None => target.best_auth().await?,
        };
        Ok(target)
    }

    async fn run_all(&self, options: &RunOptions) -> Result<()> {
        let mut outcomes = Vec::new();
        if !options.no_limit {
            let limit = limit::Options {
                connections: 8,
                window: 16,
                seconds: 4.0,
                dir: None::<PathBuf>,
                program: None,
            };
            outcomes.extend(self.shown(limit::run(&limit).await?));
        }
        let mut relays: Vec<String> = options.modes.iter().map(|mode| mode.name().to_owned()).collect();
        if self.relay.starts_with("smp://") {
            relays = vec![self.relay.clone()];
        } else if relays.is_empty() {
            relays = Mode::ALL.map(|mode| mode.name().to_owned()).into();
        }
        for relay in relays {
            for scenario in Scenario::defaults() {
                // each on a relay that has done nothing else
                outcomes.extend(self.shown(vec![self.measure(&scenario, &relay, &self.spawn).await?]));
            }
            if relay.parse().is_ok_and(Mode::keeps) {
                let restarted = self.measure(&Scenario::restart(), &relay, &self.spawn).await?;
                outcomes.extend(self.shown(vec![restarted]));
            }
        }
        if self.json { self.print(Printed::Outcomes(outcomes)) } else { Ok(()) }
    }

    /// Prints tables as soon as they are there.
    fn shown(&self, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        if !self.json {
            for outcome in &outcomes {
                println!("{}", outcome.table());
            }
        }
        outcomes
    }

    async fn compare(&self, options: CompareOptions) -> Result<()> {
        let scenario = match options.scenario {
            Some(scenario) => scenario,
            None => Scenario::defaults().swap_remove(0),
        };
        let spawn_b = options.spawn_b.as_deref().unwrap_or(&self.spawn);
        let mut rounds = Vec::new();
        for _ in 0..options.rounds.max(1) {
            let a = self.measure(&scenario, &options.a, &self.spawn).await?;
            let b = self.measure(&scenario, &options.b, spawn_b).await?;
            rounds.push((a, b));
        }
        let figures = compare(&rounds);
        self.print(Printed::Compared { a: options.a, b: options.b, figures })
    }

    fn print(&self, printed: Printed) -> Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(&printed)?);
            return Ok(());
        }
        match printed {
            Printed::Outcomes(outcomes) => {
                outcomes.iter().for_each(|outcome| println!("{}", outcome.table()))
            }
            Printed::Compared { a, b, figures } => print!("{}", table(&a, &b, &figures)?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn versions_and_ranges() {
        assert_eq!(versions("9").unwrap(), VersionRange::only(SmpVersion(9)));
        assert_eq!(versions("9-14").unwrap().max(), SmpVersion(14));
        for wrong in ["", "x", "5", "9-20", "14-9"] {
            assert!(versions(wrong).is_err(), "{wrong}");
        }
    }
}
