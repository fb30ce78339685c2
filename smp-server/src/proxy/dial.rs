//! Connections to other relays, but not to anything else in the networks of this one.

use std::time::Duration;

use smp_protocol::{
    address::{Host, RelayAddress},
    encoding::NonEmpty,
};
use smp_transport::{
    client::{ClientConfig, ClientError, RelayClient, RelayEvents},
    dial::{Dialler, SocksError},
    surroundings::Surroundings,
};
use tokio::time::timeout;

use super::reach::Reach;
use crate::config::{self, HostMode};

/// Connects to the first host of the address that works.
///
/// # Errors
///
/// [`ClientError::NotAllowed`] and [`ClientError::OnionOnly`] if it has none that this relay may connect to.
pub(super) async fn dial(
    address: &RelayAddress,
    settings: &config::Proxy,
    reach: &Reach,
    surroundings: &Surroundings,
) -> Result<(RelayClient, RelayEvents), ClientError> {
    let connected = timeout(settings.timeout, connect(address, settings, reach, surroundings)).await;
    connected.unwrap_or(Err(ClientError::Timeout(settings.timeout)))
}

async fn connect(
    address: &RelayAddress,
    settings: &config::Proxy,
    reach: &Reach,
    surroundings: &Surroundings,
) -> Result<(RelayClient, RelayEvents), ClientError> {
    if let Some(listener) = reach.own_listener(address) {
        let stream = surroundings
            .network
            .connect(listener)
            .await
            .map_err(|error| ClientError::Connection(error.into()))?;
        let config = client_config(settings.timeout, Dialler::default(), surroundings);
        return RelayClient::connect_over(stream, address.fingerprint, config).await;
    }
    let hosts = NonEmpty::new(hosts(address, settings)).ok_or(ClientError::NotAllowed)?;
    let address = RelayAddress { hosts, ..address.clone() };
    let (dialler, refused) = reach.dialler(settings).await;
    let result = RelayClient::connect(&address, client_config(settings.timeout, dialler, surroundings)).await;
    match &result {
        Err(ClientError::NotAllowed) => refused.complain(surroundings.time.monotonic()),
        Err(error) => complain(reach, error),
        Ok(_) => {}
    }
    result
}

/// Tells the operator what lies on this side. Clients learn nothing of it, and the relay that was asked for is nobody's business.
fn complain(reach: &Reach, error: &ClientError) {
    if let ClientError::Unreachable(attempts) = error {
        let errors = attempts.iter().map(|attempt| &*attempt.error);
        errors.filter_map(socks_unreachable).for_each(|error| reach.complain_of_socks(error));
    }
    if let Some(advice) = error.own_advice() {
        reach.complain_of_this_machine(advice);
    }
}

fn socks_unreachable(error: &ClientError) -> Option<&SocksError> {
    match error {
        ClientError::Socks(error @ SocksError::Unreachable(..)) => Some(error),
        _ => None,
    }
}

/// The hosts that may be tried, in this order.
fn hosts(address: &RelayAddress, settings: &config::Proxy) -> Vec<Host> {
    let onions_first = settings.host_mode == HostMode::Onion;
    let (mut hosts, others): (Vec<_>, Vec<_>) =
        address.hosts.iter().cloned().partition(|host| host.is_onion() == onions_first);
    if !settings.required_host_mode {
        hosts.extend(others);
    }
    hosts
}

fn client_config(timeout: Duration, dialler: Dialler, surroundings: &Surroundings) -> ClientConfig {
    ClientConfig {
        surroundings: surroundings.clone(),
        dialler,
        proxy: true,
        response_timeout: timeout,
        connect_timeout: timeout,
        ..ClientConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        net::SocketAddr,
        sync::{Arc, Mutex},
    };

    use smp_transport::surroundings::{BoxedStream, Network, Pending};

    use super::*;
    use crate::sync::lock;

    /// A network that fails in one way.
    struct Fails(io::ErrorKind);

    impl Network for Fails {
        fn look_up<'a>(&'a self, _: &'a str, port: u16) -> Pending<'a, Vec<SocketAddr>> {
            Box::pin(async move { Ok(vec![([8, 8, 8, 8], port).into()]) })
        }

        fn connect(&self, _: SocketAddr) -> Pending<'_, BoxedStream> {
            let error = self.0.into();
            Box::pin(async move { Err(error) })
        }
    }

    /// The words for the log.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The log of three attempts to reach a relay.
    async fn log_of(kind: io::ErrorKind) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _logging = tracing::subscriber::set_default(subscriber);
        let surroundings = Surroundings { network: Arc::new(Fails(kind)), ..Surroundings::machine() };
        let (reach, settings) = (Reach::new(surroundings.clone()), config::Proxy::default());
        let key = smp_crypto::base64url::encode(&[7; 32]);
        let address = format!("smp://{key}@relay.example").parse().unwrap();
        for _ in 0..3 {
            let error = dial(&address, &settings, &reach, &surroundings).await.err().unwrap();
            assert!(matches!(error, ClientError::Unreachable(_)), "{error}");
        }
        let bytes = lock(&log.0).clone();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn the_operator_is_told_once_what_lies_on_this_side() {
        let log = log_of(io::ErrorKind::NetworkUnreachable).await;
        assert_eq!(log.matches("check the network of this machine").count(), 1, "{log}");
        assert!(!log.contains("relay.example") && !log.contains("8.8.8.8"), "{log}");
        // That is the other relay's.
        assert_eq!(log_of(io::ErrorKind::ConnectionRefused).await, "");
    }

    fn tried(settings: &config::Proxy, hosts_: &str) -> Vec<String> {
        let address = format!("smp://{}@{hosts_}", smp_crypto::base64url::encode(&[7; 32])).parse().unwrap();
        hosts(&address, settings).iter().map(Host::to_string).collect()
    }

    #[test]
    fn hosts_are_tried_as_the_settings_say() {
        let public = config::Proxy::default();
        assert_eq!(tried(&public, "a.onion,b"), ["b", "a.onion"]);
        let onion = config::Proxy { host_mode: HostMode::Onion, ..public.clone() };
        assert_eq!(tried(&onion, "b,a.onion"), ["a.onion", "b"]);
        let required = config::Proxy { required_host_mode: true, ..onion };
        assert_eq!(tried(&required, "b,a.onion"), ["a.onion"]);
        assert_eq!(tried(&required, "b"), [""; 0]);
        let public = config::Proxy { required_host_mode: true, ..public };
        assert_eq!(tried(&public, "a.onion"), [""; 0]);
    }
}
