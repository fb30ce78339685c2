//! Relays that only this machine reaches: for demonstrations, measurements and tests.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use smp_protocol::address::Host;
use smp_transport::surroundings::Surroundings;

use super::{Created, InitError, Options, create};
use crate::config::{CONFIG_FILE, Config, ConfigError, Overrides, load};

/// Makes a relay in this directory, to be started in this process: an identity, and settings with which it listens on a port of
/// loopback that the system picks when it starts.
///
/// # Errors
///
/// As [`create`].
pub fn embedded(dir: &Path, surroundings: &Surroundings) -> Result<Config, InitError> {
    create_at(dir, 0, surroundings)?;
    Ok(Config::for_tests(dir))
}

/// Sets up a relay in this directory as `smp-server init` does, to be started in any process and again: its address has a port of
/// loopback that is free now.
///
/// # Errors
///
/// As [`create`], and if no port is free.
pub fn standalone(dir: &Path, surroundings: &Surroundings) -> Result<Created, InitError> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    create_at(dir, free.map_err(InitError::Port)?.port(), surroundings)
}

/// The settings of such a relay, with which nobody but this machine reaches it.
///
/// # Errors
///
/// As [`load`].
pub fn settings(dir: &Path) -> Result<Config, ConfigError> {
    let mut config = load(&dir.join(CONFIG_FILE), &Overrides::default())?;
    config.server.listen.truncate(1);
    config.server.listen.iter_mut().for_each(|address| address.set_ip(Ipv4Addr::LOCALHOST.into()));
    Ok(config)
}

fn create_at(dir: &Path, port: u16, surroundings: &Surroundings) -> Result<Created, InitError> {
    let hosts = vec![Host::Ipv4(Ipv4Addr::LOCALHOST)];
    let options =
        Options { dir: dir.to_path_buf(), hosts, port, password: None, database: None, files: false };
    create(&options, surroundings.time.date(), &mut surroundings.randomness.rng())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standalone_relay_keeps_its_port_and_listens_on_loopback_only() {
        let dir = tempfile::tempdir().unwrap();
        let created = standalone(dir.path(), &Surroundings::machine()).unwrap();
        let listen = settings(dir.path()).unwrap().server.listen;
        assert!(matches!(listen.as_slice(), [address] if address.ip().is_loopback()), "{listen:?}");
        assert_eq!(created.address.port, Some(listen[0].port()));
    }
}
