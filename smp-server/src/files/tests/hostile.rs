//! Clients that do not do as they should.

use super::*;

#[tokio::test]
async fn other_methods_are_no_requests_and_more_streams_than_allowed_wait() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(FileSettings { streams: 2, ..settings(dir.path()) });
    let mut client = client(&relay).await;
    let request = Request::builder().method(Method::GET).uri("https://localhost/").body(()).unwrap();
    let (response, _) = client.http.send_request(request, true).unwrap();
    assert_eq!(response.await.unwrap().status(), 405);
    for _ in 0..20 {
        let (pong, _) = client.send(XftpCommand::Ping, &EntityId::empty(), None, &[]).await;
        assert_eq!(pong, XftpResponse::Pong);
    }
}

/// A client opens requests and takes them back, again and again, before and after the relay has seen them: others go on, and
/// it is cut off.
#[tokio::test]
async fn rapid_resets_keep_nobody_else_from_being_served() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let (hostile, mut good) = (client(&relay).await, client(&relay).await);
    let flood = tokio::spawn(async move {
        let mut resets = 0;
        while let Ok(mut http) = hostile.http.clone().ready().await {
            let request = Request::builder().method(Method::POST).uri("https://localhost/").body(()).unwrap();
            let Ok((_, mut body)) = http.send_request(request, false) else { break };
            for _ in 0..resets % 4 {
                tokio::task::yield_now().await;
            }
            body.send_reset(h2::Reason::CANCEL);
            resets += 1;
        }
    });
    for n in 0..50 {
        let chunk = Chunk::new(n);
        let (sender_id, recipient_ids) = good.create(&chunk).await;
        assert_eq!(good.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
        assert_eq!(good.get(&recipient_ids[0], &chunk.recipients[0]).await.as_ref(), Ok(&chunk.content));
        assert_eq!(good.ask(XftpCommand::Delete, &sender_id, &chunk.sender).await, XftpResponse::Ok);
    }
    flood.await.unwrap();
}

/// A client that does not read takes no more of a chunk than its window, and keeps nobody else from reading.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let (mut slow, mut good) = (client(&relay).await, client(&relay).await);
    let chunk = Chunk::new(1);
    let (sender_id, recipient_ids) = good.create(&chunk).await;
    assert_eq!(good.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    let own = X25519PrivateKey::from_bytes([3; 32]);
    let command = XftpCommand::Get(RecipientDownloadKey(own.public_key()));
    let block = slow.block(&command, &recipient_ids[0], Some(&chunk.recipients[0]));
    let request = Request::builder().method(Method::POST).uri("https://localhost/").body(()).unwrap();
    let (response, mut body) = slow.http.send_request(request, false).unwrap();
    body.send_data(block.into(), true).unwrap();
    let mut answer = response.await.unwrap().into_body();
    assert_eq!(good.get(&recipient_ids[1], &chunk.recipients[1]).await.as_ref(), Ok(&chunk.content));
    // Nothing is released: what comes is the window, 65,535 bytes, and then the end.
    let mut received = 0;
    while let Some(Ok(data)) = answer.data().await {
        received += data.len();
    }
    assert_eq!(received, 65_535);
}
