//! `NetworkChoice`: how relays are reached, by the settings of an identity and by the options of one run.

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use smp_agent::{MessageRouting, NetworkSettings, OnionHosts, RoutingFallback, SocksSettings};
use smp_transport::dial::Isolation;

/// The ways that are chosen; others are as the settings say, or by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkChoice {
    /// Reach relays through this SOCKS5 proxy, that of Tor for instance: socks5://127.0.0.1:9050; `none`: directly.
    #[arg(long, global = true, value_name = "URL", value_parser = proxy_url)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proxy: Option<String>,
    /// Use onion hosts of relays only, which needs a proxy; or `=preferred`, or `=as-listed`.
    #[arg(long, global = true, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "required")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) onion: Option<Onion>,
    /// When messages go through another relay of yours, so that the contact's relay does not see your network address.
    #[arg(long, global = true, value_name = "WHEN")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) via: Option<Via>,
    /// When messages go directly that should go through another relay of yours, and none of them passes them on.
    #[arg(long, global = true, value_name = "WHEN")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) via_fallback: Option<ViaFallback>,
}

/// The onion hosts of relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Onion {
    /// All hosts that can be reached, in the order of the address.
    AsListed,
    /// Onion hosts first.
    Preferred,
    /// Onion hosts only.
    Required,
}

/// When messages go through another relay of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Via {
    /// Never.
    Never,
    /// To relays that are not yours, unless the proxy hides your address from them.
    Unprotected,
    /// To relays that are not yours.
    Unknown,
    /// To all relays.
    Always,
}

/// When messages go directly that cannot go through another relay of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ViaFallback {
    /// Never: they wait.
    Never,
    /// If the proxy hides your address from the contact's relay.
    Protected,
    /// Always: the contact's relay then sees your address.
    Always,
}

impl NetworkChoice {
    /// Whether nothing is chosen.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The choice made here, and the other one where there is none.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            proxy: self.proxy.or(other.proxy),
            onion: self.onion.or(other.onion),
            via: self.via.or(other.via),
            via_fallback: self.via_fallback.or(other.via_fallback),
        }
    }

    /// The agent's settings.
    pub(crate) fn settings(&self) -> anyhow::Result<NetworkSettings> {
        let mut settings = NetworkSettings::default();
        settings.socks = match self.proxy.as_deref() {
            Some(url) => proxy(url)?.map(SocksSettings::new),
            None => None,
        };
        settings.onion = match self.onion {
            None | Some(Onion::AsListed) => OnionHosts::AsListed,
            Some(Onion::Preferred) => OnionHosts::Preferred,
            Some(Onion::Required) => OnionHosts::Required,
        };
        settings.routing = match self.via {
            None | Some(Via::Never) => MessageRouting::Never,
            Some(Via::Unprotected) => MessageRouting::Unprotected,
            Some(Via::Unknown) => MessageRouting::Unknown,
            Some(Via::Always) => MessageRouting::Always,
        };
        settings.fallback = match self.via_fallback {
            None | Some(ViaFallback::Never) => RoutingFallback::Wait,
            Some(ViaFallback::Protected) => RoutingFallback::IfProtected,
            Some(ViaFallback::Always) => RoutingFallback::Direct,
        };
        if settings.onion != OnionHosts::AsListed && settings.socks.is_none() {
            bail!(
                "Onion hosts are reached through Tor only; say where it is: --proxy socks5://127.0.0.1:9050"
            );
        }
        Ok(settings)
    }
}

/// A circuit of its own through Tor: the relay does not learn that it is the identity that asks.
pub(crate) fn isolation() -> Option<Isolation> {
    let [user, password]: [u64; 2] = rand::random();
    Isolation::new(format!("{user:016x}"), format!("{password:016x}")).ok()
}

/// The `host:port` of a proxy; None for none.
fn proxy(url: &str) -> anyhow::Result<Option<String>> {
    if url == "none" {
        return Ok(None);
    }
    let place = url.strip_prefix("socks5://").or_else(|| url.strip_prefix("socks5h://"));
    let place = place.map(|place| place.strip_suffix('/').unwrap_or(place));
    let is_place = |place: &&str| {
        let (host, port) = place.rsplit_once(':').unwrap_or_default();
        let is_host = !host.is_empty() && !host.contains(['/', '@', ' ']);
        is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    match place.filter(is_place) {
        Some(place) => Ok(Some(place.to_owned())),
        None => bail!(
            "a proxy is socks5://HOST:PORT, or none; names and passwords in it are chosen by this program"
        ),
    }
}

fn proxy_url(url: &str) -> Result<String, String> {
    proxy(url).map(|_| url.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_hosts_with_ports() {
        for (url, place) in [
            ("socks5://127.0.0.1:9050", Some("127.0.0.1:9050")),
            ("socks5h://tor:9050/", Some("tor:9050")),
            ("socks5://[::1]:9050", Some("[::1]:9050")),
            ("none", None),
        ] {
            assert_eq!(proxy(url).unwrap().as_deref(), place, "{url}");
        }
        for url in [
            "",
            "127.0.0.1:9050",
            "http://a:1",
            "socks5://a",
            "socks5://a:0",
            "socks5://a:99999",
            "socks5://u:p@a:1",
        ] {
            assert!(proxy(url).is_err(), "{url}");
        }
    }

    #[test]
    fn options_replace_settings_one_by_one() {
        let choice = |proxy: Option<&str>, via| NetworkChoice {
            proxy: proxy.map(str::to_owned),
            via,
            ..NetworkChoice::default()
        };
        let settings = choice(Some("socks5://a:1"), Some(Via::Always));
        let run = choice(None, Some(Via::Never)).or(settings.clone());
        assert_eq!(run, choice(Some("socks5://a:1"), Some(Via::Never)));
        assert!(choice(Some("none"), None).or(settings).settings().unwrap().socks.is_none());
        let onion = NetworkChoice { onion: Some(Onion::Required), ..NetworkChoice::default() };
        assert!(onion.settings().is_err());
        assert!(onion.or(choice(Some("socks5://a:1"), None)).settings().is_ok());
    }

    #[test]
    fn messages_wait_for_a_relay_of_ours_unless_they_may_go_directly() {
        let chosen = |via_fallback| NetworkChoice { via_fallback, ..NetworkChoice::default() };
        let never = chosen(Some(ViaFallback::Never));
        for (choice, fallback) in [
            (chosen(None), RoutingFallback::Wait),
            (chosen(Some(ViaFallback::Protected)), RoutingFallback::IfProtected),
            (chosen(Some(ViaFallback::Always)), RoutingFallback::Direct),
            (never.or(chosen(Some(ViaFallback::Always))), RoutingFallback::Wait),
        ] {
            assert_eq!(choice.settings().unwrap().fallback, fallback, "{choice:?}");
        }
    }
}
