//! Our TLS against an independent implementation: OpenSSL, through Python's `ssl` module.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use smp_transport::connection::{AcceptorSettings, ConnectionError, RelayAcceptor};
use smp_transport::identity::{CertificateAuthority, KeyAlgorithm, RelayIdentity, files};
use smp_transport::surroundings::Time;
use smp_transport::tls::{TlsClient, TlsServer};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls_peer.py");
const ALGORITHMS: [KeyAlgorithm; 2] = [KeyAlgorithm::Ed25519, KeyAlgorithm::Ed448];
/// The last one is all that OpenSSL has, X25519 first: that takes another round trip.
const GROUPS: [&str; 3] = ["X448", "X25519", "-"];

/// Whether there is an independent implementation to test against; says so if not.
fn have_python() -> bool {
    let check = "import ssl; assert 'tls-unique' in ssl.CHANNEL_BINDING_TYPES and ssl.HAS_TLSv1_3";
    let status = Command::new("python3").args(["-c", check]).stderr(Stdio::null()).status();
    let usable = status.is_ok_and(|status| status.success());
    if !usable {
        println!("skipped: there is no python3 with TLS 1.3 on this machine");
    }
    usable
}

struct OnDisk {
    identity: RelayIdentity,
    directory: TempDir,
}

impl OnDisk {
    fn new(ca: KeyAlgorithm, leaf: KeyAlgorithm) -> Self {
        let (now, directory) = (OffsetDateTime::now_utc(), tempfile::tempdir().unwrap());
        let authority = CertificateAuthority::generate(ca, now, &mut rand::rng());
        let identity = authority.issue("localhost", leaf, now, &mut rand::rng()).unwrap();
        files::create(directory.path(), &authority, &identity).unwrap();
        let pem = |name| std::fs::read_to_string(directory.path().join(name)).unwrap();
        let chain = pem(files::SERVER_CERTIFICATE) + &pem(files::CA_CERTIFICATE);
        std::fs::write(directory.path().join("chain.pem"), chain).unwrap();
        Self { identity, directory }
    }

    fn chain(&self) -> PathBuf {
        self.directory.path().join("chain.pem")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join(files::SERVER_KEY)
    }
}

fn peer(arguments: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new("python3");
    command.arg(PEER).args(arguments).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

fn facts(text: &str) -> HashMap<&str, &str> {
    text.lines().filter_map(|line| line.rsplit_once(' ')).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn check_negotiated(facts: &HashMap<&str, &str>) {
    assert_eq!(facts["version"], "TLSv1.3");
    assert_eq!(facts["cipher"], "TLS_CHACHA20_POLY1305_SHA256");
    assert_eq!(facts["reused"], "False");
}

/// An OpenSSL client at our server: what it reports, our session ID and the certificates that we saw of it.
async fn openssl_client(server: &TlsServer, arguments: &[&str]) -> (HashMap<String, String>, String, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let command = [&["client", &port], arguments].concat();
    let child = peer(&command).spawn().unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let session = server.accept(stream).await.unwrap();
    let (id, certificates) = (hex::encode(session.session_id()), session.peer_chain().len());
    let mut stream = session.into_stream();
    let mut ping = [0; 4];
    stream.read_exact(&mut ping).await.unwrap();
    stream.write_all(b"pong").await.unwrap();
    stream.flush().await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let facts = facts(&text).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    (facts, id, certificates)
}

fn borrowed(facts: &HashMap<String, String>) -> HashMap<&str, &str> {
    facts.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_with_openssl_clients() {
    if !have_python() {
        return;
    }
    let mut compared = 0;
    for ca in ALGORITHMS {
        for leaf in ALGORITHMS {
            let relay = OnDisk::new(ca, leaf);
            let server = TlsServer::new(&relay.identity, Time::machine()).unwrap();
            for group in GROUPS {
                for (offered, agreed) in [("smp/1", "smp/1"), ("http/1.1", "http/1.1"), ("-", "None")] {
                    let (facts, id, certificates) = openssl_client(&server, &[group, offered]).await;
                    check_negotiated(&borrowed(&facts));
                    assert_eq!(facts["alpn"], agreed);
                    assert_eq!(facts["tls-unique"], id, "{ca:?} {leaf:?} {group}");
                    assert_eq!(facts["peer"], hex::encode(&relay.identity.chain()[0]));
                    assert_eq!(certificates, 0);
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} sessions with OpenSSL clients: session IDs equal tls-unique");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_with_an_openssl_service() {
    if !have_python() {
        return;
    }
    let (relay, service) = (
        OnDisk::new(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519),
        OnDisk::new(KeyAlgorithm::Ed448, KeyAlgorithm::Ed25519),
    );
    let server = TlsServer::new(&relay.identity, Time::machine()).unwrap();
    let arguments = ["X448", "smp/1", path(&service.chain()), path(&service.key())].map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (facts, id, certificates) = openssl_client(&server, &arguments).await;
    assert_eq!(facts["tls-unique"], id);
    assert_eq!(certificates, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_with_openssl_servers() {
    if !have_python() {
        return;
    }
    let mut compared = 0;
    for ca in ALGORITHMS {
        for leaf in ALGORITHMS {
            let relay = OnDisk::new(ca, leaf);
            let client = TlsClient::new(relay.identity.fingerprint(), None, Time::machine()).unwrap();
            for group in GROUPS {
                let (chain, key) = (relay.chain(), relay.key());
                let mut child = peer(&["server", path(&chain), path(&key), group]).spawn().unwrap();
                let mut output = BufReader::new(child.stdout.take().unwrap());
                let mut line = String::new();
                output.read_line(&mut line).await.unwrap();
                let port: u16 = line.trim().strip_prefix("port ").unwrap().parse().unwrap();

                let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let session = client.connect(stream).await.unwrap();
                let id = hex::encode(session.session_id());
                assert_eq!(session.peer_chain(), relay.identity.chain());
                let mut stream = session.into_stream();
                stream.write_all(b"ping").await.unwrap();
                stream.flush().await.unwrap();
                let mut pong = [0; 4];
                stream.read_exact(&mut pong).await.unwrap();

                let mut text = String::new();
                output.read_to_string(&mut text).await.unwrap();
                assert!(child.wait().await.unwrap().success());
                let facts = facts(&text);
                check_negotiated(&facts);
                assert_eq!(facts["alpn"], "smp/1");
                assert_eq!(facts["tls-unique"], id, "{ca:?} {leaf:?} {group}");
                assert_eq!(facts["names"], "none", "no name is sent");
                compared += 1;
            }
        }
    }
    println!("{compared} sessions with OpenSSL servers: session IDs equal tls-unique");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_relay_says_hello_to_openssl_clients() {
    if !have_python() {
        return;
    }
    let relay = OnDisk::new(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    let acceptor = RelayAcceptor::new(&relay.identity, AcceptorSettings::default()).unwrap();
    for (offered, versions) in [("smp/1", "6-19"), ("http/1.1", "6-19"), ("-", "6-6")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let child = peer(&["hello", &port, "X448", offered]).spawn().unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let left = acceptor.accept(stream).await.unwrap_err();
        assert!(matches!(left, ConnectionError::Closed), "{left}");
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let facts = facts(&text);
        assert_eq!(facts["versions"], versions, "{offered}");
        assert_eq!(facts["session"], facts["tls-unique"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_openssl_clients_at_once() {
    const CLIENTS: usize = 12;
    if !have_python() {
        return;
    }
    let relay = OnDisk::new(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519);
    let server = TlsServer::new(&relay.identity, Time::machine()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let server = server.clone();
        tasks.spawn(async move {
            let (facts, id, _) = openssl_client(&server, &[GROUPS[number % 3], "smp/1"]).await;
            assert_eq!(facts["tls-unique"], id);
        });
    }
    tasks.join_all().await;
    println!("{CLIENTS} interleaved handshakes with OpenSSL clients: session IDs equal tls-unique");
}
