//! The interface for bots over TLS: a certificate that is renewed, tokens in URLs, files that cannot be used.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest as _};

use crate::bots::{Bot, Daemon};
use crate::common::{Person, TestRelay};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A certificate of its own in `NAME.crt`, and its key in `NAME.key`.
pub(crate) struct Certificate {
    pub(crate) files: [PathBuf; 2],
    der: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn write(folder: &Path, name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = ["crt", "key"].map(|end| folder.join(format!("{name}.{end}")));
        std::fs::write(&files[0], made.cert.pem()).unwrap();
        std::fs::write(&files[1], made.signing_key.serialize_pem()).unwrap();
        Self { files, der: made.cert.der().clone() }
    }

    pub(crate) fn args(&self) -> [&str; 4] {
        let [certificate, key] = self.files.each_ref().map(|file| file.to_str().unwrap());
        ["--bot-tls-certificate", certificate, "--bot-tls-key", key]
    }

    /// A client that trusts this certificate only.
    fn connect(
        &self,
        daemon: &Daemon,
        url: &str,
    ) -> Result<Bot<StreamOwned<ClientConnection, TcpStream>>, String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = StreamOwned::new(tls, TcpStream::connect(daemon.address()).unwrap());
        match tungstenite::client(url.into_client_request().unwrap(), stream) {
            Ok((socket, _)) => Ok(Bot::new(socket)),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[test]
fn bots_on_other_machines_are_served_with_tls() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let owner = Person::create("bot", folder.path().join("bot"), &relay);
    let (token, first) = (folder.path().join("token"), Certificate::write(folder.path(), "first"));
    std::fs::write(&token, TOKEN).unwrap();
    let args = [&first.args()[..], &["--bot-token-file", token.to_str().unwrap()]].concat();
    let daemon = Daemon::start(&owner, &args);
    let url = format!("wss://localhost/?token={TOKEN}");
    let mut early = first.connect(&daemon, &url).unwrap();
    assert_eq!(early.ok("/v", "versionInfo")["versionInfo"]["version"], "7.0.0.0");
    assert!(first.connect(&daemon, "wss://localhost/").err().unwrap().contains("401"));
    // One that does not speak TLS learns nothing, and is in nobody's way.
    let plain = tungstenite::client("ws://localhost/", TcpStream::connect(daemon.address()).unwrap());
    assert!(plain.is_err());
    // Renewed, the certificate first: until its key is there, that of before goes on.
    let other = Certificate::write(folder.path(), "other");
    std::fs::copy(&other.files[0], &first.files[0]).unwrap();
    assert!(other.connect(&daemon, &url).is_err());
    first.connect(&daemon, &url).unwrap().ok("/u", "activeUser");
    std::fs::copy(&other.files[1], &first.files[1]).unwrap();
    other.connect(&daemon, &url).unwrap().ok("/u", "activeUser");
    assert!(first.connect(&daemon, &url).is_err());
    early.ok("/u", "activeUser");
}

#[test]
fn certificates_that_cannot_be_used_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let owner = Person::create("bot", folder.path().join("bot"), &relay);
    let (one, other) = (Certificate::write(folder.path(), "one"), Certificate::write(folder.path(), "other"));
    let [certificate, key] = one.files.each_ref().map(|file| file.to_str().unwrap());
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    for (certificate, key, said) in [
        (missing, key, format!("{missing} cannot be read")),
        (certificate, missing, format!("{missing} cannot be read")),
        (key, key, format!("{key} has no certificate in PEM")),
        (certificate, certificate, format!("{certificate} has no private key in PEM")),
        (certificate, other.files[1].to_str().unwrap(), "cannot be used together".to_owned()),
    ] {
        let args = ["daemon", "--bot-api", "0", "--bot-tls-certificate", certificate, "--bot-tls-key", key];
        let (code, sentence) = owner.refused(&args);
        assert!(code == 1 && sentence.contains(&said), "{sentence}");
    }
    let (code, sentence) = owner.refused(&["daemon", "--bot-api", "0", "--bot-tls-certificate", certificate]);
    assert!(code == 2 && sentence.contains("--bot-tls-key"), "{sentence}");
}

#[test]
fn an_address_that_others_reach_unencrypted_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let owner = Person::create("bot", folder.path().join("bot"), &relay);
    let mut command = owner.command(&["--json", "daemon", "--bot-api", "0.0.0.0:0"]);
    let mut child = command.env("SMP_BOT_TOKEN", TOKEN).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut objects = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let said = objects.find(|object| object["event"] == "unencrypted").unwrap();
    assert!(said["bots"][0].as_str().unwrap().starts_with("ws://0.0.0.0:"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
}
