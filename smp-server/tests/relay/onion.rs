//! Relays that are reached through a SOCKS5 proxy, and relays of the same operator.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use smp_protocol::{
    address::RelayAddress,
    encoding::NonEmpty,
    error::{BrokerErrorType, NetworkError, ProxyError},
    id::EntityId,
    message::BrokerMessage,
};
use smp_server::config::{Config, DomainSuffix, HostMode, SocksMode, SocksProxy};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{
    metrics::{get, number},
    proxying::{pfwd, proxy_error, prxy},
    support::{TestRelay, relay, relay_with, send},
};

const ONION: &str = "abcdefghij234567.onion";
const NETWORK: ProxyError = ProxyError::Broker(BrokerErrorType::Network(NetworkError::Failed));

/// Behaviour of a SOCKS5 proxy.
#[derive(Clone, Copy)]
enum Manner {
    /// Connects to this address, whatever it is asked for.
    ConnectTo(SocketAddr),
    /// Answers that the host is unreachable.
    Refuse,
    /// Wants a password.
    WantPassword,
    /// Never says anything.
    Hang,
    /// Answers the greeting, then says nothing more.
    HangLater,
}

/// A SOCKS5 proxy, and what it was asked to connect to: names, never addresses that somebody looked up before.
struct SocksServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl SocksServer {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let log = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manner, log.clone()));
            }
        });
        Self { address, asked }
    }

    fn setting(&self) -> Option<SocksProxy> {
        SocksProxy::parse(&self.address.to_string()).ok()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    let mut methods = vec![0; head[1].into()];
    stream.read_exact(&mut methods).await.unwrap();
    assert!(head[0] == 5 && methods.contains(&0));
    match manner {
        Manner::Hang => return std::future::pending().await,
        Manner::WantPassword => return drop(stream.write_all(&[5, 0xff]).await),
        _ => stream.write_all(&[5, 0]).await.unwrap(),
    }
    let mut request = [0; 5];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(request[..4], [5, 1, 0, 3], "CONNECT to a name");
    let mut name = vec![0; usize::from(request[4]) + 2];
    stream.read_exact(&mut name).await.unwrap();
    let port = u16::from_be_bytes([name[name.len() - 2], name[name.len() - 1]]);
    let name = String::from_utf8_lossy(&name[..name.len() - 2]).into_owned();
    asked.lock().unwrap().push(format!("{name}:{port}"));
    match manner {
        Manner::ConnectTo(address) => {
            let mut relay = TcpStream::connect(address).await.unwrap();
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut relay).await;
        }
        Manner::HangLater => std::future::pending().await,
        // Host unreachable.
        _ => stream.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap(),
    }
}

/// The address of a relay with other hosts.
fn at(relay: &TestRelay, hosts: &[&str], port: Option<u16>) -> RelayAddress {
    let hosts = NonEmpty::new(hosts.iter().map(|host| host.parse().unwrap()).collect()).unwrap();
    RelayAddress { hosts, port, ..relay.running.address().clone() }
}

async fn proxy_through(socks: &SocksServer, change: impl FnOnce(&mut Config)) -> TestRelay {
    relay_with(|config| {
        config.proxy.socks = socks.setting();
        change(config);
    })
    .await
}

#[tokio::test]
async fn a_message_reaches_a_relay_that_has_only_an_onion_host() {
    let destination = relay().await;
    let socks = SocksServer::start(Manner::ConnectTo(destination.running.local_addrs()[0])).await;
    let proxy = proxy_through(&socks, |_| {}).await;
    let (mut alice, bob) = (destination.client().await, proxy.client().await);
    let queue = alice.queue().await;
    let session = prxy(&bob, &at(&destination, &[ONION], None), None).await.unwrap();
    assert_eq!(socks.asked(), [format!("{ONION}:5223")]);
    let answer = pfwd(&bob, &session, None, queue.sender(), send(b"through Tor")).await.unwrap();
    assert_eq!(answer, BrokerMessage::Ok);
    assert_eq!(alice.message(&queue).await.1, b"through Tor");
}

#[tokio::test]
async fn only_onion_hosts_go_through_the_socks_proxy_unless_it_is_said() {
    let destination = relay().await;
    let local = destination.running.local_addrs()[0];
    let socks = SocksServer::start(Manner::ConnectTo(local)).await;
    let both = at(&destination, &[ONION, "127.0.0.1"], Some(local.port()));
    let proxy = proxy_through(&socks, |_| {}).await;
    prxy(&proxy.client().await, &both, None).await.unwrap();
    assert!(socks.asked().is_empty(), "there is a direct way");
    // Nobody listens on port 1.
    let absent = at(&destination, &["127.0.0.1", ONION], Some(1));
    prxy(&proxy.client().await, &absent, None).await.unwrap();
    assert_eq!(socks.asked(), [format!("{ONION}:1")], "the next host");

    let onion = proxy_through(&socks, |config| config.proxy.host_mode = HostMode::Onion).await;
    prxy(&onion.client().await, &both, None).await.unwrap();
    assert_eq!(socks.asked().len(), 2);
    // A name that exists nowhere: it is not looked up here.
    let always = proxy_through(&socks, |config| config.proxy.socks_mode = SocksMode::Always).await;
    prxy(&always.client().await, &at(&destination, &["relay.invalid"], Some(7)), None).await.unwrap();
    assert_eq!(socks.asked()[2], "relay.invalid:7");
}

#[tokio::test]
async fn hosts_that_are_not_wanted_are_refused() {
    let destination = relay().await;
    let socks = SocksServer::start(Manner::ConnectTo(destination.running.local_addrs()[0])).await;
    let public = proxy_through(&socks, |config| config.proxy.required_host_mode = true).await;
    let answer = prxy(&public.client().await, &at(&destination, &[ONION], None), None).await;
    assert_eq!(proxy_error(answer), ProxyError::Broker(BrokerErrorType::Host));
    let onion = proxy_through(&socks, |config| {
        config.proxy.required_host_mode = true;
        config.proxy.host_mode = HostMode::Onion;
    })
    .await;
    let answer = prxy(&onion.client().await, destination.running.address(), None).await;
    assert_eq!(proxy_error(answer), ProxyError::Broker(BrokerErrorType::Host));
    assert!(socks.asked().is_empty());
}

#[tokio::test]
async fn a_socks_proxy_that_refuses_is_a_network_that_fails() {
    let destination = relay().await;
    for manner in [Manner::Refuse, Manner::WantPassword] {
        let socks = SocksServer::start(manner).await;
        let proxy = proxy_through(&socks, |_| {}).await;
        let answer = prxy(&proxy.client().await, &at(&destination, &[ONION], None), None).await;
        assert_eq!(proxy_error(answer), NETWORK);
    }
    let absent = relay_with(|config| config.proxy.socks = SocksProxy::parse("127.0.0.1:1").ok()).await;
    let answer = prxy(&absent.client().await, &at(&destination, &[ONION], None), None).await;
    assert_eq!(proxy_error(answer), NETWORK);
}

#[tokio::test]
async fn a_socks_proxy_that_hangs_is_waited_for_no_longer_than_the_timeout() {
    let destination = relay().await;
    for manner in [Manner::Hang, Manner::HangLater] {
        let socks = SocksServer::start(manner).await;
        let proxy = proxy_through(&socks, |config| config.proxy.timeout = Duration::from_millis(400)).await;
        let client = proxy.client().await;
        let start = Instant::now();
        let answer = prxy(&client, &at(&destination, &[ONION], None), None).await;
        assert_eq!(proxy_error(answer), ProxyError::Broker(BrokerErrorType::Timeout));
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn own_relays_are_counted_apart_and_not_named() {
    let (own, other) = (relay().await, relay().await);
    let proxy = relay_with(|config| {
        config.metrics.listen = Some("127.0.0.1:0".parse().unwrap());
        config.proxy.own_domains = vec![DomainSuffix::parse("localhost").unwrap()];
    })
    .await;
    let client = proxy.client().await;
    let port = own.running.address().port;
    let to_own = prxy(&client, &at(&own, &["localhost"], port), None).await.unwrap();
    let to_other = prxy(&client, other.running.address(), None).await.unwrap();
    for _ in 0..2 {
        pfwd(&client, &to_own, None, EntityId::from([1; 24]), send(b"")).await.unwrap();
    }
    pfwd(&client, &to_other, None, EntityId::from([1; 24]), send(b"")).await.unwrap();
    assert_eq!(proxy_error(prxy(&client, &at(&own, &["localhost"], Some(1)), None).await), NETWORK);
    let onion = prxy(&client, &at(&other, &[ONION], None), None).await;
    assert_eq!(proxy_error(onion), ProxyError::Broker(BrokerErrorType::Host));

    let text = get(proxy.running.metrics_addr().unwrap(), "GET /metrics").await;
    for (name, relay, outcome, expected) in [
        ("sessions", "own", "ok", 1.0),
        ("sessions", "own", "unreachable", 1.0),
        ("sessions", "other", "ok", 1.0),
        ("sessions", "other", "unreachable", 1.0),
        ("commands", "own", "ok", 2.0),
        ("commands", "other", "ok", 1.0),
    ] {
        let name = format!("smp_server_proxy_{name}_total{{relay=\"{relay}\",outcome=\"{outcome}\"}} ");
        assert_eq!(number(&text, &name), expected, "{name}");
    }
    assert!(!text.contains("localhost") && !text.contains("onion"), "{text}");
}
