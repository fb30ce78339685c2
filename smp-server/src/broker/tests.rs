//! What sessions of services get, and lose.

use smp_protocol::command::ServiceQueues;

use super::*;
use crate::testing;

/// A command that is done only after its session has ended.
#[tokio::test]
async fn a_session_that_has_ended_does_not_serve_instead_of_another_one() {
    let broker = testing::broker();
    let service = testing::service(ServiceRole::Notifier);
    let (late, live) =
        (testing::service_session(&broker, &service), testing::service_session(&broker, &service));
    let queue = testing::queue(&broker).await;
    let notifier = queue.notifier.as_ref().unwrap();
    broker.session_ended(&late);
    broker.subscribe_notifications(notifier, None, Some(&service.id), &live).unwrap();
    assert!(broker.subscribe_notifications(notifier, None, Some(&service.id), &late).is_err());
    let hash = IdsHash::of(notifier.id.as_bytes());
    assert!(broker.join_service(&service.id, ServiceRole::Notifier, &late, hash, false).is_err());
    let serving = broker.services(ServiceRole::Notifier).session(&service.id).unwrap();
    assert_eq!(serving.number(), live.number());
    assert!(live.sent().is_empty(), "it is not told that it has been displaced");
    assert_eq!(live.joined().1, std::slice::from_ref(&notifier.id));
}

/// It was found as the session of the service, and another one has come before the queue was entered for it.
#[tokio::test]
async fn a_queue_goes_to_the_session_that_serves_now() {
    let broker = testing::broker();
    let service = testing::service(ServiceRole::Messaging);
    let (one, two) =
        (testing::service_session(&broker, &service), testing::service_session(&broker, &service));
    let queue = testing::queue_of(&broker, &service).await;
    let services = broker.services(ServiceRole::Messaging);
    assert!(services.subscribe_all(&service.id, &two, ServiceQueues::default()).is_ok());
    assert!(!broker.deliver_to_serving(&queue, &service.id, &one));
    assert!(one.joined().0.is_empty());
    broker.message_sent(&queue);
    assert_eq!(two.joined().0, std::slice::from_ref(&queue.recipient_id));
    assert!(broker.subscriptions.delivery(&queue.recipient_id, &two).is_some());
}

/// `ENDS` says all, whichever command another session of the service has displaced it with.
#[tokio::test]
async fn a_session_that_is_displaced_by_its_own_service_is_told_once() {
    for role in [ServiceRole::Messaging, ServiceRole::Notifier] {
        let broker = testing::broker();
        let service = testing::service(role);
        let (one, two) =
            (testing::service_session(&broker, &service), testing::service_session(&broker, &service));
        let queue = testing::queue_of(&broker, &service).await;
        for session in [&one, &two] {
            let (previous, service) = (Some(&service.id), Some(&service.id));
            match (role, &queue.notifier) {
                (ServiceRole::Notifier, Some(notifier)) => {
                    broker.subscribe_notifications(notifier, previous, service, session).unwrap();
                }
                _ => broker.subscribe(&queue, previous, service, session).unwrap(),
            }
        }
        let told = one.sent();
        assert!(
            matches!(told[..], [BrokerMessage::EndAll(queues)] if queues.count == 1),
            "{role:?}: {told:?}"
        );
        assert!(two.sent().is_empty());
    }
}
