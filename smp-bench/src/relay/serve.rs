//! The relay that is built in, run by a child process of this program.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use smp_server::Relay;
use smp_server::config::{self, CONFIG_FILE, Overrides};

/// Where its files are, and where it listens.
#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    /// Directory of the relay
    #[arg(long)]
    dir: PathBuf,
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
}

/// Runs until the process is killed.
///
/// # Errors
/// If it cannot be started.
pub async fn serve(options: &ServeOptions) -> Result<()> {
    let overrides = Overrides { listen: vec![options.listen], ..Overrides::default() };
    let config = config::load(&options.dir.join(CONFIG_FILE), &overrides)?;
    let relay = Relay::start(config).await?;
    println!("{}", relay.address().without_password());
    std::future::pending::<()>().await;
    Ok(())
}
