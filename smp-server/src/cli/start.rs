//! `smp-server start`

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use sd_notify::NotifyState;
use smp_server::{
    Relay, RunningRelay,
    config::{self, Config, Overrides},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Place, log, reload::reload};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Place,
    /// IP address and port to listen on, instead of those in the configuration file; can be repeated
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// Start although the store that this relay has served from, or the end of it, is missing: as a new one, or with what is
    /// there. Everybody whose queue was in it has to connect anew
    #[arg(long, visible_alias = "new-store")]
    accept_loss: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let overrides = Overrides { listen: options.listen.clone(), accept_loss: options.accept_loss };
    let file = options.place.config();
    let config = config::load(&file, &overrides)?;
    let level = log::start(&config.log);
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    runtime.block_on(serve(config, |relay| reload(relay, &file, &overrides, &level)))
}

async fn serve(config: Config, reload: impl Fn(&mut RunningRelay)) -> Result<()> {
    // Before anything is started, so that no signal is missed.
    let mut signals = Signals::new().context("cannot receive signals")?;
    let mut relay = Relay::start(config).await?;
    // At once: whoever has read the first line may read no more.
    let mut says = relay.address().without_password().to_string();
    if let Some(address) = relay.files_address() {
        says = format!("{says}\n{}", address.without_password());
    }
    println!("{says}");
    let addresses: Vec<String> = relay.local_addrs().iter().map(SocketAddr::to_string).collect();
    tracing::info!("smp-server {} listens on {}", env!("CARGO_PKG_VERSION"), addresses.join(", "));
    let addresses: Vec<String> = relay.files_addrs().iter().map(SocketAddr::to_string).collect();
    if !addresses.is_empty() {
        tracing::info!("for files alone it listens on {}", addresses.join(", "));
    }
    tell_service_manager(&[NotifyState::Ready]);
    loop {
        let asked = tokio::select! {
            asked = signals.next() => asked,
            () = relay.died() => {
                relay.kill().await;
                bail!("a part of the relay has died, and it was stopped so that it is started again; please report this with the log");
            }
        };
        if asked == Asked::Stop {
            break;
        }
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell_service_manager(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("cannot tell the service manager: {error}"),
        }
        reload(&mut relay);
        tell_service_manager(&[NotifyState::Ready]);
    }
    tell_service_manager(&[NotifyState::Stopping]);
    tokio::select! {
        () = relay.drain() => {}
        () = signals.stop() => tracing::info!("the clients that are left have to go now"),
    }
    tracing::info!("stopping; repeat the signal to stop at once");
    stop(relay, &mut signals).await
}

/// Does nothing unless the relay was started by systemd, or by what speaks like it (`NOTIFY_SOCKET`).
fn tell_service_manager(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("cannot tell the service manager: {error}");
    }
}

async fn stop(relay: RunningRelay, signals: &mut Signals) -> Result<()> {
    tokio::select! {
        closed = relay.shutdown() => closed.context("cannot write everything to the store")?,
        () = signals.stop() => bail!("stopped at once; messages that nobody was told `OK` for may be lost"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// The demand of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// Waits until it is asked once more to stop.
    async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }
}
