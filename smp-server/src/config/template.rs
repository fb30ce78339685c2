//! The commented file that `smp-server init` writes.

use smp_protocol::address::Host;

/// Says in a file that it ends with [`LAST_LINE`].
pub(super) const IS_FRAMED: &str = "Keep its last line";

/// The last line of a file that says so: without it, the file was cut off.
pub(super) const LAST_LINE: &str = "# End of the settings.";

/// The text of a new `smp-server.toml`: everything that can be set, each at its default and commented out, apart from
/// what was asked for.
#[must_use]
pub fn template(
    hosts: &[Host],
    port: u16,
    password: Option<&str>,
    database: Option<&str>,
    files: bool,
) -> String {
    let hosts: Vec<String> = hosts.iter().map(Host::to_string).collect();
    let hosts = toml::Value::from(hosts).to_string();
    let password = match password {
        Some(password) => format!("create_password = {}", toml::Value::from(password)),
        None => "# create_password = \"...\"".to_owned(),
    };
    let (kind, url) = match database {
        Some(url) => ("kind = \"postgres\"".to_owned(), format!("url = {}", toml::Value::from(url))),
        None => ("# kind = \"sqlite\"".to_owned(), "# url = \"off\"".to_owned()),
    };
    let (enabled, files_password) = match files {
        true => ("enabled = true", password.as_str()),
        false => ("# enabled = false", "# create_password = \"...\""),
    };
    format!(
        r#"# Settings of smp-server. Lines that begin with # show the defaults.
# {IS_FRAMED}: it tells this file from one that was cut off.
# Each can also be set by an environment variable: SMP_SERVER_STORE__DURABILITY=os sets durability in [store].
# A list can be words with commas between them there.
# Durations are written "250ms", "30s", "5m", "6h", "21d". Relative paths start at the directory of this file.

[server]
# What clients use to reach this relay, as it stands in its address. Names or IP addresses, the public one first.
hosts = {hosts}
# The port that stands in the address, if it is not that of the first entry of listen.
# port = 0
# Where connections are accepted. Add "0.0.0.0:443" and "[::]:443" to be reachable through strict firewalls.
listen = ["0.0.0.0:{port}", "[::]:{port}"]
# Addresses and networks of programs that forward connections to the relay and say from whom they come, by the PROXY protocol (1
# or 2), for example ["127.0.0.1", "10.0.0.0/8"]. Connections from there without its header are refused. nginx: proxy_protocol on;
# HAProxy: send-proxy-v2; Tor: HiddenServiceExportCircuitID haproxy.
# proxy_protocol = []
# Where `smp-server status`, `block`, `unblock` and `delete` reach the running relay; "off" for nowhere.
# control_socket = "control.sock"
# Range of protocol versions that is offered, also to those who send through other relays.
# min_version = 6
# max_version = 19
# While the relay has too much to do, small answers and notifications to one client are coalesced: they come at least so long after
# what was sent to it before. Messages do not wait, and take along what does. "0s": everybody is answered at once, always.
# coalesce = "2ms"

[identity]
# Directory with ca.crt, server.crt and server.key.
# path = "identity"

[queues]
# false: nobody can create queues; the existing ones go on.
# new_queues = true
# Needed to create queues and to use the proxy. It is a part of the relay's address.
{password}
# Messages that one queue holds until its recipient takes them.
# quota = 128
# Messages that nobody took are deleted after this time; "off" keeps them for ever.
# expire_messages = "21d"
# expire_notifications = "24h"
# Queues that nobody has sent to, received from or been subscribed to for so many days are deleted, for example "365d".
# delete_idle = "off"
# How often all these are looked for.
# expiry_interval = "1h"

[store]
# "sqlite", "postgres" or "memory" (nothing is kept over a restart; durability = "memory" says the same).
{kind}
# The database of kind = "postgres", for example postgres://smp@db.example/smp?sslmode=verify-full. A password can stand in the environment
# variable PGPASSWORD or in ~/.pgpass instead. One relay at a time has it: docs/operating.md.
{url}
# What a sender's OK promises with PostgreSQL: "on", "remote_apply", "remote_write", "local" or "off", as PostgreSQL explains them.
# synchronous_commit = "on"
# After so long without the database this relay stops, and another one may take over.
# lease = "10s"
# Directory of the database.
# path = "data"
# What a sender's OK promises. "fsync": the message survives a power cut. "os": it survives the death of the process.
# durability = "fsync"
# Memory for queues in use (without messages), for messages that may be wanted soon, and for those that wait for the disk.
# queue_cache_mib = 64
# body_cache_mib = 32
# pending_mib = 64
# While a recipient is online and acknowledges within this time, messages wait so long for the acknowledgement, which
# makes writing them needless; those behind others up to five times as long. "0s": write at once, always.
# ack_wait = "100ms"
# Connections to the database that read. Searches by IDs that do not exist never use all of them.
# readers = 5
# A file beside the database that is given up when the disk is full, so that people can still receive and delete; an eighth of the
# disk at most. 0: none.
# reserve_mib = 48
# Overwrite deleted messages with zeros at once, for about double the work of a removal. All are encrypted end to end anyway.
# overwrite_deleted = false

[files]
# Whether files are kept for people, as XFTP relays do: apps send pictures, voice messages and files through one. It takes disk and bandwidth, so
# it is for the operator to decide.
{enabled}
# Directory of the chunks of files and of their records; with kind = "memory" the records end with the relay, and the chunks with them.
# path = "files"
# Files are served at the addresses of [server], where clients say by ALPN (xftp/1) what they want, and at these, at which there is nothing
# else, for example ["0.0.0.0:443", "[::]:443"].
# listen = []
# The port that stands in the address for files, if it is not that of the first entry of listen here, or else in [server].
# port = 0
# All chunks together, and what one network (IPv4 /24, IPv6 /48) may upload in the time of expire; 0: no bound for networks. Uploads also
# leave free what limits.min_free_disk_mib says.
# quota_mib = 10240
# quota_mib_network = 2560
# Chunks are deleted after this time.
# expire = "48h"
# Sizes of chunks that are taken; apps use all of these.
# chunk_sizes_kib = [64, 256, 1024, 4096]
# false: nobody can upload; what there is can be downloaded.
# new_files = true
# Needed to upload. It is a part of the address for files.
{files_password}
# Chunks that may be created in a minute from one IPv4 address or IPv6 /64; from one IPv4 /24, IPv6 /56 or IPv6 /48; by all together. Further
# ones wait, and are refused if they would wait for long. The first one 0: no bound at all. And chunks that there may be.
# new_chunks_per_minute = 1200
# new_chunks_per_minute_network = 3000
# new_chunks_per_minute_total = 6000
# max_chunks = 1000000
# Recipients that a chunk may have.
# max_recipients = 1000
# Connections for files, a sixteenth of which may come from one address and a quarter from one network; uploads and downloads at the same
# time (256 KiB each), a quarter of which may be those of one network; and requests of one connection.
# max_connections = 1000
# max_transfers = 400
# max_requests = 16
# A connection without a request, or a request without a byte for so long, is closed; a transfer that takes longer is broken off.
# idle_timeout = "60s"
# transfer_timeout = "10m"

[cluster]
# Several processes of this relay, with the same identity, address and database of PostgreSQL, each behind a load balancer that passes TLS
# through: docs/scaling.md. Where the others reach this one, in a private network, for example "10.0.0.5:5224".
# listen = "off"
# By which host and port they do, if that is not where it listens, for example "relay-1.internal:5224".
# address = "off"

[proxy]
# Whether clients may send to other relays through this one, which hides their IP addresses from those.
# enabled = true
# Commands of one client that may be on their way to other relays; further ones wait.
# client_concurrency = 32
# Relays that nobody has asked for lately and that may be asked for in a minute from one address (IPv4, or IPv6 /64), from the network
# around it (IPv4 /24, IPv6 /56 and /48), and by all together; further ones wait, up to half a minute. 0: no bound; the first one: none at all.
# new_relays_per_minute = 60
# new_relays_per_minute_network = 240
# new_relays_per_minute_total = 1200
# How long to wait for another relay: to connect, and for each answer. Tor takes its time: with socks try "30s".
# timeout = "15s"
# A relay that could not be reached is not tried again for this time.
# retry_interval = "30s"
# Connections to other relays; another one takes the place of the one that was not used for longest and from which no answer
# is awaited. And how many of them one client may have asked for first.
# max_relays = 1000
# max_client_relays = 100
# A connection to another relay that no client has used for this long is closed.
# idle_timeout = "10m"
# Whether relays at loopback and private addresses and those of this machine may be connected to, at any port. Anybody who may
# use the proxy could. Needed for relays in one LAN or VPN: see docs/operating.md.
# allow_private_hosts = false
# Ports at which relays may be connected to at all other addresses; [] for all.
# ports = [5223, 443]
# SOCKS5 proxy (that of Tor, say) through which relays with onion hosts are reached, for example "127.0.0.1:9050".
# socks = "off"
# What goes through it: "onion" hosts only, or "always". It is the one that looks up the names that it gets.
# socks_mode = "onion"
# Which hosts of a relay that has both are tried first, "public" or "onion"; and whether the others are not tried at all.
# host_mode = "public"
# required_host_mode = false
# Domains of your own relays, for example ["example.org"]. The metrics count them apart; nothing else changes.
# own_domains = []

[limits]
# Connections in total, from one IPv4 address or IPv6 /64 network, from one IPv6 /56, and from one IPv4 /24 or IPv6 /48. Where a
# limit is reached a newcomer takes the place of a connection on which nothing was done yet, if there is one. Raise those of
# networks if many clients share an address (Docker's forwarder, a TCP proxy, a carrier's NAT); per_address = 0: no bound, none
# for sites and networks either. Loopback is not counted, unless count_loopback says so, for tests.
# max_connections = 20000
# max_connections_per_address = 1000
# max_connections_per_site = 2000
# max_connections_per_network = 4000
# count_loopback = false
# For TLS and the handshake of the protocol together.
# handshake_timeout = "30s"
# Connections on which no command but PING was done after this time are closed; "off" keeps them.
# first_command_timeout = "5m"
# Connections without subscriptions and without traffic are closed; "off" keeps them.
# idle_timeout = "6h"
# How often that is checked.
# idle_check_interval = "1h"
# A client that takes longer to send or to take one block (16 KiB) is disconnected.
# block_timeout = "60s"
# Commands of one client that may wait to be done or answered; further ones are not read.
# max_pending_commands = 1024
# The same in KiB of memory, and in MiB for all clients together, of whom each network has a fair share.
# max_pending_kib = 1024
# max_pending_total_mib = 256
# And for those of one client that are being forwarded to other relays; further ones are refused, so that the others need not wait.
# max_forwarded_kib = 4096
# Commands in one block; a block with more is refused. 255 is the protocol's own bound, and apps fill their blocks.
# max_batch = 255
# Answers and events that may wait for one client to read them; then it is disconnected.
# max_outgoing = 8192
# Queues that may be created: from one IPv4 address or IPv6 /64; from one IPv4 /24, IPv6 /56 or IPv6 /48; by all together. Further
# ones wait, and are refused if they would wait for long. The first one 0: no bound at all. And queues that there may be.
# new_queues_per_minute = 1200
# new_queues_per_minute_network = 3000
# new_queues_per_minute_total = 6000
# max_queues = 5000000
# Refused authorizations and wrong passwords, likewise; the answers to further ones wait.
# failed_authorizations_per_minute = 6000
# failed_authorizations_per_minute_network = 12000
# failed_authorizations_per_minute_total = 60000
# Keys that the owners of one contact queue may have; a command about the queue may cost as many verifications.
# max_recipient_keys = 16
# Notifications that wait in memory for the notifier of one queue, and for all together (about 400 bytes each); the oldest go
# first.
# max_pending_notifications = 32
# max_pending_notifications_total = 100000
# With less free space on the disk of the store, new queues are refused; a twentieth of the disk at most. 0: no bound.
# min_free_disk_mib = 256
# On SIGTERM clients are let go one after the other over this time, so that they do not all come to another relay at once. The
# service manager has to wait for longer than this and the next one.
# drain_timeout = "0s"
# On SIGTERM, for what was asked before.
# shutdown_timeout = "10s"

[metrics]
# Where Prometheus asks for http://ADDRESS:PORT/metrics, for example "127.0.0.1:9224". Counts, durations and sizes only.
# listen = "off"

[page]
# A page for people's browsers: address, QR code, operator, limits. For example "0.0.0.0:443" with a certificate, or
# "127.0.0.1:8080" behind a web server or an onion service.
# listen = "off"
# PEM files with the certificate chain and its key (certbot's fullchain.pem and privkey.pem), which make it HTTPS. They are
# read again with this file on SIGHUP.
# tls_certificate = "off"
# tls_key = "off"
# Connections at the same time, and from one IPv4 address or IPv6 /64. Further ones take the place of the oldest.
# max_connections = 64
# max_connections_per_address = 16
# What it says about you; "" leaves a line out. A country is its two letter code.
# operator = ""
# operator_country = ""
# website = ""
# contact_email = ""
# contact_simplex = ""
# complaints_email = ""
# complaints_simplex = ""
# hosting = ""
# hosting_country = ""
# conditions = ""
# source_code = ""

[log]
# "error", "warn", "info" or "debug". No level shows queue IDs, keys or addresses.
# level = "info"
# "text" or "json".
# format = "text"

{LAST_LINE}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn commented_defaults_are_the_defaults() {
        let text = template(&Config::default().server.hosts, 5223, None, None, false);
        let live: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => rest,
                _ => line,
            })
            .filter(|line| !line.starts_with("create_password"))
            .fold(String::new(), |all, line| all + line + "\n");
        let read: Config = toml::from_str(&live).unwrap();
        assert_eq!(read, Config::default());
    }

    fn is_key(text: &str) -> bool {
        text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    }
}
