//! TLS, handshake and blocks, with nothing hidden: a hello can be anything, and so can a block.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use smp_crypto::block_chain::{self, BLOCK_SIZE, Block, OpeningChain, SealingChain};
use smp_crypto::{Ed25519PrivateKey, X25519PrivateKey};
use smp_protocol::certificate::CertificateChain;
use smp_protocol::encoding::to_bytes;
use smp_protocol::handshake::client::{self, ServiceCredentials};
use smp_protocol::handshake::{ClientHello, RelayHello, ServiceRole};
use smp_protocol::id::SessionId;
use smp_protocol::session::AgreedSession;
use smp_protocol::version::{SmpVersion, VersionRange};
use smp_transport::identity::RelayIdentity;
use smp_transport::surroundings::Time;
use smp_transport::tls::TlsClient;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::target::Target;

/// A stream inside TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Blocks over TLS.
pub(crate) struct Wire {
    stream: Pin<Box<dyn Stream>>,
    sealing: Option<SealingChain>,
    opening: Option<OpeningChain>,
    timeout: Duration,
}

/// A connection with the relay's hello, which has not been answered.
pub(crate) struct Greeted {
    pub(crate) wire: Wire,
    pub(crate) hello: RelayHello,
    pub(crate) session_id: SessionId,
    pub(crate) relay_chain: CertificateChain,
}

/// How a client presents itself.
pub(crate) struct Introduction<'a> {
    pub(crate) version: SmpVersion,
    /// Whether to send a session key.
    pub(crate) with_key: bool,
    /// Whether to be a proxy.
    pub(crate) proxy: bool,
    /// Whether to be a service: its role, its certificates, and its key for this session.
    pub(crate) service: Option<(ServiceRole, &'a RelayIdentity, &'a Ed25519PrivateKey)>,
}

impl<'a> Introduction<'a> {
    pub(crate) fn client(version: SmpVersion) -> Introduction<'a> {
        Introduction { version, with_key: true, proxy: false, service: None }
    }
}

impl Wire {
    pub(crate) fn new(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        timeout: Duration,
    ) -> Self {
        Self { stream: Box::pin(stream), sealing: None, opening: None, timeout }
    }

    /// Writes a block with this content.
    pub(crate) async fn write(&mut self, content: &[u8]) -> Result<()> {
        let block = self.seal(content)?;
        self.write_raw(&block[..]).await
    }

    /// A block with this content, to be written next.
    pub(crate) fn seal(&mut self, content: &[u8]) -> Result<Box<Block>> {
        let mut block = Box::new([0; BLOCK_SIZE]);
        match &mut self.sealing {
            Some(chain) => chain.seal(content, &mut block)?,
            None => block_chain::pad_block(content, &mut block)?,
        }
        Ok(block)
    }

    /// Writes bytes, which need not be a block.
    pub(crate) async fn write_raw(&mut self, bytes: &[u8]) -> Result<()> {
        timeout(self.timeout, async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await
        .context("the relay takes nothing")??;
        Ok(())
    }

    /// Moves the chain of blocks to the relay as if a block had been written.
    pub(crate) fn skip_block(&mut self) {
        if let Some(chain) = &mut self.sealing {
            let mut block = Box::new([0; BLOCK_SIZE]);
            // An empty content always fits.
            let _ = chain.seal(&[], &mut block);
        }
    }

    /// The content of the next block; `None` if the relay has closed the connection.
    pub(crate) async fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let mut block = Box::new([0; BLOCK_SIZE]);
        match timeout(self.timeout, self.stream.read_exact(&mut block[..])).await.context("nothing came")? {
            Ok(_) => {}
            // Relays close in different ways.
            Err(_) => return Ok(None),
        }
        let content = match &mut self.opening {
            Some(chain) => chain.open(&mut block),
            None => block_chain::unpad_block(&block),
        };
        Ok(Some(content.context("a block of the relay cannot be opened")?.to_vec()))
    }

    /// Whether the relay closes the connection without another word.
    pub(crate) async fn expect_close(&mut self) -> Result<()> {
        match self.read().await? {
            None => Ok(()),
            Some(content) => bail!("the relay did not close but sent {} bytes", content.len()),
        }
    }
}

impl Greeted {
    /// Does the TLS handshake and reads the relay's hello.
    pub(crate) async fn connect(target: &Target, certificate: Option<&RelayIdentity>) -> Result<Self> {
        let tls = TlsClient::new(target.address.fingerprint, certificate, Time::machine())?;
        let stream = target.open().await?;
        let tls = timeout(target.timeout, tls.connect(stream)).await.context("TLS takes too long")??;
        let session_id = SessionId::new(tls.session_id())?;
        let relay_chain =
            CertificateChain::new(tls.peer_chain().iter().map(|certificate| certificate.to_vec()).collect())?;
        let mut wire = Wire::new(tls.into_stream(), target.timeout);
        let content = wire.read().await?.context("the relay closed instead of sending its hello")?;
        let hello = RelayHello::read(&content)?;
        ensure!(hello.session_id == session_id, "the session ID is not tls-unique");
        Ok(Self { wire, hello, session_id, relay_chain })
    }

    /// The answer to the relay's hello, and the session that follows from it. Not sent yet.
    pub(crate) fn answer(
        &self,
        target: &Target,
        introduction: &Introduction<'_>,
    ) -> Result<(ClientHello, AgreedSession)> {
        let key = X25519PrivateKey::generate(&mut rand::rng());
        let chain = match introduction.service {
            Some((_, identity, _)) => Some(CertificateChain::new(
                identity.chain().iter().map(|certificate| certificate.to_vec()).collect(),
            )?),
            None => None,
        };
        let service = introduction.service.zip(chain.as_ref());
        let ours = client::Client {
            versions: VersionRange::only(introduction.version),
            session_id: &self.session_id,
            fingerprint: &target.address.fingerprint,
            relay_chain: &self.relay_chain,
            key: introduction.with_key.then_some(&key),
            proxy: introduction.proxy,
            service: service.map(|((role, identity, key), chain)| ServiceCredentials {
                role,
                chain,
                leaf_key: identity.key(),
                key,
            }),
        };
        Ok(client::answer(&self.hello, &ours)?)
    }

    /// Sends a hello, and encrypts blocks from now on if that follows from it.
    pub(crate) async fn introduce(&mut self, hello: &ClientHello) -> Result<()> {
        self.wire.write(&to_bytes(hello)).await
    }

    /// Encrypts blocks from now on, if the session asks for it.
    pub(crate) fn into_wire(mut self, session: &AgreedSession) -> Wire {
        if let Some((sealing, opening)) = session.chain_keys().map(|keys| keys.into_client_chains()) {
            self.wire.sealing = Some(sealing);
            self.wire.opening = Some(opening);
        }
        self.wire
    }
}
