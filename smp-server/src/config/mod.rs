//! `Config`: every setting, its unit and its default.
//!
//! A relay runs with all of it left alone. Values come, later ones winning, from the built-in defaults, the TOML file
//! (`smp-server.toml`), environment variables (`SMP_SERVER_STORE__DURABILITY=os` sets `store.durability`) and flags:
//! see [`load`].

mod cluster;
mod database;
mod environment;
mod error;
mod files;
mod in_force;
mod limits;
mod load;
mod network;
mod page;
mod proxy;
mod reload;
mod template;
mod text;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use smp_protocol::{
    address::{DEFAULT_PORT, DEFAULT_XFTP_PORT, Host, Password, RelayAddress, XftpAddress},
    encoding::NonEmpty,
    version::{SmpVersion, VersionRange},
};

pub(crate) use self::in_force::InForce;
pub(crate) use self::limits::Rate;
pub use self::{
    cluster::Cluster,
    database::{DatabaseUrl, SynchronousCommit},
    error::ConfigError,
    files::Files,
    limits::Limits,
    load::{CONFIG_FILE, Overrides, default_dir, load, load_into},
    network::Network,
    page::Page,
    proxy::{DomainSuffix, HostMode, Proxy, SocksMode, SocksProxy},
    reload::Changes,
    template::template,
    text::{parse_duration, parse_password},
};

/// Largest `store.queue_cache_mib` and `store.body_cache_mib`.
const MAX_CACHE_MIB: usize = 1 << 20;

/// Shortest and longest `store.lease`.
const MIN_LEASE: Duration = Duration::from_secs(2);
const MAX_LEASE: Duration = Duration::from_secs(600);

/// Largest `store.pending_mib`.
const MAX_WAITING_MIB: usize = 4_095;

/// Longest `server.coalesce`.
const MAX_COALESCE: Duration = Duration::from_millis(100);

/// Shortest `queues.delete_idle`.
const MIN_IDLE: Duration = Duration::from_secs(86_400);

/// Everything that can be set. `Config::default()` is a relay on port 5223 that keeps queues in SQLite in the
/// current directory; tests mostly want [`Config::for_tests`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the relay is reached.
    pub server: Server,
    /// Files of its identity.
    pub identity: IdentityFiles,
    /// Creation of queues, and their content.
    pub queues: Queues,
    /// Where queues and messages are kept.
    pub store: StoreConfig,
    /// Files that are kept for people.
    pub files: Files,
    /// Other processes of this relay.
    pub cluster: Cluster,
    /// Forwarding of other people's commands to other relays.
    pub proxy: Proxy,
    /// Bounds on what one client, and all of them, can cost.
    pub limits: Limits,
    /// Numbers for a monitoring system.
    pub metrics: MetricsListener,
    /// The page for people.
    pub page: Page,
    /// Extent of the log.
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Host names or IP addresses that are written into the address of the relay, the public one first.
    #[serde(deserialize_with = "text::hosts")]
    pub hosts: Vec<Host>,
    /// The port that is written into the address. 0 stands for the port of the first listener.
    pub port: u16,
    /// IP addresses and ports to accept connections on. Port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// From these addresses and networks connections come that a program forwards (HAProxy, nginx with `stream`, a load balancer).
    /// Each must begin with a header of the PROXY protocol, version 1 or 2, and the address that it names counts for the limits.
    pub proxy_protocol: Vec<Network>,
    /// The Unix socket where `smp-server status`, `block` and the like reach a running relay. `"off"` for none.
    #[serde(deserialize_with = "text::optional_path")]
    pub control_socket: Option<PathBuf>,
    /// The oldest SMP version to offer, from 6. Clients without ALPN speak 6 only: with a newer one they are turned away.
    pub min_version: u16,
    /// The newest SMP version to offer, up to 19.
    pub max_version: u16,
    /// The shortest time between two blocks to one client while the relay has too much to do and the second one has only
    /// small answers and notifications: they are coalesced. Messages never wait. `"0s"` answers at once, always.
    #[serde(deserialize_with = "text::duration")]
    #[serde(alias = "gather")]
    pub coalesce: Duration,
}

impl Server {
    /// The versions to offer.
    #[must_use]
    pub fn versions(&self) -> VersionRange<SmpVersion> {
        // Settings that are in use have been validated.
        VersionRange::new(SmpVersion(self.min_version), SmpVersion(self.max_version))
            .unwrap_or(SmpVersion::SUPPORTED)
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            hosts: vec![Host::Ipv4(Ipv4Addr::LOCALHOST)],
            port: 0,
            listen: vec![
                SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_PORT),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), DEFAULT_PORT),
            ],
            proxy_protocol: Vec::new(),
            control_socket: Some(PathBuf::from("control.sock")),
            min_version: SmpVersion::MIN.0,
            max_version: SmpVersion::MAX.0,
            coalesce: Duration::from_millis(2),
        }
    }
}

/// `[identity]`: the directory with the certificates and keys.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityFiles {
    /// Directory with `ca.crt`, `server.crt` and `server.key`.
    pub path: PathBuf,
}

impl Default for IdentityFiles {
    fn default() -> Self {
        Self { path: PathBuf::from("identity") }
    }
}

/// `[queues]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queues {
    /// Whether new queues can be created at all.
    pub new_queues: bool,
    /// If set, only clients that know it can create queues and use the proxy.
    #[serde(deserialize_with = "text::password")]
    pub create_password: Option<Password>,
    /// Messages a queue holds until its recipient takes them; further ones are refused with `QUOTA`.
    pub quota: u32,
    /// After how long a message that nobody took is deleted. `"off"` keeps them for ever.
    #[serde(deserialize_with = "text::optional_duration")]
    pub expire_messages: Option<Duration>,
    /// After how long a notification that no notifier took is dropped.
    #[serde(deserialize_with = "text::duration")]
    pub expire_notifications: Duration,
    /// After how long, in whole days, a queue is deleted that nobody has sent to, received from or been subscribed to.
    #[serde(deserialize_with = "text::optional_duration")]
    pub delete_idle: Option<Duration>,
    /// How often expired messages and notifications are looked for.
    #[serde(deserialize_with = "text::duration")]
    pub expiry_interval: Duration,
}

impl Default for Queues {
    fn default() -> Self {
        Self {
            new_queues: true,
            create_password: None,
            quota: 128,
            expire_messages: Some(Duration::from_secs(21 * 86_400)),
            expire_notifications: Duration::from_secs(86_400),
            delete_idle: None,
            expiry_interval: Duration::from_secs(3_600),
        }
    }
}

/// `[store]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Which store.
    pub kind: StoreKind,
    /// Directory of the database; made if missing. A memory store does not use it, and with PostgreSQL only what waits over a restart is there.
    pub path: PathBuf,
    /// The database of `kind = "postgres"`.
    #[serde(deserialize_with = "text::database_url")]
    pub url: Option<DatabaseUrl>,
    /// `synchronous_commit` of PostgreSQL: the promise of `OK` to `SEND` there.
    pub synchronous_commit: SynchronousCommit,
    /// How long this process has the database of PostgreSQL if it cannot reach it: then it stops, and another may take over.
    #[serde(deserialize_with = "text::duration")]
    pub lease: Duration,
    /// The promise of `OK` to `SEND`.
    pub durability: Durability,
    /// Memory for queues in use, in MiB: records and lists of messages, without bodies.
    pub queue_cache_mib: usize,
    /// Memory for bodies of messages that are on disk and may be wanted soon, in MiB.
    pub body_cache_mib: usize,
    /// Messages, new queues and changes that may wait for the disk, in MiB; who sends or changes something waits when there are
    /// more. Removals do not wait.
    pub pending_mib: usize,
    /// How long a message may wait in memory for its recipient's acknowledgement, if the recipient acknowledged the one
    /// before within this time: then it need not be written. Up to five times as long behind other messages that are
    /// being acknowledged. `"0s"` writes at once, always.
    #[serde(deserialize_with = "text::duration")]
    #[serde(alias = "patience")]
    pub ack_wait: Duration,
    /// Connections to the database that read, 2 to 64. Searches by IDs that do not exist never use all of them.
    pub readers: u32,
    /// A file in that directory, in MiB, that is given up when the disk is full, so that receiving goes on. An eighth of the disk at
    /// most. 0: none.
    pub reserve_mib: u64,
    /// Whether bodies of deleted messages are overwritten with zeros at once, for about double the work of a removal.
    pub overwrite_deleted: bool,
    /// Starts also if the store that the relay has served from, or its end, is missing. Not a setting of the file: the operator
    /// says so once, with a flag.
    #[serde(skip)]
    pub accept_loss: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            kind: StoreKind::Sqlite,
            path: PathBuf::from("data"),
            url: None,
            synchronous_commit: SynchronousCommit::On,
            lease: Duration::from_secs(10),
            durability: Durability::Fsync,
            queue_cache_mib: 64,
            body_cache_mib: 32,
            pending_mib: 64,
            ack_wait: Duration::from_millis(100),
            readers: 5,
            reserve_mib: 48,
            overwrite_deleted: false,
            accept_loss: false,
        }
    }
}

impl StoreConfig {
    /// The promise, whichever setting says that nothing is kept.
    #[must_use]
    pub fn effective_durability(&self) -> Durability {
        match self.kind {
            StoreKind::Memory => Durability::Memory,
            StoreKind::Sqlite => self.durability,
            StoreKind::Postgres if self.synchronous_commit == SynchronousCommit::Off => Durability::Os,
            StoreKind::Postgres => Durability::Fsync,
        }
    }
}

/// `store.kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// An embedded database: nothing else to install.
    Sqlite,
    /// A database of a PostgreSQL server, which one relay at a time has.
    Postgres,
    /// Nothing is kept over a restart.
    Memory,
}

/// `store.durability`: what has happened before a sender reads `OK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The message survives a power cut.
    Fsync,
    /// The message survives the death of the process, not that of the machine.
    Os,
    /// Nothing is kept over a restart: the same as the store of that name.
    Memory,
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsListener {
    /// IP address and port where a monitoring system asks by HTTP, best a loopback address. `"off"` for none.
    #[serde(deserialize_with = "text::optional_address")]
    pub listen: Option<SocketAddr>,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info` or `debug`. No level shows queue IDs, keys or addresses of clients.
    pub level: LogLevel,
    /// Lines for people or one JSON object a line.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

/// `log.level`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// `log.format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// A relay on a free loopback port whose files are all below `dir`; for tests, demonstrations and embedding.
    #[must_use]
    pub fn for_tests(dir: &Path) -> Self {
        let mut config = Self::default();
        config.server.listen = vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)];
        config.proxy.allow_private_hosts = true;
        config.proxy.ports = Vec::new();
        config.server.control_socket = None;
        config.store.reserve_mib = 0;
        config.limits.min_free_disk_mib = 0;
        config.resolve_paths(dir);
        config
    }

    /// Makes relative paths start at `dir`.
    pub fn resolve_paths(&mut self, dir: &Path) {
        let paths = [&mut self.identity.path, &mut self.store.path, &mut self.files.path];
        let page = self.page.tls_certificate.iter_mut().chain(&mut self.page.tls_key);
        for path in paths.into_iter().chain(&mut self.server.control_socket).chain(page) {
            if path.is_relative() {
                *path = dir.join(&*path);
            }
        }
    }

    /// The address for clients, of a relay with this identity that accepts connections on `listening`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] without hosts, or with more than 255.
    pub fn address(&self, fingerprint: [u8; 32], listening: u16) -> Result<RelayAddress, ConfigError> {
        let hosts = NonEmpty::new(self.server.hosts.clone())
            .ok_or_else(|| ConfigError::Invalid("server.hosts must have 1 to 255 names".to_owned()))?;
        let port = if self.server.port == 0 { listening } else { self.server.port };
        let port = (port != DEFAULT_PORT).then_some(port);
        Ok(RelayAddress { fingerprint, hosts, port, password: self.queues.create_password.clone() })
    }

    /// The address of the relay of files for clients. It accepts connections on `own`, if it has listeners of its own, and on `listening`,
    /// with the relay of messages.
    ///
    /// # Errors
    ///
    /// As [`Self::address`].
    pub fn files_address(
        &self,
        fingerprint: [u8; 32],
        own: Option<u16>,
        listening: u16,
    ) -> Result<XftpAddress, ConfigError> {
        let shared = self.address(fingerprint, listening)?;
        let port = match self.files.port {
            0 => own.unwrap_or(shared.port_or_default()),
            port => port,
        };
        let port = (port != DEFAULT_XFTP_PORT).then_some(port);
        Ok(XftpAddress(RelayAddress { port, password: self.files.create_password.clone(), ..shared }))
    }

    /// Checks what types alone do not.
    ///
    /// # Errors
    ///
    /// One sentence that names the setting and says what it may be.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let (oldest, newest) = (SmpVersion::MIN.0, SmpVersion::MAX.0);
        let rules = [
            (
                self.server.listen.is_empty(),
                "server.listen is empty; give at least one address such as \"0.0.0.0:5223\"",
            ),
            (
                self.server.hosts.is_empty(),
                "server.hosts is empty; give at least the name or IP address clients use",
            ),
            (
                self.server.min_version < oldest
                    || self.server.max_version > newest
                    || self.server.min_version > self.server.max_version,
                "server.min_version and server.max_version must be a range within 6 to 19",
            ),
            (self.server.coalesce > MAX_COALESCE, "server.coalesce must be \"100ms\" at most; try \"2ms\""),
            (self.queues.quota == 0, "queues.quota is 0; a queue must hold at least one message"),
            (
                self.queues.delete_idle.is_some_and(|age| age < MIN_IDLE),
                "queues.delete_idle is less than \"1d\"; use is noted by the day",
            ),
            (
                self.store.queue_cache_mib > MAX_CACHE_MIB || self.store.body_cache_mib > MAX_CACHE_MIB,
                "store.queue_cache_mib and store.body_cache_mib must be 1048576 at most",
            ),
            (
                self.store.reserve_mib > MAX_CACHE_MIB as u64,
                "store.reserve_mib must be 1048576 at most; try 48",
            ),
            (
                self.store.kind == StoreKind::Postgres && self.store.url.is_none(),
                "store.kind is \"postgres\", and store.url does not say which database; try \"postgres://smp@localhost/smp\"",
            ),
            (
                self.store.kind != StoreKind::Postgres && self.store.url.is_some(),
                "store.url is for kind = \"postgres\" only; set that too, or remove it",
            ),
            (
                self.store.kind != StoreKind::Postgres && self.cluster.listen.is_some(),
                "cluster.listen is for several processes that share a database: set store.kind = \"postgres\", or remove it",
            ),
            (
                self.files.enabled && self.cluster.listen.is_some(),
                "files are on the disk of one process, and clients come to any: set files.enabled = false, and run another relay for files",
            ),
            (
                self.cluster.listen.is_none() && self.cluster.address.is_some(),
                "cluster.address says how other processes reach this one, but it does not listen for them: set cluster.listen, too",
            ),
            (
                self.cluster.address.is_none()
                    && self.cluster.listen.is_some_and(|listen| listen.ip().is_unspecified()),
                "cluster.listen is any address of this machine: say in cluster.address by which one other processes reach it",
            ),
            (
                self.store.kind == StoreKind::Postgres && !cfg!(feature = "postgres"),
                "this smp-server was built without PostgreSQL; build it with --features postgres",
            ),
            (
                !(MIN_LEASE..=MAX_LEASE).contains(&self.store.lease),
                "store.lease must be \"2s\" to \"10m\"; try \"10s\"",
            ),
            (!(2..=64).contains(&self.store.readers), "store.readers must be 2 to 64; try 5"),
            (self.store.pending_mib > MAX_WAITING_MIB, "store.pending_mib must be 4095 at most; try 64"),
            (self.queues.expiry_interval.is_zero(), "queues.expiry_interval is 0; try \"1h\""),
        ];
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, sentence)) => Err(ConfigError::Invalid((*sentence).to_owned())),
            None => {
                let sections = [
                    self.files.validate(),
                    self.proxy.validate(),
                    self.page.validate(),
                    self.limits.validate(),
                ];
                sections.into_iter().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert!(Config::default().validate().is_ok());
        assert!(Config::for_tests(Path::new("/tmp/x")).validate().is_ok());
    }

    #[test]
    fn relative_paths_start_at_the_directory_and_absolute_ones_stay() {
        let mut config = Config::default();
        config.store.path = PathBuf::from("/srv/queues");
        config.resolve_paths(Path::new("/etc/relay"));
        assert_eq!(config.identity.path, Path::new("/etc/relay/identity"));
        assert_eq!(config.store.path, Path::new("/srv/queues"));
    }

    /// Files of earlier versions stay good.
    #[test]
    fn earlier_names_of_settings_are_understood() {
        let text = "[server]\ngather = \"5ms\"\n[store]\npatience = \"7ms\"\n";
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config.server.coalesce, Duration::from_millis(5));
        assert_eq!(config.store.ack_wait, Duration::from_millis(7));
    }

    #[test]
    fn impossible_values_are_named() {
        type Change = fn(&mut Config);
        let broken: [(&str, Change); 17] = [
            ("listen", |c| c.server.listen.clear()),
            ("hosts", |c| c.server.hosts.clear()),
            ("max_version", |c| c.server.max_version = 20),
            ("min_version", |c| c.server.min_version = 5),
            ("coalesce", |c| c.server.coalesce = Duration::from_secs(1)),
            ("quota", |c| c.queues.quota = 0),
            ("delete_idle", |c| c.queues.delete_idle = Some(Duration::from_secs(60))),
            ("queue_cache_mib", |c| c.store.queue_cache_mib = usize::MAX >> 20),
            ("body_cache_mib", |c| c.store.body_cache_mib = usize::MAX >> 20),
            ("pending_mib", |c| c.store.pending_mib = 4_096),
            ("client_concurrency", |c| c.proxy.client_concurrency = usize::MAX),
            ("max_pending_commands", |c| {
                (c.limits.max_pending_commands, c.limits.max_outgoing) = (usize::MAX - 1, usize::MAX);
            }),
            ("max_pending_kib", |c| c.limits.max_pending_kib = 32),
            ("max_forwarded_kib", |c| c.limits.max_forwarded_kib = 32),
            ("max_pending_notifications_total", |c| c.limits.max_pending_notifications_total = 31),
            ("max_recipient_keys", |c| c.limits.max_recipient_keys = 0),
            ("max_recipient_keys", |c| c.limits.max_recipient_keys = 256),
        ];
        for (name, change) in broken {
            let mut config = Config::default();
            change(&mut config);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
