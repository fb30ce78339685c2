//! The handshake: versions, identity, session keys, and what may follow a hello.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use smp_crypto::block_chain::BLOCK_SIZE;
use smp_protocol::command::Command;
use smp_protocol::encoding::{ShortString, to_bytes};
use smp_protocol::handshake::{ClientHello, RelayHello};
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;
use tokio_rustls::TlsConnector;

use super::client::{Auth, Client};
use super::wire::{Greeted, Introduction, Wire};
use super::{CheckResult, Context, Target, checks};

checks! { "handshake":
    6..=19 => the_version_is_offered_and_agreed,
    6..=19 => what_follows_a_hello_is_ignored,
    6..=19 => another_identity_is_refused,
    6..=19 => a_damaged_hello_is_refused,
    6..=6 => an_older_version_is_refused,
    6..=6 => a_newer_version_than_offered_is_refused,
    6..=6 => a_client_without_alpn_is_offered_version_6,
    7..=19 => a_client_without_key_has_unencrypted_blocks,
    14..=19 => a_proxy_has_unencrypted_blocks,
    6..=19 => a_closed_connection_does_not_disturb_others,
}

/// The session ID has been compared with `tls-unique`, and the signature of the relay's key verified, on the way.
async fn the_version_is_offered_and_agreed(context: &Context) -> CheckResult {
    let greeted = Greeted::connect(&context.target, None).await?;
    ensure!(greeted.hello.versions.contains(context.version), "only {:?} is offered", greeted.hello.versions);
    ensure!(greeted.hello.key.is_some(), "the relay sent no key, or one that cannot be read");
    let fingerprint = greeted.relay_chain.relay_fingerprint();
    ensure!(fingerprint == Some(context.target.address.fingerprint), "another relay");
    let mut client =
        Client::introduce(&context.target, greeted, &Introduction::client(context.version)).await?;
    client.expect_quiet().await
}

/// Later versions may have more fields.
async fn what_follows_a_hello_is_ignored(context: &Context) -> CheckResult {
    let mut greeted = Greeted::connect(&context.target, None).await?;
    let (hello, session) = greeted.answer(&context.target, &Introduction::client(context.version))?;
    let mut content = to_bytes(&hello);
    if context.version < SmpVersion::AUTH_COMMANDS {
        // Here a key would follow if there was one, so this must not look like one.
        content.push(0);
    }
    content.extend_from_slice(b"fields of the future");
    greeted.wire.write(&content).await?;
    Client::new(&context.target, greeted.into_wire(&session), session).expect_quiet().await
}

/// The relay closes without a word: it is not the one that the client means.
async fn another_identity_is_refused(context: &Context) -> CheckResult {
    let mut greeted = Greeted::connect(&context.target, None).await?;
    let (hello, _) = greeted.answer(&context.target, &Introduction::client(context.version))?;
    let mut fingerprint = context.target.address.fingerprint;
    fingerprint[31] ^= 1;
    greeted.introduce(&ClientHello { fingerprint: ShortString::from(fingerprint), ..hello }).await?;
    greeted.wire.expect_close().await
}

async fn a_damaged_hello_is_refused(context: &Context) -> CheckResult {
    let cut_in_fingerprint =
        [&to_bytes(&context.version)[..], &[32], &context.target.address.fingerprint[..31]].concat();
    for content in [&[][..], &[0], &cut_in_fingerprint] {
        let mut greeted = Greeted::connect(&context.target, None).await?;
        greeted.wire.write(content).await?;
        greeted.wire.expect_close().await.with_context(|| format!("{} bytes", content.len()))?;
    }
    // No padding has this length.
    let mut greeted = Greeted::connect(&context.target, None).await?;
    greeted.wire.write_raw(&[0xff; BLOCK_SIZE]).await?;
    greeted.wire.expect_close().await
}

async fn refuses_version(context: &Context, version: u16) -> CheckResult {
    let mut greeted = Greeted::connect(&context.target, None).await?;
    let (hello, _) = greeted.answer(&context.target, &Introduction::client(context.version))?;
    greeted.introduce(&ClientHello { version: SmpVersion(version), ..hello }).await?;
    greeted.wire.expect_close().await.with_context(|| format!("version {version}"))
}

async fn an_older_version_is_refused(context: &Context) -> CheckResult {
    let offered = Greeted::connect(&context.target, None).await?.hello.versions;
    for version in [0, offered.min().0.saturating_sub(1)] {
        refuses_version(context, version).await?;
    }
    Ok(())
}

async fn a_newer_version_than_offered_is_refused(context: &Context) -> CheckResult {
    let offered = Greeted::connect(&context.target, None).await?.hello.versions;
    for version in [offered.max().0.saturating_add(1), u16::MAX] {
        refuses_version(context, version).await?;
    }
    Ok(())
}

/// Without a key of the client nothing can be agreed: blocks are padded only, in all versions.
async fn a_client_without_key_has_unencrypted_blocks(context: &Context) -> CheckResult {
    let introduction = Introduction { with_key: false, ..Introduction::client(context.version) };
    let mut client = Client::connect_as(&context.target, &introduction).await?;
    client.queue().await?;
    client.expect_quiet().await
}

/// A proxy adds boxes of its own.
async fn a_proxy_has_unencrypted_blocks(context: &Context) -> CheckResult {
    let introduction = Introduction { proxy: true, ..Introduction::client(context.version) };
    let mut client = Client::connect_as(&context.target, &introduction).await?;
    client.expect_quiet().await
}

async fn a_closed_connection_does_not_disturb_others(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    // One that ends in the middle of the handshake, and one that ends in the middle of a block.
    drop(Greeted::connect(&context.target, None).await?);
    let mut other = context.connect().await?;
    other.wire.write_raw(&[0; 100]).await?;
    drop(other);
    client.expect_quiet().await
}

/// Such clients are from before there was ALPN, so that they speak version 6 and send no key.
async fn a_client_without_alpn_is_offered_version_6(context: &Context) -> CheckResult {
    let (mut wire, hello) = connect_without_alpn(&context.target).await?;
    let versions = (hello.versions.min(), hello.versions.max());
    ensure!(versions == (SmpVersion(6), SmpVersion(6)), "offered are {versions:?}");
    let answer = ClientHello {
        version: SmpVersion(6),
        fingerprint: ShortString::from(context.target.address.fingerprint),
        key: None,
        proxy: false,
        service: None,
    };
    wire.write(&to_bytes(&answer)).await?;
    let session = smp_protocol::session::AgreedSession {
        parameters: smp_protocol::session::SessionParameters { version: SmpVersion(6), id: hello.session_id },
        versions: hello.versions,
        proxy: false,
        secret: None,
        relay_key: None,
    };
    let mut client = Client::new(&context.target, wire, session);
    let pong = client.ask(Auth::None, [], &Command::Ping).await?;
    ensure!(pong == BrokerMessage::Pong, "PING was answered with {pong:?}");
    client.queue().await?;
    Ok(())
}

/// Our own TLS always offers ALPN, so this is a plain one. It does not know `tls-unique` and believes the relay.
async fn connect_without_alpn(target: &Target) -> Result<(Wire, RelayHello)> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    let name = ServerName::try_from("relay.invalid")?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, target.open().await?).await?;
    let mut wire = Wire::new(stream, target.timeout);
    let content = wire.read().await?.context("the relay closed instead of sending its hello")?;
    Ok((wire, RelayHello::read(&content)?))
}

/// Takes every certificate: the check is about what the relay offers.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519, SignatureScheme::ED448]
    }
}
