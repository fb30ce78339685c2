//! Refusals, which tell nothing.

use smp_crypto::PrivateAuthKey;
use smp_protocol::{
    command::{Command, ServiceQueues},
    error::{CommandError, ErrorType},
    id::EntityId,
    key::SenderAuthKey,
};

use crate::support::{ed25519, refused, relay, send, x25519};

#[tokio::test]
async fn unknown_queues_wrong_keys_and_wrong_ids_look_the_same() {
    let relay = relay().await;
    let alice = relay.client().await;
    let queue = alice.queue().await;
    let key = alice.secure(&queue).await;
    let unknown = EntityId::from([9; 24]);
    let commands: [fn(&PrivateAuthKey) -> Command<'static>; 8] = [
        |_| Command::Subscribe,
        |_| Command::Suspend,
        |_| Command::Get,
        |_| Command::QueueInfo,
        |_| Command::DeleteNotifier,
        |_| Command::SubscribeNotifications,
        |_| send(b"message"),
        |key| Command::SenderSecure(SenderAuthKey(key.public_key())),
    ];
    for command in commands {
        for wrong in [ed25519(), x25519()] {
            for entity in [unknown.clone(), queue.recipient().into(), queue.sender().into()] {
                let answer = alice.ask(Some(&wrong), entity, command(&wrong)).await;
                assert_eq!(refused(answer), ErrorType::Auth, "{:?}", command(&wrong));
            }
        }
    }
    // The right key with the ID of the other side.
    assert_eq!(
        refused(alice.ask(Some(&queue.key), queue.sender(), Command::Subscribe).await),
        ErrorType::Auth
    );
    assert_eq!(refused(alice.ask(Some(&key), queue.recipient(), send(b"")).await), ErrorType::Auth);
    assert_eq!(refused(alice.ask(None, queue.recipient(), send(b"")).await), ErrorType::Auth);
    assert_eq!(refused(alice.ask(None, unknown.clone(), send(b"")).await), ErrorType::Auth);
    assert_eq!(refused(alice.ask(None, unknown, Command::GetLink).await), ErrorType::Auth);
}

#[tokio::test]
async fn credentials_must_be_those_of_the_command() {
    let relay = relay().await;
    let alice = relay.client().await;
    let queue = alice.queue().await;
    let key = &queue.key;
    let (id, none) = (EntityId::from(queue.recipient()), EntityId::empty());
    let cases = [
        (None, id.clone(), Command::Subscribe, CommandError::NoAuth),
        (Some(key), none.clone(), Command::Subscribe, CommandError::NoAuth),
        (Some(key), none.clone(), Command::Ping, CommandError::HasAuth),
        (None, id.clone(), Command::Ping, CommandError::HasAuth),
        (None, none.clone(), send(b""), CommandError::NoEntity),
        (Some(key), id, Command::GetLink, CommandError::HasAuth),
    ];
    for (key, entity, command, error) in cases {
        assert_eq!(refused(alice.ask(key, entity, command).await), ErrorType::Command(error));
    }
}

#[tokio::test]
async fn service_commands_need_a_service_session() {
    let relay = relay().await;
    let alice = relay.client().await;
    let key = ed25519();
    for command in [
        Command::SubscribeAll(ServiceQueues::default()),
        Command::SubscribeAllNotifications(ServiceQueues::default()),
    ] {
        assert_eq!(
            refused(alice.ask(Some(&key), EntityId::from([1; 24]), command).await),
            ErrorType::Service
        );
    }
}
