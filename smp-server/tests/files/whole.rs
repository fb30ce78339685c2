//! Files and messages in one process.

use std::fs;
use std::time::Duration;

use smp_protocol::address::Password;
use smp_protocol::id::EntityId;
use smp_protocol::xftp::command::{NewChunk, XftpCommand};
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::response::XftpResponse;
use smp_server::config::StoreKind;
use smp_transport::connection::{ConnectorSettings, RelayConnector};
use tokio::net::TcpStream;

use super::client::{Chunk, SIZE, error};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_files_share_a_port_and_files_may_have_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.files.listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    let relay = start(&config).await;
    let (shared, own) = (relay.local_addrs()[0], relay.files_addrs()[0]);
    let address = relay.files_address().unwrap();
    assert_eq!((address.0.fingerprint, address.0.port), (relay.address().fingerprint, Some(own.port())));
    let fingerprint = relay.address().fingerprint;
    let chunk = Chunk::new(1);
    let mut sender = client(&relay).await;
    let (sender_id, recipient_ids) = sender.create(&chunk).await;
    assert_eq!(sender.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    for protocols in [XFTP, &[]] {
        let mut recipient = connect(own, fingerprint, protocols).await.unwrap();
        let content = recipient.get(&recipient_ids[0], &chunk.recipients[0]).await;
        assert_eq!(content.as_ref(), Ok(&chunk.content));
    }
    let smp = RelayConnector::new(fingerprint, ConnectorSettings::default()).unwrap();
    smp.connect(TcpStream::connect(shared).await.unwrap()).await.unwrap();
    let refused = smp.connect(TcpStream::connect(own).await.unwrap()).await;
    assert!(refused.is_err(), "there is nothing but files");
    drop(sender);
    relay.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_there_are_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.files.enabled = false;
    let relay = start(&config).await;
    assert!(connect(relay.local_addrs()[0], relay.address().fingerprint, XFTP).await.is_none());
    assert_eq!((relay.files_address(), relay.files_addrs().len()), (None, 0));
    assert!(!config.files.path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_outlive_a_restart_and_what_is_left_of_others_goes() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let relay = start(&config).await;
    let (kept, later, deleted) = (Chunk::new(1), Chunk::new(10), Chunk::new(20));
    let mut sender = client(&relay).await;
    let (kept_id, kept_for) = sender.create(&kept).await;
    let (later_id, later_for) = sender.create(&later).await;
    let (deleted_id, deleted_for) = sender.create(&deleted).await;
    assert_eq!(sender.put(&kept_id, &kept, &[&kept.content]).await, XftpResponse::Ok);
    assert_eq!(sender.put(&deleted_id, &deleted, &[&deleted.content]).await, XftpResponse::Ok);
    let left = files(dir.path(), "chunks").remove(0);
    let incoming = dir.path().join("files/incoming").join(format!("{left}.7"));
    assert_eq!(
        sender.ask(XftpCommand::Acknowledge, &kept_for[1], &kept.recipients[1]).await,
        XftpResponse::Ok
    );
    assert_eq!(sender.ask(XftpCommand::Delete, &deleted_id, &deleted.sender).await, XftpResponse::Ok);
    drop(sender);
    relay.kill().await;
    // A process that is killed leaves this behind.
    fs::write(&incoming, b"half of it").unwrap();

    let relay = start(&config).await;
    assert_eq!((files(dir.path(), "incoming").len(), files(dir.path(), "chunks").len()), (0, 1));
    let mut client = client(&relay).await;
    assert_eq!(client.get(&kept_for[0], &kept.recipients[0]).await.as_ref(), Ok(&kept.content));
    assert_eq!(client.get(&kept_for[1], &kept.recipients[1]).await, Err(XftpError::Auth));
    assert_eq!(client.get(&deleted_for[0], &deleted.recipients[0]).await, Err(XftpError::Auth));
    assert_eq!(client.get(&later_for[0], &later.recipients[0]).await, Err(XftpError::NoFile));
    assert_eq!(client.put(&later_id, &later, &[&later.content]).await, XftpResponse::Ok);
    assert_eq!(client.get(&later_for[0], &later.recipients[0]).await.as_ref(), Ok(&later.content));
    drop(client);
    relay.shutdown().await.unwrap();
}

/// The file of a chunk that was deleted comes back by nothing: here it could not be removed before the process died.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_not_removed_goes_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let relay = start(&config).await;
    let (one, other) = (Chunk::new(1), Chunk::new(10));
    let mut sender = client(&relay).await;
    let (one_id, _) = sender.create(&one).await;
    assert_eq!(sender.put(&one_id, &one, &[&one.content]).await, XftpResponse::Ok);
    let name = files(dir.path(), "chunks").remove(0);
    let (other_id, _) = sender.create(&other).await;
    assert_eq!(sender.put(&other_id, &other, &[&other.content]).await, XftpResponse::Ok);
    assert_eq!(sender.ask(XftpCommand::Delete, &one_id, &one.sender).await, XftpResponse::Ok);
    let path = dir.path().join("files/chunks").join(&name);
    fs::write(&path, &one.content).unwrap();
    relay.kill().await;
    let relay = start(&config).await;
    assert!(!path.exists() && files(dir.path(), "chunks").len() == 1);
    relay.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_in_memory_end_with_the_relay_and_their_files_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.store.kind = StoreKind::Memory;
    let relay = start(&config).await;
    let chunk = Chunk::new(1);
    let mut sender = client(&relay).await;
    let (sender_id, recipient_ids) = sender.create(&chunk).await;
    assert_eq!(sender.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    drop(sender);
    relay.shutdown().await.unwrap();
    let relay = start(&config).await;
    assert_eq!(files(dir.path(), "chunks"), [""; 0]);
    let mut client = client(&relay).await;
    assert_eq!(client.get(&recipient_ids[0], &chunk.recipients[0]).await, Err(XftpError::Auth));
}

/// Settings and certificate of files are read again with the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_the_password_and_the_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    let mut relay = start(&config).await;
    let chunk = Chunk::new(1);
    let mut client = client(&relay).await;
    client.create(&chunk).await;
    let secret = Password::new("secret").unwrap();
    config.files.create_password = Some(secret.clone());
    config.files.chunk_sizes_kib = vec![64];
    config.files.max_transfers = 7;
    let reloaded = relay.reload(config).unwrap();
    assert_eq!(reloaded.settings.applied, ["files.chunk_sizes_kib", "files.create_password"]);
    assert_eq!(reloaded.settings.after_restart, ["files.max_transfers"]);
    assert_eq!(relay.files_address().unwrap().0.password, Some(secret.clone()));
    let create = |size, password| {
        let XftpCommand::New(new) = chunk.command(size) else { panic!() };
        XftpCommand::New(Box::new(NewChunk { password, ..*new }))
    };
    let empty = EntityId::empty();
    assert_eq!(client.ask(create(SIZE, None), &empty, &chunk.sender).await, error(XftpError::Auth));
    let wrong_size = create(1 << 20, Some(secret.clone()));
    assert_eq!(client.ask(wrong_size, &empty, &chunk.sender).await, error(XftpError::Size));
    let created = client.ask(create(SIZE, Some(secret)), &empty, &chunk.sender).await;
    assert!(matches!(created, XftpResponse::SenderIds(..)), "{created:?}");
}

/// An upload that goes on when the relay is stopped does not keep it from stopping, and is not half there afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_transfers_no_longer_than_for_anything_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.limits.shutdown_timeout = Duration::from_millis(200);
    let relay = start(&config).await;
    let chunk = Chunk::new(1);
    let mut sender = client(&relay).await;
    let (sender_id, _) = sender.create(&chunk).await;
    let (_response, _body) = sender.begin_put(&sender_id, &chunk, &chunk.content[..20_000]).await;
    while files(dir.path(), "incoming").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    relay.shutdown().await.unwrap();
    assert_eq!((files(dir.path(), "incoming"), files(dir.path(), "chunks")), (vec![], vec![]));
}
