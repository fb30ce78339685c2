//! `[page]`: the information page.

use std::net::SocketAddr;

use serde::Deserialize;

use super::text;

/// Where the page is, and what it says about the operator. An empty text is left out of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// IP address and port for plain HTTP; `"off"`: no page.
    #[serde(deserialize_with = "text::optional_address")]
    pub listen: Option<SocketAddr>,
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
