//! Settings of a relay of several processes.

use std::net::SocketAddr;

use serde::Deserialize;

use super::text;

/// `[cluster]`: with it this relay can have several processes, all with the same identity and the same database of PostgreSQL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// IP address and port, in a private network, where the other processes reach this one. `"off"`: there is only this process.
    #[serde(deserialize_with = "text::optional_address")]
    pub listen: Option<SocketAddr>,
    /// Host and port by which the other processes reach it, if that is another address than the one that it listens on. `"off"`: that one.
    #[serde(deserialize_with = "text::optional_host_and_port")]
    pub address: Option<String>,
}
