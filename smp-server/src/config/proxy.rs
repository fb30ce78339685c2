//! `[proxy]`: forwarding of other people's commands to other relays.

use std::{fmt, net::SocketAddr, time::Duration};

use serde::{Deserialize, Deserializer, de};
use smp_protocol::address::{DEFAULT_PORT, Host, RelayAddress};

use super::{
    ConfigError,
    limits::{Rate, rate},
    text,
};

/// Largest `client_concurrency`.
const MAX_CONCURRENCY: usize = 1_000_000;

/// `[proxy]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Proxy {
    /// Whether clients may send to other relays through this one.
    pub enabled: bool,
    /// Commands of one client that are on their way to other relays at the same time; further ones wait.
    pub client_concurrency: usize,
    /// Relays that this one has no connection with and that may be asked for in a minute from one IPv4 address or IPv6 /64
    /// network, however many connections it has; further ones wait, and are refused if they would wait for long. On loopback each
    /// connection counts by itself. 0: no bound, for nobody.
    pub new_relays_per_minute: u32,
    /// The same for an IPv4 /24, IPv6 /56 or IPv6 /48 network. 0: no bound.
    pub new_relays_per_minute_network: u32,
    /// The same for all together. 0: no bound.
    pub new_relays_per_minute_total: u32,
    /// How long to wait for another relay: to connect, and for each answer.
    #[serde(deserialize_with = "text::duration")]
    pub timeout: Duration,
    /// How long a relay that could not be reached is not tried again.
    #[serde(deserialize_with = "text::duration")]
    pub retry_interval: Duration,
    /// Connections to other relays at the same time; another one takes the place of the one that was not used for longest.
    pub max_relays: usize,
    /// Of these connections, those that one client has asked for first; another one takes the place of one of them. The same
    /// relay under several addresses counts as several.
    pub max_client_relays: usize,
    /// A connection to another relay that no client has used for this long is closed.
    #[serde(deserialize_with = "text::duration")]
    pub idle_timeout: Duration,
    /// Whether relays at loopback and private network addresses, and at those of this machine, may be connected to, at any
    /// port.
    pub allow_private_hosts: bool,
    /// The ports at which other relays may be connected to; empty: all.
    pub ports: Vec<u16>,
    /// The SOCKS5 proxy through which onion hosts are reached, for instance that of Tor; `"off"` for none.
    #[serde(deserialize_with = "optional_socks")]
    pub socks: Option<SocksProxy>,
    /// Other hosts that go through it.
    pub socks_mode: SocksMode,
    /// Which hosts of a relay that has both kinds are tried first.
    pub host_mode: HostMode,
    /// Whether hosts of the other kind are not tried at all.
    pub required_host_mode: bool,
    /// Domains of relays of the same operator, which the metrics count apart.
    pub own_domains: Vec<DomainSuffix>,
}

impl Proxy {
    /// How often relays may be asked for that nobody has asked for.
    pub(crate) fn new_relays(&self) -> Rate {
        rate(self.new_relays_per_minute, self.new_relays_per_minute_network, self.new_relays_per_minute_total)
    }
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            enabled: true,
            client_concurrency: 32,
            new_relays_per_minute: 60,
            new_relays_per_minute_network: 240,
            new_relays_per_minute_total: 1_200,
            timeout: Duration::from_secs(15),
            retry_interval: Duration::from_secs(30),
            max_relays: 1_000,
            max_client_relays: 100,
            idle_timeout: Duration::from_secs(600),
            allow_private_hosts: false,
            ports: vec![DEFAULT_PORT, 443],
            socks: None,
            socks_mode: SocksMode::Onion,
            host_mode: HostMode::Public,
            required_host_mode: false,
            own_domains: Vec::new(),
        }
    }
}

/// Where a SOCKS5 proxy is: `host:port`, without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocksProxy(String);

impl SocksProxy {
    /// Reads `127.0.0.1:9050`, `[::1]:9050` or `tor:9050`.
    ///
    /// # Errors
    ///
    /// A sentence with an example of what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_name = |text: &str| {
            text.rsplit_once(':').is_some_and(|(host, port)| {
                matches!(host.parse(), Ok(Host::Domain(_))) && port.parse::<u16>().is_ok_and(|port| port != 0)
            })
        };
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Ok(Self(text.to_owned())),
            Err(_) if is_name(text) => Ok(Self(text.to_owned())),
            _ => Err(format!(
                "\"{text}\" is not the host and port of a SOCKS5 proxy, such as \"127.0.0.1:9050\""
            )),
        }
    }

    /// Host and port, as they can be connected to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SocksProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn optional_socks<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocksProxy>, D::Error> {
    match String::deserialize(from)?.as_str() {
        "off" => Ok(None),
        text => SocksProxy::parse(text).map(Some).map_err(de::Error::custom),
    }
}

/// `proxy.socks_mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SocksMode {
    /// Onion hosts only.
    Onion,
    /// All hosts.
    Always,
}

/// `proxy.host_mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostMode {
    /// Names and IP addresses first.
    Public,
    /// Onion hosts first.
    Onion,
}

/// A domain, which stands for itself and for all names below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSuffix(String);

impl DomainSuffix {
    /// Reads a host name or IP address.
    ///
    /// # Errors
    ///
    /// A sentence that says what it should be.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.parse::<Host>() {
            Ok(host) if !text.starts_with(['.', '*']) => Ok(Self(host.canonical().to_string())),
            _ => Err(format!("\"{text}\" is not a domain, such as \"example.org\"")),
        }
    }

    fn covers(&self, host: &str) -> bool {
        host.strip_suffix(&self.0).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl<'de> Deserialize<'de> for DomainSuffix {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl Proxy {
    /// Whether this relay is of the same operator, as its first host says.
    #[must_use]
    pub fn is_own(&self, relay: &RelayAddress) -> bool {
        let host = relay.hosts.first().canonical().to_string();
        self.own_domains.iter().any(|domain| domain.covers(&host))
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let rules = [
            (
                self.client_concurrency == 0,
                "proxy.client_concurrency is 0; to forbid forwarding set proxy.enabled = false",
            ),
            (
                self.client_concurrency > MAX_CONCURRENCY,
                "proxy.client_concurrency is more than 1000000; try 32",
            ),
            (self.max_relays == 0, "proxy.max_relays is 0; to forbid forwarding set proxy.enabled = false"),
            (
                self.max_client_relays == 0,
                "proxy.max_client_relays is 0; to forbid forwarding set proxy.enabled = false",
            ),
            (self.timeout.is_zero(), "proxy.timeout is 0; try \"15s\""),
            (self.idle_timeout.is_zero(), "proxy.idle_timeout is 0; try \"10m\""),
            (
                self.socks.is_none() && self.socks_mode == SocksMode::Always,
                "proxy.socks_mode = \"always\" needs a SOCKS5 proxy; set proxy.socks, for example to \"127.0.0.1:9050\"",
            ),
            (
                self.socks.is_none() && self.host_mode == HostMode::Onion,
                "proxy.host_mode = \"onion\" needs a SOCKS5 proxy; set proxy.socks, for example to \"127.0.0.1:9050\"",
            ),
        ];
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, sentence)) => Err(ConfigError::Invalid((*sentence).to_owned())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socks_proxies_are_read_and_other_texts_refused() {
        for text in ["127.0.0.1:9050", "[::1]:9050", "tor:9050", "localhost:1"] {
            assert_eq!(SocksProxy::parse(text).unwrap().as_str(), text);
        }
        for text in
            ["", "9050", "tor", "127.0.0.1", ":9050", "a b:9050", "user:secret@tor:9050", "tor:0", "::1:9050"]
        {
            assert!(SocksProxy::parse(text).unwrap_err().contains("SOCKS5"), "{text}");
        }
    }

    #[test]
    fn own_relays_are_those_of_a_domain_and_below_it() {
        let domains = ["Example.org", "10.0.0.1"].map(|text| DomainSuffix::parse(text).unwrap());
        let proxy = Proxy { own_domains: domains.to_vec(), ..Proxy::default() };
        let is_own = |hosts: &str| {
            proxy.is_own(
                &format!("smp://{}@{hosts}", smp_crypto::base64url::encode(&[7; 32])).parse().unwrap(),
            )
        };
        for hosts in ["example.org", "a.example.org", "A.B.example.ORG.,x.onion", "10.0.0.1"] {
            assert!(is_own(hosts), "{hosts}");
        }
        for hosts in ["badexample.org", "example.org.evil", "other,example.org", "110.0.0.1", "org"] {
            assert!(!is_own(hosts), "{hosts}");
        }
        for text in ["", ".example.org", "*.example.org", "a b"] {
            assert!(DomainSuffix::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn modes_that_need_a_proxy_say_so() {
        let always = Proxy { socks_mode: SocksMode::Always, ..Proxy::default() };
        let onion = Proxy { host_mode: HostMode::Onion, ..Proxy::default() };
        for mut proxy in [always, onion] {
            assert!(proxy.validate().unwrap_err().to_string().contains("proxy.socks"));
            proxy.socks = SocksProxy::parse("127.0.0.1:9050").ok();
            assert!(proxy.validate().is_ok());
        }
    }
}
