//! `[page]`: the information page.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::{ConfigError, text};

/// Where the page is, and what it says about the operator. An empty text is left out of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
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
    /// Who hosts the machine.
    pub hosting: String,
    /// Two letter code of the country where the machine is.
    pub hosting_country: String,
    /// Link to conditions of use.
    pub conditions: String,
    /// Link to the source code that runs here.
    pub source_code: String,
}

impl Page {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        match (&self.tls_certificate, &self.tls_key) {
            (Some(_), None) | (None, Some(_)) => Err(ConfigError::Invalid(
                "page.tls_certificate and page.tls_key belong together; set both, or none for plain HTTP"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }
}
