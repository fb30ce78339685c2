//! Each command of the client.

use smp_crypto::hash::sha256;
use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey};
use smp_files::client::ChunkToGet;
use smp_files::{FileRelayClient, FileRelayError};
use smp_protocol::encoding::NonEmpty;
use smp_protocol::key::{ChunkRecipientKey, ChunkSenderKey};
use smp_protocol::xftp::command::NewChunk;
use smp_protocol::xftp::error::XftpError;
use smp_transport::dial::Dialler;
use smp_transport::surroundings::Surroundings;

use crate::relay::{TestRelay, address, content};

const SIZE: u32 = 65_536;

async fn connect(relay: &TestRelay) -> FileRelayClient {
    FileRelayClient::connect(&relay.address, Dialler::default(), &Surroundings::machine()).await.unwrap()
}

fn key(first: u8) -> PrivateAuthKey {
    Ed25519PrivateKey::from_bytes([first; 32]).into()
}

#[tokio::test]
async fn all_commands() {
    let relay = TestRelay::start().await;
    let client = connect(&relay).await;
    client.ping().await.unwrap();
    let (content, sender) = (content(SIZE as usize), key(1));
    // One of the recipients agrees on a secret instead of signing.
    let recipients: Vec<PrivateAuthKey> = vec![key(2), X25519PrivateKey::from_bytes([3; 32]).into()];
    let public = |keys: &[PrivateAuthKey]| {
        NonEmpty::new(keys.iter().map(|key| ChunkRecipientKey(key.public_key())).collect()).unwrap()
    };
    let digest = sha256(&content);
    let chunk = |size| NewChunk {
        sender_key: ChunkSenderKey(sender.public_key()),
        size,
        digest,
        recipient_keys: public(&recipients),
        password: None,
    };
    let refused = client.create(chunk(70_000), &sender).await.unwrap_err();
    assert!(matches!(refused, FileRelayError::Refused(XftpError::Size)), "{refused}");
    let (id, ids) = client.create(chunk(SIZE), &sender).await.unwrap();
    let added = client.add_recipients(&id, &sender, public(&[key(4)])).await.unwrap();

    let get = async |client: &FileRelayClient, id, key: &PrivateAuthKey| {
        let mut out = Vec::new();
        let to_get = ChunkToGet { id: &id, key, size: SIZE, digest: &digest };
        client.download(to_get, &mut out, &mut |_| {}).await.map(|()| out)
    };
    let early = get(&client, ids.first().into(), &recipients[0]).await.unwrap_err();
    assert!(matches!(early, FileRelayError::Refused(XftpError::NoFile)), "{early}");
    let mut moved = 0;
    client.upload(&id, &sender, &mut &content[..], SIZE, &mut |bytes| moved += bytes).await.unwrap();
    assert_eq!(moved, SIZE as usize);
    // A body that ends early is an error of this machine, and the connection goes on.
    let short = client.upload(&id, &sender, &mut &content[..100], SIZE, &mut |_| {}).await.unwrap_err();
    assert!(matches!(short, FileRelayError::Local(_)), "{short}");

    let other = connect(&relay).await;
    for (id, key) in ids.iter().zip(&recipients).chain([(added.first(), &key(4))]) {
        assert_eq!(get(&other, id.into(), key).await.unwrap(), content);
    }
    let wrong = get(&other, ids.first().into(), &key(9)).await.unwrap_err();
    assert!(matches!(wrong, FileRelayError::Refused(XftpError::Auth)), "{wrong}");
    other.acknowledge(&ids.first().into(), &recipients[0]).await.unwrap();
    assert!(get(&other, ids.first().into(), &recipients[0]).await.is_err());
    client.delete(&(&id).into(), &sender).await.unwrap();
    assert!(get(&other, added.first().into(), &key(4)).await.is_err());
    assert!(relay.chunks().is_empty());
}

#[tokio::test]
async fn many_transfers_share_a_connection() {
    let relay = TestRelay::start().await;
    let client = connect(&relay).await;
    let transfers = (1..=20_u8).map(|number| {
        let client = client.clone();
        async move {
            let (sender, recipient) = (key(number), key(100 + number));
            let mut content = content(SIZE as usize);
            content[0] = number;
            let digest = sha256(&content);
            let chunk = NewChunk {
                sender_key: ChunkSenderKey(sender.public_key()),
                size: SIZE,
                digest,
                recipient_keys: NonEmpty::one(ChunkRecipientKey(recipient.public_key())),
                password: None,
            };
            let (id, ids) = client.create(chunk, &sender).await.unwrap();
            client.upload(&id, &sender, &mut &content[..], SIZE, &mut |_| {}).await.unwrap();
            let mut out = Vec::new();
            let to_get = ChunkToGet { id: &ids.first().into(), key: &recipient, size: SIZE, digest: &digest };
            client.download(to_get, &mut out, &mut |_| {}).await.unwrap();
            assert_eq!(out, content);
        }
    });
    futures_util::future::join_all(transfers).await;
}

#[tokio::test]
async fn another_relay_than_the_address_names_is_refused() {
    let relay = TestRelay::start().await;
    let mut wrong = relay.address.clone();
    wrong.0.fingerprint[0] ^= 1;
    let error =
        FileRelayClient::connect(&wrong, Dialler::default(), &Surroundings::machine()).await.unwrap_err();
    assert!(matches!(error, FileRelayError::Connect(_)) && !error.is_temporary(), "{error}");
    assert!(error.to_string().contains("fingerprint") && !error.advice().is_empty());
    // Nobody listens there.
    let nobody = address(1);
    let error =
        FileRelayClient::connect(&nobody, Dialler::default(), &Surroundings::machine()).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}
