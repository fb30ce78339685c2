//! Damaged blocks, sizes of authorizations, correlation IDs, repeated transmissions.

use anyhow::{Context as _, ensure};
use smp_crypto::block_chain::BLOCK_SIZE;
use smp_protocol::command::Command;
use smp_protocol::error::ErrorType;
use smp_protocol::id::CorrelationId;
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;

use super::client::{Auth, Client};
use super::queue::send;
use super::{CheckResult, Context, checks};

checks! { "blocks":
    6..=19 => a_content_that_cannot_be_cut_is_refused_as_one,
    6..=19 => a_block_that_cannot_be_opened_spoils_its_connection_at_most,
    6..=19 => a_block_may_come_in_pieces,
    6..=19 => an_authorization_of_no_known_size_is_refused,
    16..=19 => the_field_of_services_is_needed,
    6..=6 => another_session_id_is_refused,
    6..=19 => correlation_ids_of_all_sizes_come_back,
    6..=19 => a_repeated_transmission_is_answered_again,
}

/// Without IDs, as none could be read.
async fn expect_block_error(client: &mut Client) -> CheckResult {
    let received = client.receive().await?;
    ensure!(received.message == BrokerMessage::Error(ErrorType::Block), "{:?}", received.message);
    ensure!(received.correlation_id.is_empty() && received.entity_id.is_empty(), "{received:?}");
    Ok(())
}

async fn a_content_that_cannot_be_cut_is_refused_as_one(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let id = Client::correlation_id();
    let ping = client.transmission(Auth::None, id.as_bytes(), &[], b"PING")?;
    let good = [&[1, 0, ping.len() as u8][..], &ping].concat();
    let too_few = [&[2][..], &good[1..]].concat();
    let too_many = [&good[..], &good[1..]].concat();
    let longer = [&good[..], &[0]].concat();
    let cut = &good[..good.len() - 1];
    let empty_transmission = [1, 0, 0];
    let contents: [&[u8]; 8] = [&[], &[0], &[1], &[255; 100], &too_few, &too_many, &longer, cut];
    for content in contents {
        client.send_content(content).await?;
        expect_block_error(&mut client)
            .await
            .with_context(|| format!("content of {} bytes", content.len()))?;
    }
    client.send_content(&empty_transmission).await?;
    expect_block_error(&mut client).await?;
    client.send_content(&good).await?;
    let pong = client.answer(id.as_bytes()).await?;
    ensure!(pong.message == BrokerMessage::Pong, "{:?}", pong.message);
    client.expect_quiet().await
}

/// Nothing in it can be trusted. The reference implementation answers `ERR BLOCK`, and goes on with the next key of the
/// chain; closing the connection is as good. Others must not notice.
async fn a_block_that_cannot_be_opened_spoils_its_connection_at_most(context: &Context) -> CheckResult {
    let (mut client, mut other) = context.connect_two().await?;
    // As a length 65535, and as a tag wrong.
    client.wire.write_raw(&[0xff; BLOCK_SIZE]).await?;
    client.wire.skip_block();
    if let Some(content) = client.wire.read().await? {
        let expected = client.transmission(Auth::None, &[], &[], b"ERR BLOCK")?;
        let expected = [&[1, 0, expected.len() as u8][..], &expected].concat();
        ensure!(content == expected, "{} bytes that are not ERR BLOCK", content.len());
        client.expect_quiet().await?;
    }
    other.expect_quiet().await
}

async fn a_block_may_come_in_pieces(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let id = Client::correlation_id();
    let ping = client.transmission(Auth::None, id.as_bytes(), &[], b"PING")?;
    let content = [&[1, 0, ping.len() as u8][..], &ping].concat();
    let block = client.wire.seal(&content)?;
    for piece in block.chunks(5_000) {
        client.wire.write_raw(piece).await?;
        tokio::task::yield_now().await;
    }
    let pong = client.answer(id.as_bytes()).await?;
    ensure!(pong.message == BrokerMessage::Pong, "{:?}", pong.message);
    Ok(())
}

/// The correlation ID can be read and is given back, the entity ID is not. Sizes are 0, 64, 80 and 114.
async fn an_authorization_of_no_known_size_is_refused(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    for size in [1, 32, 63, 65, 79, 81, 113, 115, 128, 255] {
        let id = Client::correlation_id();
        let auth = vec![1; size];
        let entity_id = queue.recipient().as_bytes();
        let sub = client.transmission(Auth::Bytes(&auth), id.as_bytes(), entity_id, b"SUB")?;
        client.send(&[sub]).await?;
        let received = client.answer(id.as_bytes()).await?;
        ensure!(received.message == BrokerMessage::Error(ErrorType::Block), "{size}: {:?}", received.message);
        ensure!(received.entity_id.is_empty(), "{size}: {received:?}");
    }
    client.expect_quiet().await
}

/// Since version 16 it follows every authorization, also where there is no service.
async fn the_field_of_services_is_needed(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let id = Client::correlation_id();
    let off = client.transmission(queue.auth(), id.as_bytes(), queue.recipient().as_bytes(), b"OFF")?;
    // Behind the length and 64 bytes.
    ensure!(off.get(65) == Some(&b'0'), "the transmission has no field to be left out");
    let without = [&off[..65], &off[66..]].concat();
    let wrong = [&off[..65], b"2", &off[66..]].concat();
    let short_signature = [&off[..65], b"1\x3f", &[1; 63], &off[66..]].concat();
    for damaged in [without, wrong, short_signature] {
        client.send(&[damaged]).await?;
        expect_block_error(&mut client).await?;
    }
    // An empty authorization has none.
    let ping = [&[0, b'0'][..], &client.transmission(Auth::None, id.as_bytes(), &[], b"PING")?[1..]].concat();
    client.send(&[ping]).await?;
    let received = client.receive().await?;
    ensure!(received.message != BrokerMessage::Pong, "the field was read after no authorization");
    client.send(&[off]).await?;
    let answer = client.answer(id.as_bytes()).await?;
    ensure!(answer.message == BrokerMessage::Ok, "{:?}", answer.message);
    Ok(())
}

/// Before version 7 it is part of every transmission.
async fn another_session_id_is_refused(context: &Context) -> CheckResult {
    ensure!(context.version < SmpVersion::AUTH_COMMANDS, "the session ID is not sent");
    let mut client = context.connect().await?;
    let right = client.session.clone();
    for id in [vec![1; 32], Vec::new(), right.id.as_bytes()[..31].to_vec()] {
        let mut session = right.clone();
        session.id = smp_protocol::id::SessionId::new(&id)?;
        let correlation_id = Client::correlation_id();
        let ping = client.transmission_in(&session, Auth::None, correlation_id.as_bytes(), &[], b"PING")?;
        client.send(&[ping]).await?;
        let received = client.answer(correlation_id.as_bytes()).await?;
        ensure!(received.message == BrokerMessage::Error(ErrorType::Session), "{:?}", received.message);
        ensure!(received.entity_id.is_empty(), "{received:?}");
    }
    client.expect_quiet().await
}

/// Clients make 24 random bytes; relays give back whatever they get.
async fn correlation_ids_of_all_sizes_come_back(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    for size in [1, 8, 23, 24, 25, 255] {
        let id = CorrelationId::new(&vec![size as u8; size])?;
        let pong = client.ask_as(&id, Auth::None, &[], b"PING").await?;
        ensure!(pong.message == BrokerMessage::Pong, "{:?}", pong.message);
        let ok = client.ask_as(&id, queue.auth(), queue.recipient().as_bytes(), b"NDEL").await?;
        ensure!(ok.message == BrokerMessage::Ok, "{:?}", ok.message);
    }
    // One of no bytes looks like none, but the answer has it.
    let ping = client.transmission(Auth::None, &[], &[], b"PING")?;
    client.send(&[ping]).await?;
    let pong = client.receive().await?;
    ensure!(pong.correlation_id.is_empty() && pong.message == BrokerMessage::Pong, "{pong:?}");
    // Authenticators use it as a nonce, cut or filled up.
    if context.since(SmpVersion::AUTH_COMMANDS) {
        let key = client.secure(&queue).await?;
        for size in [1, 30] {
            let id = CorrelationId::new(&vec![9; size])?;
            let command = send(b"text").to_bytes(context.version);
            let ok = client.ask_as(&id, Auth::Key(&key), queue.sender().as_bytes(), &command).await?;
            ensure!(ok.message == BrokerMessage::Ok, "{:?}", ok.message);
        }
    }
    Ok(())
}

/// Relays remember no correlation IDs. That commands can be repeated without harm is a matter of each command.
async fn a_repeated_transmission_is_answered_again(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let id = Client::correlation_id();
    let key = super::queue::sender_key(context.version);
    let command = Command::Secure(key.public_key().into()).to_bytes(context.version);
    let secure = client.transmission(queue.auth(), id.as_bytes(), queue.recipient().as_bytes(), &command)?;
    for _ in 0..2 {
        client.send(&[secure.clone(), secure.clone()]).await?;
        for _ in 0..2 {
            let answer = client.answer(id.as_bytes()).await?;
            ensure!(answer.message == BrokerMessage::Ok, "{:?}", answer.message);
        }
    }
    let id = Client::correlation_id();
    let delete = client.transmission(queue.auth(), id.as_bytes(), queue.recipient().as_bytes(), b"DEL")?;
    client.send(std::slice::from_ref(&delete)).await?;
    ensure!(client.answer(id.as_bytes()).await?.message == BrokerMessage::Ok, "not deleted");
    client.send(&[delete]).await?;
    let again = client.answer(id.as_bytes()).await?;
    ensure!(again.message == BrokerMessage::Error(ErrorType::Auth), "{:?}", again.message);
    Ok(())
}
