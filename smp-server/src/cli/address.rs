//! `smp-server address`

use anyhow::Result;
use smp_protocol::address::DEFAULT_PORT;
use smp_server::{
    StartError,
    config::{self, Overrides},
};
use smp_transport::{identity::files, surroundings::Surroundings};

use super::Place;

pub(super) fn run(place: &Place) -> Result<()> {
    let config = config::load(&place.config(), &Overrides::default())?;
    let identity = files::load(&config.identity.path, Surroundings::machine().time.date())
        .map_err(StartError::Identity)?;
    let listening = config.server.listen.first().map_or(DEFAULT_PORT, std::net::SocketAddr::port);
    println!("{}", config.address(identity.fingerprint(), listening)?);
    if config.files.enabled {
        let own = config.files.listen.first().map(std::net::SocketAddr::port);
        println!("{}", config.files_address(identity.fingerprint(), own, listening)?);
    }
    Ok(())
}
