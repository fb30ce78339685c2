//! `[page]`: the information page.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::{ConfigError, text};

/// Largest bounds of connections.
const MAX_CONNECTIONS: usize = 10_000;

/// Where the page is, and what it says about the operator. An empty text is left out of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// IP address and port for HTTP, or HTTPS if it has a certificate; `"off"`: no page.
    #[serde(deserialize_with = "text::optional_address")]
    pub listen: Option<SocketAddr>,
    /// PEM file with the certificate and those that it depends on, `fullchain.pem` of certbot; `"off"`: plain HTTP.
    #[serde(deserialize_with = "text::optional_path")]
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with its private key.
    #[serde(deserialize_with = "text::optional_path")]
    pub tls_key: Option<PathBuf>,
    /// Connections at the same time. A further one takes the place of the oldest one of the network that has most.
    pub max_connections: usize,
    /// Connections at the same time from one IPv4 address or IPv6 /64 network, and twice as many from the networks around it; a
    /// further one takes the place of the oldest of them. 0: no bound. Loopback is not counted.
    pub max_connections_per_address: usize,
    /// Person or organization that runs the relay.
    pub operator: String,
    /// Two letter code of the operator's country.
    pub operator_country: String,
    /// Link to the operator's site.
    pub website: String,
    /// Mail address of the operator.
    pub contact_email: String,
    /// SimpleX address of the operator, a link.
    pub contact_simplex: String,
    /// Mail address for complaints.
    pub complaints_email: String,
    /// SimpleX address for complaints, a link.
    pub complaints_simplex: String,
    /// Name of the machine's host.
    pub hosting: String,
    /// Two letter code of the country where the machine is.
    pub hosting_country: String,
    /// Link to conditions of use.
    pub conditions: String,
    /// Link to the source code that runs here.
    pub source_code: String,
}

impl Default for Page {
    fn default() -> Self {
        let none = String::new;
        Self {
            listen: None,
            tls_certificate: None,
            tls_key: None,
            max_connections: 64,
            max_connections_per_address: 16,
            operator: none(),
            operator_country: none(),
            website: none(),
            contact_email: none(),
            contact_simplex: none(),
            complaints_email: none(),
            complaints_simplex: none(),
            hosting: none(),
            hosting_country: none(),
            conditions: none(),
            source_code: none(),
        }
    }
}

impl Page {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=MAX_CONNECTIONS).contains(&self.max_connections)
            || self.max_connections_per_address > MAX_CONNECTIONS
        {
            return Err(ConfigError::Invalid(
                "page.max_connections must be 1 to 10000, page.max_connections_per_address 0 to 10000"
                    .to_owned(),
            ));
        }
        match (&self.tls_certificate, &self.tls_key) {
            (Some(_), None) | (None, Some(_)) => Err(ConfigError::Invalid(
                "page.tls_certificate and page.tls_key belong together; set both, or none for plain HTTP"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }
}
