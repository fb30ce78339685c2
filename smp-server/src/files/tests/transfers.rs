//! Transfers, as they go and as they fail.

use super::*;

/// The exchange that was recorded with the reference's relay, command by command.
#[tokio::test]
async fn the_recorded_exchange() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let mut client = client(&relay).await;

    // PING without the session ID in the transmission.
    let good = client.block(&XftpCommand::Ping, &EntityId::empty(), None);
    let content = padding::unpad(&good).unwrap();
    let cut = [&[1, 0, 31, 0], &content[4 + 33..]].concat();
    let answer = client.request(&[&padding::pad(&cut, 16_384).unwrap()]).await;
    assert_eq!(read_response(&answer, &client.session).response, Ok(error(XftpError::Block)));
    // With it.
    let (pong, _) = client.send(XftpCommand::Ping, &EntityId::empty(), None, &[]).await;
    assert_eq!(pong, XftpResponse::Pong);

    let chunk = Chunk::new(1);
    let (sender_id, recipient_ids) = client.create(&chunk).await;
    assert_eq!(recipient_ids.len(), 2);
    assert!(recipient_ids.iter().chain([&sender_id]).all(|id| id.as_bytes().len() == 16));
    let not_there = client.get(&recipient_ids[0], &chunk.recipients[0]).await;
    assert_eq!(not_there, Err(XftpError::NoFile));
    // Block and chunk in one body, and again.
    assert_eq!(client.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    assert_eq!(client.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    assert_eq!(relay.used_bytes(), u64::from(SIZE));
    for (id, key) in recipient_ids.iter().zip(&chunk.recipients) {
        assert_eq!(client.get(id, key).await.as_ref(), Ok(&chunk.content));
    }
    let acknowledged = client.ask(XftpCommand::Acknowledge, &recipient_ids[0], &chunk.recipients[0]).await;
    assert_eq!(acknowledged, XftpResponse::Ok);
    assert_eq!(client.get(&recipient_ids[0], &chunk.recipients[0]).await, Err(XftpError::Auth));
    // The second recipient with the key of the first.
    assert_eq!(client.get(&recipient_ids[1], &chunk.recipients[0]).await, Err(XftpError::Auth));
    let odd = client.ask(chunk.command(70_000), &EntityId::empty(), &chunk.sender).await;
    assert_eq!(odd, error(XftpError::Size));
    assert_eq!(client.ask(XftpCommand::Delete, &sender_id, &chunk.sender).await, XftpResponse::Ok);
    assert_eq!(client.get(&recipient_ids[1], &chunk.recipients[1]).await, Err(XftpError::Auth));
    assert_eq!((relay.used_bytes(), chunk_files(dir.path())), (0, vec![]));
}

#[tokio::test]
async fn without_alpn_there_is_no_handshake() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let mut client = connect(&relay, false).await;
    let answer = client.request(&[]).await;
    assert_eq!(read_response(&answer, &client.session).response, Ok(error(XftpError::Block)));
    let (pong, _) = client.send(XftpCommand::Ping, &EntityId::empty(), None, &[]).await;
    assert_eq!(pong, XftpResponse::Pong);
    let chunk = Chunk::new(1);
    let (sender_id, recipient_ids) = client.create(&chunk).await;
    assert_eq!(client.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    assert_eq!(client.get(&recipient_ids[0], &chunk.recipients[0]).await, Ok(chunk.content));
}

#[tokio::test]
async fn handshakes_that_are_refused_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let mut client = connect(&relay, true).await;
    let refused = |answer: Vec<u8>| read_refusal(padding::unpad(&answer).unwrap());
    let good = client_hello(3, identity().fingerprint);
    assert_eq!(
        refused(client.request(&[&good]).await),
        Some(XftpError::Handshake),
        "before the relay's hello"
    );
    assert_eq!(refused(client.request(&[]).await), None);
    for bad in
        [client_hello(4, identity().fingerprint), client_hello(3, [1; 32]), vec![0; 16_384], vec![1; 10]]
    {
        assert_eq!(refused(client.request(&[&bad]).await), Some(XftpError::Handshake));
    }
    assert!(client.request(&[&good]).await.is_empty());
    client.session.version = XftpVersion(3);
    let (pong, _) = client.send(XftpCommand::Ping, &EntityId::empty(), None, &[]).await;
    assert_eq!(pong, XftpResponse::Pong);
}

#[tokio::test]
async fn uploads_that_are_not_what_was_said_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let mut client = client(&relay).await;
    let chunk = Chunk::new(1);
    let (sender_id, recipient_ids) = client.create(&chunk).await;
    let mut other = chunk.content.clone();
    other[777] ^= 1;
    let (first, second) = chunk.content.split_at(30_000);
    let cases: [(&[&[u8]], XftpError); 5] = [
        (&[], XftpError::Size),
        (&[first], XftpError::Size),
        (&[first, second, b"x"], XftpError::Size),
        (&[&other], XftpError::Digest),
        (&[second, first], XftpError::Digest),
    ];
    for (body, expected) in cases {
        assert_eq!(client.put(&sender_id, &chunk, body).await, error(expected));
        assert_eq!((relay.used_bytes(), chunk_files(dir.path())), (0, vec![]));
        let not_there = client.get(&recipient_ids[0], &chunk.recipients[0]).await;
        assert_eq!(not_there, Err(XftpError::NoFile));
    }
    assert_eq!(client.put(&sender_id, &chunk, &[first, second]).await, XftpResponse::Ok);
    // A repeated upload must have the size at least.
    assert_eq!(client.put(&sender_id, &chunk, &[first]).await, error(XftpError::Size));
    assert_eq!(client.get(&recipient_ids[0], &chunk.recipients[0]).await, Ok(chunk.content));
    assert_eq!(chunk_files(dir.path()).len(), 1);
}

#[tokio::test]
async fn an_upload_that_is_abandoned_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let mut client = client(&relay).await;
    let chunk = Chunk::new(1);
    let (sender_id, _) = client.create(&chunk).await;
    let (response, body) = client.begin_put(&sender_id, &chunk, &chunk.content[..20_000]).await;
    until(|| !chunk_files(dir.path()).is_empty()).await;
    assert_eq!(relay.used_bytes(), u64::from(SIZE), "room is taken while it goes on");
    drop((response, body, client));
    until(|| relay.used_bytes() == 0 && chunk_files(dir.path()).is_empty()).await;
}

#[tokio::test]
async fn a_chunk_that_is_uploaded_by_two_at_once_is_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let (mut one, mut other) = (client(&relay).await, client(&relay).await);
    let chunk = Chunk::new(1);
    let (sender_id, recipient_ids) = one.create(&chunk).await;
    let (first, second) = chunk.content.split_at(30_000);
    let bodies = [first, second];
    let both = tokio::join!(one.put(&sender_id, &chunk, &bodies), other.put(&sender_id, &chunk, &bodies));
    assert_eq!(both, (XftpResponse::Ok, XftpResponse::Ok));
    assert_eq!((relay.used_bytes(), chunk_files(dir.path()).len()), (u64::from(SIZE), 1));
    assert_eq!(one.get(&recipient_ids[1], &chunk.recipients[1]).await, Ok(chunk.content));
}

#[tokio::test]
async fn quota_counts_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(settings(dir.path()));
    let mut client = client(&relay).await;
    let mut uploaded = Vec::new();
    for n in 0..5_u8 {
        let chunk = Chunk::new(10 * n);
        let (sender_id, _) = client.create(&chunk).await;
        let expected = if n < 4 { XftpResponse::Ok } else { error(XftpError::Quota) };
        assert_eq!(client.put(&sender_id, &chunk, &[&chunk.content]).await, expected);
        uploaded.push((sender_id, chunk));
    }
    let (sender_id, chunk) = &uploaded[0];
    assert_eq!(client.ask(XftpCommand::Delete, sender_id, &chunk.sender).await, XftpResponse::Ok);
    let (sender_id, chunk) = &uploaded[4];
    assert_eq!(client.put(sender_id, chunk, &[&chunk.content]).await, XftpResponse::Ok);
}

#[tokio::test]
async fn every_reason_for_auth_looks_alike() {
    let dir = tempfile::tempdir().unwrap();
    let password = Some(Password::new("secret").unwrap());
    let relay = start(FileSettings { password: password.clone(), ..settings(dir.path()) });
    let mut client = client(&relay).await;
    let chunk = Chunk::new(1);
    let (empty, sender) = (EntityId::empty(), chunk.sender.clone());
    let auth = error(XftpError::Auth);
    let with_password = |password: Option<Password>| {
        let XftpCommand::New(new) = chunk.command(SIZE) else { panic!() };
        XftpCommand::New(Box::new(NewChunk { password, ..*new }))
    };
    for wrong in [None, Some(Password::new("Secret").unwrap())] {
        assert_eq!(client.ask(with_password(wrong), &empty, &sender).await, auth);
    }
    // The key in the command did not sign it.
    assert_eq!(client.ask(with_password(password.clone()), &empty, &chunk.recipients[0]).await, auth);
    let created = client.ask(with_password(password), &empty, &sender).await;
    let XftpResponse::SenderIds(sender_id, recipients) = created else { panic!("{created:?}") };
    let (sender_id, recipient_id) = (EntityId::from(sender_id), EntityId::from(recipients.first()));
    let unknown = EntityId::from([5; 24]);
    for key in [&chunk.sender, &chunk.recipients[0], &chunk.recipients[1]] {
        for (entity, command) in [
            (&unknown, XftpCommand::Delete),
            (&unknown, XftpCommand::Acknowledge),
            (&recipient_id, XftpCommand::Delete),
            (&sender_id, XftpCommand::Acknowledge),
        ] {
            assert_eq!(client.ask(command, entity, key).await, auth);
        }
    }
    assert_eq!(client.ask(XftpCommand::Delete, &sender_id, &chunk.recipients[0]).await, auth);
    assert_eq!(client.ask(XftpCommand::Delete, &sender_id, &sender).await, XftpResponse::Ok);
}

#[tokio::test]
async fn recipients_are_added() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(FileSettings { recipients: 4, ..settings(dir.path()) });
    let mut client = client(&relay).await;
    let chunk = Chunk::new(1);
    let (sender_id, _) = client.create(&chunk).await;
    let key = PrivateAuthKey::from(Ed25519PrivateKey::from_bytes([99; 32]));
    let keys = |count| NonEmpty::new(vec![ChunkRecipientKey(key.public_key()); count]).unwrap();
    let added = client.ask(XftpCommand::AddRecipients(keys(1)), &sender_id, &chunk.sender).await;
    let XftpResponse::RecipientIds(ids) = added else { panic!("{added:?}") };
    let too_many = client.ask(XftpCommand::AddRecipients(keys(2)), &sender_id, &chunk.sender).await;
    assert_eq!(too_many, error(XftpError::Quota));
    assert_eq!(client.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    assert_eq!(client.get(&EntityId::from(ids.first()), &key).await, Ok(chunk.content));
}

#[tokio::test]
async fn old_chunks_go_and_so_do_files_of_an_earlier_run() {
    let dir = tempfile::tempdir().unwrap();
    let relay = start(FileSettings { keep: Duration::ZERO, ..settings(dir.path()) });
    let mut client = client(&relay).await;
    let chunk = Chunk::new(1);
    let (sender_id, recipient_ids) = client.create(&chunk).await;
    assert_eq!(client.put(&sender_id, &chunk, &[&chunk.content]).await, XftpResponse::Ok);
    while relay.expire(10).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.get(&recipient_ids[0], &chunk.recipients[0]).await, Err(XftpError::Auth));
    assert_eq!((relay.used_bytes(), chunk_files(dir.path())), (0, vec![]));

    let other = Chunk::new(9);
    let (sender_id, _) = client.create(&other).await;
    assert_eq!(client.put(&sender_id, &other, &[&other.content]).await, XftpResponse::Ok);
    let left = chunk_files(dir.path()).remove(0);
    let files = dir.path().join("files");
    std::fs::write(files.join("incoming").join(format!("{left}.3")), b"half").unwrap();
    std::fs::write(files.join("chunks/README"), b"of somebody else").unwrap();
    start(settings(dir.path()));
    assert_eq!(chunk_files(dir.path()), ["README"]);
}
