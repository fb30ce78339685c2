//! The set-up of a relay: its identity and its configuration file in a directory of their own.

pub mod local;

use std::{io, path::PathBuf};

use rand::{CryptoRng, RngExt as _};
use smp_protocol::address::{Host, RelayAddress};
use smp_transport::{
    durable,
    identity::{CertificateAuthority, IdentityError, KeyAlgorithm, files},
};
use time::OffsetDateTime;

use crate::config::{CONFIG_FILE, Config, ConfigError, DatabaseUrl, parse_password, template};

/// Characters of a generated password: letters and digits that are not mistaken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Length of a generated password: 32 characters of 5 bits are 160 bits.
const PASSWORD_LENGTH: usize = 32;

/// Options of a new relay.
#[derive(Clone, Debug)]
pub struct Options {
    /// The relay's directory, made if missing.
    pub dir: PathBuf,
    /// Names and addresses by which clients reach the relay.
    pub hosts: Vec<Host>,
    /// The port in the address and of the listeners.
    pub port: u16,
    /// The password that clients need to create queues, if any.
    pub password: Option<String>,
    /// The database of PostgreSQL, if queues and messages are to be in one.
    pub database: Option<DatabaseUrl>,
    /// Whether files are kept for people, too. They need the same password.
    pub files: bool,
}

/// A relay that was set up.
#[derive(Clone, Debug)]
pub struct Created {
    /// The address to give to clients.
    pub address: RelayAddress,
    /// The configuration file.
    pub config: PathBuf,
    /// The directory with certificates and keys: the part that a backup must hold.
    pub identity: PathBuf,
    /// The key that has to be moved off the machine.
    pub ca_key: PathBuf,
}

/// Why nothing was set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is a relay already. Nothing was changed.
    #[error(
        "there is a relay in {0} already, nothing was changed; start it with `smp-server start`, or choose another \
         directory with --dir"
    )]
    Exists(PathBuf),
    /// The password cannot stand in an address.
    #[error("{0}")]
    Password(String),
    /// Certificates and keys could not be made or written.
    #[error("cannot make the relay's identity: {0}")]
    Identity(#[from] IdentityError),
    /// A file or directory cannot be written: check who may write there, or choose another with `--dir`.
    #[error("cannot write {0}: {1}; choose another directory with --dir")]
    Write(PathBuf, #[source] io::Error),
    /// No port of this machine is free.
    #[error("no port of this machine is free: {0}")]
    Port(#[source] io::Error),
    /// The values asked for cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// A random password of 160 bits.
#[must_use]
pub fn generate_password(rng: &mut (impl CryptoRng + ?Sized)) -> String {
    let bytes: [u8; PASSWORD_LENGTH] = rng.random();
    bytes.into_iter().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

/// Creates the directory with a new identity and a commented configuration file.
///
/// # Errors
///
/// [`InitError`]; an existing relay is never touched.
pub fn create(
    options: &Options,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Created, InitError> {
    let mut config = Config::default();
    config.server.hosts.clone_from(&options.hosts);
    config.queues.create_password =
        options.password.as_deref().map(parse_password).transpose().map_err(InitError::Password)?;
    config.resolve_paths(&options.dir);
    let path = options.dir.join(CONFIG_FILE);
    if path.exists() || config.identity.path.join(files::CA_CERTIFICATE).exists() {
        return Err(InitError::Exists(options.dir.clone()));
    }
    for dir in [&options.dir, &config.identity.path] {
        durable::make_dir(dir).map_err(|error| InitError::Write(dir.clone(), error))?;
    }
    let name = options.hosts.first().map_or_else(|| "localhost".to_owned(), Host::to_string);
    let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, rng);
    let identity = authority.issue(&certificate_name(&name), KeyAlgorithm::Ed25519, now, rng)?;
    files::create(&config.identity.path, &authority, &identity)?;
    let database = options.database.as_ref().map(DatabaseUrl::expose);
    let text = template(&options.hosts, options.port, options.password.as_deref(), database, options.files);
    // It may hold the password.
    durable::write_new(&path, text.as_bytes()).map_err(|error| InitError::Write(path.clone(), error))?;
    Ok(Created {
        address: config.address(identity.fingerprint(), options.port)?,
        config: path,
        ca_key: config.identity.path.join(files::CA_KEY),
        identity: config.identity.path,
    })
}

/// The name that a certificate for this host gets. Clients do not check it, but it has 1 to 64 bytes.
#[must_use]
pub fn certificate_name(host: &str) -> String {
    if (1..=64).contains(&host.len()) { host.to_owned() } else { "relay".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::config::{Overrides, load};

    fn options(dir: &Path) -> Options {
        Options {
            dir: dir.join("relay"),
            hosts: vec!["relay.example".parse().unwrap()],
            port: 5223,
            password: Some("s3cret".to_owned()),
            database: None,
            files: false,
        }
    }

    #[test]
    fn what_was_created_can_be_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        let created = create(&options(dir.path()), now, &mut rand::rng()).unwrap();
        let config = load(&created.config, &Overrides::default()).unwrap();
        let identity = files::load(&config.identity.path, now).unwrap();
        assert_eq!(config.address(identity.fingerprint(), 5223).unwrap(), created.address);
        assert!(created.address.to_string().ends_with(":s3cret@relay.example"));
        assert!(created.ca_key.exists());
    }

    #[test]
    fn an_existing_relay_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        let created = create(&options(dir.path()), now, &mut rand::rng()).unwrap();
        let before = fs::read(&created.ca_key).unwrap();
        let error = create(&options(dir.path()), now, &mut rand::rng()).unwrap_err();
        assert!(matches!(error, InitError::Exists(_)), "{error}");
        assert_eq!(fs::read(&created.ca_key).unwrap(), before);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let created = create(&options(dir.path()), OffsetDateTime::now_utc(), &mut rand::rng()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.path().join("relay")), 0o700);
        assert_eq!(mode(&created.config), 0o600);
        assert_eq!(mode(&created.ca_key), 0o600);
    }

    #[test]
    fn generated_passwords_are_valid_and_differ() {
        let (a, b) = (generate_password(&mut rand::rng()), generate_password(&mut rand::rng()));
        assert_ne!(a, b);
        assert!(parse_password(&a).is_ok());
    }
}
