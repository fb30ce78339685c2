//! Settings of the interface for bots, from arguments and variables.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

use crate::args::BotArgs;
use crate::bot_api::{Settings, TlsFiles};

/// The variable that may have the token.
const TOKEN: &str = "SMP_BOT_TOKEN";
/// Shortest token in characters.
const MIN_TOKEN: usize = 16;

/// The settings; none if there is to be no interface.
pub(super) fn of(args: BotArgs) -> anyhow::Result<Option<Settings>> {
    if args.bot_api.is_none() && args.bot_socket.is_none() {
        return Ok(None);
    }
    let addresses = args.bot_api.as_deref().map(addresses).transpose()?.unwrap_or_default();
    let text = match &args.bot_token_file {
        Some(file) => {
            let text = std::fs::read_to_string(file).map(Zeroizing::new);
            Some(text.with_context(|| format!("{} cannot be read", file.display()))?)
        }
        None => std::env::var(TOKEN).ok().map(Zeroizing::new),
    };
    let token = text.map(|text| Zeroizing::new(text.lines().next().unwrap_or_default().trim().to_owned()));
    if token.as_ref().is_some_and(|token| token.len() < MIN_TOKEN) {
        bail!("A token has at least {MIN_TOKEN} characters, all of them random: openssl rand -hex 32");
    }
    let tls = args.bot_tls_certificate.zip(args.bot_tls_key);
    let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
    Ok(Some(Settings { addresses, socket: args.bot_socket, token, tls, version: args.bot_version }))
}

/// The addresses that are meant: this machine has two.
fn addresses(text: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let local = |port| {
        [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()]
            .map(|ip| SocketAddr::new(ip, port))
            .to_vec()
    };
    let port = text.strip_prefix("localhost:").unwrap_or(text).parse();
    match (port, text.parse::<SocketAddr>()) {
        (Ok(port), _) => Ok(local(port)),
        (_, Ok(address)) if address.ip() == Ipv4Addr::LOCALHOST => Ok(local(address.port())),
        (_, Ok(address)) => Ok(vec![address]),
        _ => bail!("“{text}” is no address: --bot-api takes a port (5225), localhost:5225 or 127.0.0.1:5225"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_two_addresses() {
        for text in ["5225", "localhost:5225", "127.0.0.1:5225"] {
            let addresses = addresses(text).unwrap();
            assert_eq!(
                addresses,
                ["127.0.0.1:5225".parse().unwrap(), "[::1]:5225".parse().unwrap()],
                "{text}"
            );
        }
        assert_eq!(addresses("[::1]:1").unwrap(), ["[::1]:1".parse().unwrap()]);
        for text in ["", "x", "localhost", "1.2.3.4", "70000"] {
            assert!(addresses(text).is_err(), "{text}");
        }
    }
}
