//! Limits of one client, and of one network: others go on.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use smp_protocol::id::EntityId;
use smp_protocol::xftp::command::XftpCommand;
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::response::XftpResponse;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::client::{Chunk, SIZE, error};
use super::*;

async fn is_served(client: &mut Client, number: u8) -> bool {
    let chunk = Chunk::new(number);
    let (sender_id, recipient_ids) = client.create(&chunk).await;
    let put = client.put(&sender_id, &chunk, &[&chunk.content]).await;
    let got = client.get(&recipient_ids[0], &chunk.recipients[0]).await;
    let deleted = client.ask(XftpCommand::Delete, &sender_id, &chunk.sender).await;
    put == XftpResponse::Ok && got.as_ref() == Ok(&chunk.content) && deleted == XftpResponse::Ok
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_has_its_bytes_and_what_was_not_uploaded_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.limits.count_loopback = true;
    config.files.quota_mib_network = 1;
    let relay = start(&config).await;
    let mut client = client(&relay).await;
    let allowed = (1 << 20) / SIZE;
    for n in 0..allowed + 4 {
        let chunk = Chunk::new(n as u8);
        let (sender_id, _) = client.create(&chunk).await;
        // An upload that is broken off takes nothing.
        assert_eq!(
            client.put(&sender_id, &chunk, &[b"short"]).await,
            match n < allowed {
                true => error(XftpError::Size),
                false => error(XftpError::Quota),
            }
        );
        let expected = if n < allowed { XftpResponse::Ok } else { error(XftpError::Quota) };
        assert_eq!(client.put(&sender_id, &chunk, &[&chunk.content]).await, expected, "{n}");
        assert_eq!(client.ask(XftpCommand::Delete, &sender_id, &chunk.sender).await, XftpResponse::Ok);
    }
    assert!(relay.refused().iter().any(|refused| refused.setting == "files.quota_mib_network"));
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_bounded_in_number_and_by_the_minute() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.files.max_chunks = 5;
    let relay = start(&config).await;
    let mut one = client(&relay).await;
    for n in 0..5 {
        one.create(&Chunk::new(n)).await;
    }
    let chunk = Chunk::new(100);
    let refused = one.ask(chunk.command(SIZE), &EntityId::empty(), &chunk.sender).await;
    assert_eq!(refused, error(XftpError::Quota));
    drop(one);
    relay.shutdown().await.unwrap();
    config.files.max_chunks = 1_000;
    config.files.new_chunks_per_minute = 2;
    let relay = start(&config).await;
    let mut one = client(&relay).await;
    // On loopback each connection counts by itself. The one after the next would have to wait for half a minute.
    for n in 10..12 {
        one.create(&Chunk::new(n)).await;
    }
    let waits = one.create(&chunk);
    assert!(tokio::time::timeout(Duration::from_millis(300), waits).await.is_err());
    let mut other = client(&relay).await;
    assert!(is_served(&mut other, 1).await);
}

/// Uploads that do not go on hold all turns that one network may have: others have theirs, and they are broken off in the end.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_stand_still_keep_nobody_else_from_being_served() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.files.max_transfers = 8;
    config.files.idle_timeout = Duration::from_secs(2);
    let relay = start(&config).await;
    let mut uploads = Vec::new();
    let mut slow = client(&relay).await;
    for n in 0..7 {
        let chunk = Chunk::new(n);
        let (sender_id, _) = slow.create(&chunk).await;
        uploads.push(slow.begin_put(&sender_id, &chunk, &chunk.content[..1_000]).await);
    }
    while files(dir.path(), "incoming").len() < 7 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut good = client(&relay).await;
    assert!(is_served(&mut good, 50).await);
    while !files(dir.path(), "incoming").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_served(&mut good, 60).await);
}

/// Bodies without an end, thousands of streams that wait for more, and garbage.
#[tokio::test(flavor = "multi_thread")]
async fn floods_are_bounded_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.limits.handshake_timeout = Duration::from_secs(2);
    let relay = start(&config).await;
    let mut good = client(&relay).await;
    let post = || Request::builder().method(Method::POST).uri("https://localhost/").body(()).unwrap();

    // A body that goes on after the chunk is whole.
    let mut endless = client(&relay).await;
    let chunk = Chunk::new(1);
    let (sender_id, recipient_ids) = endless.create(&chunk).await;
    let (response, mut body) = endless.begin_put(&sender_id, &chunk, &chunk.content).await;
    while body.send_data(Bytes::from_static(&[0; 1_000]), false).is_ok() {
        tokio::task::yield_now().await;
    }
    drop(response);
    assert_eq!(good.get(&recipient_ids[0], &chunk.recipients[0]).await, Err(XftpError::NoFile));

    // As many streams as the client may open, on each of them less than a block.
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut crowd = client(&relay).await;
        for _ in 0..10 {
            crowd.http = crowd.http.clone().ready().await.unwrap();
            let (response, mut body) = crowd.http.send_request(post(), false).unwrap();
            body.send_data(Bytes::from_static(&[0; 500]), false).unwrap();
            streams.push((response, body));
        }
    }
    assert!(is_served(&mut good, 70).await);

    // Connections of TCP that say nothing, or garbage, or send what is no TLS.
    let mut silent = Vec::new();
    for n in 0..50_u8 {
        let mut stream = TcpStream::connect(relay.local_addrs()[0]).await.unwrap();
        if n % 2 == 0 {
            let _ = stream.write_all(&[n; 300]).await;
        }
        silent.push(stream);
    }
    assert!(is_served(&mut good, 80).await);
    for mut stream in silent {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    assert!(is_served(&mut good, 90).await);
    drop(streams);
}

/// Frames that no client sends so often: settings, pings, headers without an end, windows. Straight into HTTP/2, at our own relay.
#[tokio::test(flavor = "multi_thread")]
async fn control_frames_do_not_pile_up() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(&config(dir.path())).await;
    let mut good = client(&relay).await;
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    };
    let settings = frame(4, 0, 0, &[]);
    let ping = frame(6, 0, 0, &[0; 8]);
    let open_headers = frame(1, 0, 1, &[0x83]);
    let continuation = frame(9, 0, 1, &[0x00; 1_000]);
    let window = frame(8, 0, 0, &0x7fff_0000_u32.to_be_bytes());
    let floods: [Vec<&[u8]>; 4] =
        [vec![&settings], vec![&ping], vec![&open_headers, &continuation], vec![&window]];
    for flood in floods {
        let mut stream = raw(&relay).await;
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        stream.write_all(&settings).await.unwrap();
        // The first frame once, the last one again and again, without reading: until the relay stops reading, or closes.
        let mut sent = 0;
        for frame in flood.iter().copied().chain(std::iter::repeat(*flood.last().unwrap())).take(20_000) {
            match tokio::time::timeout(Duration::from_millis(500), stream.write_all(frame)).await {
                Ok(Ok(())) => sent += frame.len(),
                _ => break,
            }
        }
        assert!(sent > 0);
        assert!(is_served(&mut good, 100).await);
    }
}

/// A connection inside TLS, on which nothing was said yet.
async fn raw(relay: &RunningRelay) -> impl tokio::io::AsyncWrite + tokio::io::AsyncRead + Unpin {
    let stream = TcpStream::connect(relay.local_addrs()[0]).await.unwrap();
    let fingerprint = relay.address().fingerprint;
    let tls = TlsClient::new(fingerprint, None, Surroundings::machine().time).unwrap().speaking(XFTP);
    tls.connect(stream).await.unwrap().into_stream()
}

/// Numbers say how much there is, and nothing of whom.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_chunks_without_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.metrics.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let relay = start(&config).await;
    let chunk = Chunk::new(1);
    let mut sender = client(&relay).await;
    let (sender_id, recipient_ids) = sender.create(&chunk).await;
    assert_eq!(sender.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    sender.get(&recipient_ids[0], &chunk.recipients[0]).await.unwrap();
    let mut stream = TcpStream::connect(relay.metrics_addr().unwrap()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    for line in [
        "smp_server_file_chunks 1",
        "smp_server_files_bytes 65536",
        "smp_server_file_chunks_uploaded_total 1",
        "smp_server_files_uploaded_bytes_total 65536",
        "smp_server_file_chunks_downloaded_total 1",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains(&files(dir.path(), "chunks")[0]));
}
