//! `smp-server cert`

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use smp_server::{
    StartError,
    config::{self, Overrides},
    init::certificate_name,
};
use smp_transport::{
    identity::{KeyAlgorithm, files},
    surroundings::Surroundings,
};

use super::{Place, status::reload_hint};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Replace the online certificate and its key by new ones; the address of the relay stays the same
    Rotate(Options),
}

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Place,
    /// The key of the certificate authority, if it is not ca.key in the directory of the identity
    #[arg(long, value_name = "FILE")]
    ca_key: Option<PathBuf>,
}

pub(super) fn run(Command::Rotate(options): &Command) -> Result<()> {
    let config = config::load(&options.place.config(), &Overrides::default())?;
    let directory = &config.identity.path;
    let key = options.ca_key.clone().unwrap_or_else(|| directory.join(files::CA_KEY));
    ensure!(
        key.exists(),
        "there is no {}: give the file with the key of the certificate authority by --ca-key",
        key.display()
    );
    let authority = files::load_authority_with(directory, &key).map_err(StartError::Identity)?;
    let host = config.server.hosts.first().map(ToString::to_string).unwrap_or_default();
    let algorithm = KeyAlgorithm::of(&authority.key().public_key());
    let surroundings = Surroundings::machine();
    let now = surroundings.time.date();
    let identity =
        authority.issue(&certificate_name(&host), algorithm, now, &mut surroundings.randomness.rng())?;
    files::replace_leaf(directory, &identity)
        .map_err(StartError::Identity)
        .context("the certificate was not replaced")?;
    println!("The relay has a new certificate in {}. Its address stays the same.", directory.display());
    println!("{}", reload_hint(&config));
    if files::has_authority_key(directory) {
        println!("Move {} off this machine.", directory.join(files::CA_KEY).display());
    }
    Ok(())
}
