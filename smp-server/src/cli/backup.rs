//! `smp-server backup` and `smp-server restore`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use smp_server::{
    backup,
    config::{self, Overrides, StoreKind},
};
use smp_transport::surroundings::Surroundings;

use super::Place;

#[derive(Args)]
pub(super) struct BackupOptions {
    /// Directory for the copy; it must not exist, or be empty
    #[arg(value_name = "COPY")]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(super) struct RestoreOptions {
    /// Directory with a copy that `smp-server backup` has made
    #[arg(value_name = "COPY")]
    from: PathBuf,
    /// Directory of the relay [default: /var/lib/smp-server for root, else ~/.local/share/smp-server]
    #[arg(long, env = "SMP_SERVER_DIR", value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().context("cannot start threads")
}

pub(super) fn backup(options: &BackupOptions) -> Result<()> {
    let file = options.place.config();
    let config = config::load(&file, &Overrides::default())?;
    let copied = runtime()?.block_on(backup::create(
        &config,
        &file,
        &options.to,
        Surroundings::machine().time.date(),
    ))?;
    println!("The relay is copied to {}; only its owner can read it.", options.to.display());
    match copied.database {
        Some(counts) => println!("It has {} queues and {} messages.", counts.queues, counts.messages),
        None if config.store.kind == StoreKind::Postgres => println!(
            "Queues and messages are not in it, they are in the database of store.url: back that up with PostgreSQL's own means, such as \
             pg_dump."
        ),
        None => println!("There are no queues and messages in it: this relay has none on disk."),
    }
    if copied.authority_key {
        println!("It has ca.key in it: whoever gets this copy can be this relay for ever.");
    } else {
        println!("ca.key is not in it, because it is not on this machine; keep it too.");
    }
    Ok(())
}

pub(super) fn restore(options: &RestoreOptions) -> Result<()> {
    let dir = super::dir(options.dir.clone());
    let copied =
        runtime()?.block_on(backup::restore(&options.from, &dir, Surroundings::machine().time.date()))?;
    let what = match copied.database {
        Some(counts) => {
            format!("Settings, identity, {} queues and {} messages", counts.queues, counts.messages)
        }
        None => "Settings and identity".to_owned(),
    };
    println!("{what} are restored to {} and checked.", dir.display());
    println!("Start the relay there only if the one that was copied does not run any more.");
    Ok(())
}
