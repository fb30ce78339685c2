//! `smp-server start`

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use smp_server::{
    Relay, RunningRelay,
    config::{self, Config, Overrides},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Place, log};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Place,
    /// IP address and port to listen on, instead of those in the configuration file; can be repeated
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let overrides = Overrides { listen: options.listen.clone() };
    let config = config::load(&options.place.config(), &overrides)?;
    log::start(&config.log);
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<()> {
    // Before anything is started, so that no signal is missed.
    let mut signals = Signals::new().context("cannot receive signals")?;
    let relay = Relay::start(config).await?;
    println!("{}", relay.address().without_password());
    let addresses: Vec<String> = relay.local_addrs().iter().map(SocketAddr::to_string).collect();
    tracing::info!("smp-server {} listens on {}", env!("CARGO_PKG_VERSION"), addresses.join(", "));
    signals.next().await;
    tracing::info!("stopping; repeat the signal to stop at once");
    stop(relay, &mut signals).await
}

async fn stop(relay: RunningRelay, signals: &mut Signals) -> Result<()> {
    tokio::select! {
        closed = relay.shutdown() => closed.context("cannot write everything to the store")?,
        () = signals.next() => bail!("stopped at once; messages that nobody was told `OK` for may be lost"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// Signals that ask the relay to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
