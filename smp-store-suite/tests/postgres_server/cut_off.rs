//! A process that is cut off from the database: it answers nothing that it cannot keep, and another one takes its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use smp_server::store::{
    AfterAck, Maintenance as _, Messages as _, PostgresConfig, PostgresStore, Queues as _, StoreError,
};
use smp_store_suite::{MustBeAccepted as _, cluster, id, new_queue, sent};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream, unix};
use tokio::sync::watch;

use super::config;

/// A network between a relay and its database that can be cut: what is sent then gets lost, and nobody is told.
struct Network {
    directory: tempfile::TempDir,
    cut: watch::Sender<bool>,
    _forwarding: tokio::task::JoinHandle<()>,
}

/// As PostgreSQL names its sockets.
const SOCKET: &str = ".s.PGSQL.5432";

impl Network {
    fn to(server: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
        let (cut, is_cut) = watch::channel(false);
        let forwarding = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(forward(client, server.clone(), is_cut.clone()));
            }
        });
        Self { directory, cut, _forwarding: forwarding }
    }

    fn url(&self, direct: &str, server: &Path) -> String {
        direct.replace(server.to_str().unwrap(), self.directory.path().to_str().unwrap())
    }
}

async fn forward(client: UnixStream, server: PathBuf, is_cut: watch::Receiver<bool>) {
    let Ok(server) = UnixStream::connect(server.join(SOCKET)).await else { return };
    let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
    let there = tokio::spawn(copy(client_in, server_out, is_cut.clone()));
    copy(server_in, client_out, is_cut).await;
    let _ = there.await;
}

/// Half-open while the network is cut: neither end learns anything.
async fn copy(
    mut from: unix::OwnedReadHalf,
    mut to: unix::OwnedWriteHalf,
    mut is_cut: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut bytes).await;
        if *is_cut.borrow() {
            let _ = is_cut.wait_for(|cut| !cut).await;
        }
        match read {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                if to.write_all(&bytes[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_process_that_is_cut_off_keeps_no_promise_and_is_followed() {
    let Some(url) = cluster::database().await else { return };
    let server = PathBuf::from(url.split("host=").nth(1).unwrap().split('&').next().unwrap());
    let network = Network::to(server.clone());
    let lease = Duration::from_secs(2);
    let settings = |url: &str| PostgresConfig { lease, ..config(url) };
    let first = Arc::new(PostgresStore::open(settings(&network.url(&url, &server))).await.unwrap());
    first.create_queue(new_queue(1)).await.unwrap();
    for number in 1..=2 {
        first.append(&id(1, 0), sent(number), None).await.unwrap().accepted().kept.await.unwrap();
    }

    network.cut.send_replace(true);
    let lost = first.append(&id(1, 0), sent(3), None).await.unwrap().accepted();
    let acknowledged = first.acknowledge(&id(1, 0), &id(1, 9), AfterAck::Nothing).await.unwrap();
    // It has the lock as far as the server knows, and its last transaction may be half done there.
    let second = PostgresStore::open(PostgresConfig { lease: 10 * lease, ..settings(&url) }).await.unwrap();
    first.failed().await.unwrap();
    assert!(lost.kept.await.is_err());
    assert!(acknowledged.durable.await.is_err());
    let numbers = |messages: Vec<Arc<smp_server::store::Message>>| -> Vec<_> {
        messages.iter().map(|message| message.id.clone()).collect()
    };
    let there = numbers(second.messages(&id(1, 0)).await.unwrap());
    assert_eq!(there, [id(1, 9), id(2, 9)]);

    // When the network is whole again, what it had under way comes too late.
    network.cut.send_replace(false);
    second.append(&id(1, 0), sent(4), None).await.unwrap().accepted().kept.await.unwrap();
    second.close().await.unwrap();
    first.close().await.unwrap();
    let third = PostgresStore::open(settings(&url)).await.unwrap();
    assert_eq!(numbers(third.messages(&id(1, 0)).await.unwrap()), [id(1, 9), id(2, 9), id(4, 9)]);
    third.close().await.unwrap();
}

/// The same between processes that share the store: the queue of the one that is cut off is free when its lease is over.
#[tokio::test]
async fn a_queue_of_a_process_that_is_cut_off_is_taken_over() {
    let Some(url) = cluster::database().await else { return };
    let server = PathBuf::from(url.split("host=").nth(1).unwrap().split('&').next().unwrap());
    let network = Network::to(server.clone());
    let settings = |url: &str, address: &str| PostgresConfig {
        lease: Duration::from_secs(2),
        shared_at: Some(address.to_owned()),
        ..config(url)
    };
    // Connections to either are refused, which says nothing as long as its lock is held.
    let first =
        Arc::new(PostgresStore::open(settings(&network.url(&url, &server), "127.0.0.1:1")).await.unwrap());
    let second = PostgresStore::open(settings(&url, "127.0.0.1:2")).await.unwrap();
    first.create_queue(new_queue(1)).await.unwrap();
    for number in 1..=2 {
        first.append(&id(1, 0), sent(number), None).await.unwrap().accepted().kept.await.unwrap();
    }

    network.cut.send_replace(true);
    let lost = first.append(&id(1, 0), sent(3), None).await.unwrap().accepted();
    let acknowledged = first.acknowledge(&id(1, 0), &id(1, 9), AfterAck::Nothing).await.unwrap();
    let there = loop {
        match second.messages(&id(1, 0)).await {
            Ok(messages) => break messages,
            Err(error) => assert!(matches!(error, StoreError::Elsewhere(_)), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    // It had lost its right before anybody could take the queue.
    first.failed().await.unwrap();
    assert!(first.first_message(&id(1, 0)).await.is_err());
    assert!(lost.kept.await.is_err());
    assert!(acknowledged.durable.await.is_err());
    let numbers = |messages: Vec<Arc<smp_server::store::Message>>| -> Vec<_> {
        messages.iter().map(|message| message.id.clone()).collect()
    };
    assert_eq!(numbers(there), [id(1, 9), id(2, 9)]);

    // When the network is whole again, what it had under way comes too late.
    network.cut.send_replace(false);
    second.append(&id(1, 0), sent(4), None).await.unwrap().accepted().kept.await.unwrap();
    first.close().await.unwrap();
    assert_eq!(numbers(second.messages(&id(1, 0)).await.unwrap()), [id(1, 9), id(2, 9), id(4, 9)]);
    second.close().await.unwrap();
}
