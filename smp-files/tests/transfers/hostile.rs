//! Relays, senders and files that are not what they should be.

use smp_files::download::Target;
use smp_files::{Download, FileError, FileRelayClient, FileRelayError};
use smp_protocol::xftp::description::FileDescription;
use smp_transport::dial::Dialler;
use smp_transport::surroundings::Surroundings;
use smp_transport::tls::TlsServer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::relay::{TestRelay, address, content, identity, relays, send};

async fn received(description: &FileDescription) -> (Result<(), FileError>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let download = Download::new(description.clone(), dir.path()).unwrap();
    let run = download.run(&relays(), Target::Directory(dir.path()), &|_, _| {}).await;
    let visible = std::fs::read_dir(dir.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        !name.to_string_lossy().starts_with('.')
    });
    (run.map(drop), visible.count())
}

#[tokio::test]
async fn a_chunk_that_the_relay_changed_is_refused() {
    let relay = TestRelay::start().await;
    let sent = send(&content(70_000), 1, std::slice::from_ref(&relay.address)).await;
    let chunk = &relay.chunks()[0];
    let mut bytes = std::fs::read(chunk).unwrap();
    bytes[777] ^= 1;
    std::fs::write(chunk, bytes).unwrap();
    let (error, files) = received(&sent.recipients[0]).await;
    let error = error.unwrap_err();
    assert!(matches!(&error, FileError::Relay { error: FileRelayError::Damaged, .. }), "{error}");
    assert_eq!(files, 0);
}

#[tokio::test]
async fn a_description_that_deceives_leaves_no_file() {
    let relay = TestRelay::start().await;
    let sent = send(&content(70_000), 1, std::slice::from_ref(&relay.address)).await;
    let mut wrong_digest = sent.recipients[0].clone();
    wrong_digest.digest[0] ^= 1;
    let (error, files) = received(&wrong_digest).await;
    assert!(matches!(error, Err(FileError::Digest)) && files == 0, "{error:?}");
    let wrong_key =
        FileDescription { key: smp_crypto::SecretBoxKey::from_bytes([1; 32]), ..sent.recipients[0].clone() };
    let (error, files) = received(&wrong_key).await;
    assert!(matches!(error, Err(FileError::Undecryptable)) && files == 0, "{error:?}");
    let (whole, files) = received(&sent.recipients[0]).await;
    assert!(whole.is_ok() && files == 1);
}

#[tokio::test]
async fn a_server_that_is_no_file_relay_is_told_from_one_that_is_off() {
    // One speaks another protocol, one none at all, one begins and says nothing sensible.
    for (protocols, answer) in [
        (&[&b"smp/1"[..]][..], &b""[..]),
        (&[b"xftp/1"], b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        (&[b"xftp/1"], b""),
    ] {
        let server = TlsServer::speaking(protocols, identity(), Surroundings::machine().time).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address(listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(tls) = server.accept(stream).await {
                let _ = tls.into_stream().write_all(answer).await;
            }
        });
        let connected =
            FileRelayClient::connect(&address, Dialler::default(), &Surroundings::machine()).await;
        assert!(connected.is_err(), "{protocols:?} {answer:?}");
    }
}

/// The stream is answered before it was sent to its end, and the answer is what counts.
#[tokio::test]
async fn a_relay_that_refuses_in_the_middle_is_heard() {
    let relay =
        TestRelay::with(|settings| smp_server::files::FileSettings { quota: 100_000, ..settings }).await;
    let (_dir, path) = crate::relay::file(&content(800_000));
    let upload = crate::relay::begin(&path, 1).await;
    let error = upload.run(&relays(), std::slice::from_ref(&relay.address), &|_, _| {}).await.unwrap_err();
    let FileError::Relay { error, .. } = &error else { panic!("{error}") };
    assert!(error.to_string().contains("QUOTA") && error.advice().contains("another relay"), "{error}");
}
