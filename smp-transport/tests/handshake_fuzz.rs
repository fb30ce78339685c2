//! Handshakes with peers who send anything: an error or a connection, never a panic.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::LazyLock;

use common::{acceptor, connector, identity, pipe};
use proptest::prelude::*;
use smp_crypto::block_chain::BLOCK_SIZE;
use smp_transport::identity::{
    CertificateDer, RelayIdentity, UnixTime, check_relay_chain, check_service_chain, public_key,
};
use smp_transport::surroundings::Time;
use smp_transport::tls::{TlsClient, TlsServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

static IDENTITY: LazyLock<RelayIdentity> = LazyLock::new(identity);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// Content with a plausible beginning, so that it is not refused at the first byte every time.
fn content(beginning: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let changed = (0..beginning.len(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..300)).prop_map(
        move |(position, byte, rest)| {
            let mut content = beginning.clone();
            content[position] = byte;
            content.extend(rest);
            content
        },
    );
    prop_oneof![changed, proptest::collection::vec(any::<u8>(), 0..2000)]
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut block = (content.len() as u16).to_be_bytes().to_vec();
    block.extend_from_slice(content);
    block.resize(BLOCK_SIZE, b'#');
    block
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_relay_survives_any_client_hello(
        content in content([&[0, 18, 32][..], &IDENTITY.fingerprint(), b"\x2cF1"].concat()),
    ) {
        runtime().block_on(async {
            let (ours, theirs) = pipe();
            let client = async {
                let tls = TlsClient::new(IDENTITY.fingerprint(), None, Time::machine()).unwrap().connect(ours).await.unwrap();
                let mut stream = tls.into_stream();
                stream.write_all(&padded(&content)).await.unwrap();
                stream.flush().await.unwrap();
                let _ = stream.read_exact(&mut [0; BLOCK_SIZE]).await;
            };
            let acceptor = acceptor(&IDENTITY);
            let _ = tokio::join!(client, acceptor.accept(theirs));
        });
    }

    #[test]
    fn a_client_survives_any_relay_hello(
        content in content([&[0, 6, 0, 19, 32][..], &[7; 32], b"\x02\x01\x75"].concat()),
    ) {
        runtime().block_on(async {
            let (ours, theirs) = pipe();
            let relay = async {
                let tls = TlsServer::new(&IDENTITY, Time::machine()).unwrap().accept(theirs).await.unwrap();
                let mut stream = tls.into_stream();
                stream.write_all(&padded(&content)).await.unwrap();
                let _ = stream.flush().await;
            };
            let connector = connector(&IDENTITY);
            let (_, connected) = tokio::join!(relay, connector.connect(ours));
            // nobody can guess the session ID
            assert!(connected.is_err());
        });
    }
}

proptest! {
    #[test]
    fn certificates_of_any_bytes_are_refused(
        mut der in proptest::collection::vec(any::<u8>(), 0..400),
        position in 0_usize..360,
        byte in any::<u8>(),
        keep in any::<bool>(),
    ) {
        if keep {
            der = IDENTITY.chain()[0].to_vec();
            let position = position % der.len();
            der[position] = byte;
        }
        let unchanged = der == IDENTITY.chain()[0].to_vec();
        let chain = [CertificateDer::from(der), IDENTITY.chain()[1].clone()];
        let _ = public_key(&chain[0]);
        let _ = check_service_chain(&chain[..1], UnixTime::now());
        assert_eq!(check_relay_chain(&chain, UnixTime::now()).is_ok(), unchanged);
    }
}
