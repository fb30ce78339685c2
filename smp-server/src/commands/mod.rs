//! The commands of clients, each in a file of its own: what it does, and when it is refused.
//!
//! [`run`] first finds the queue that the command is about and verifies who sends it ([`authorize`]), then hands it to its
//! file (protocol-spec chapter 4).

mod ack;
mod authorize;
mod del;
mod error;
mod get;
mod key;
mod ldel;
mod lget;
mod lkey;
mod lset;
mod ndel;
mod new;
mod nkey;
mod nsub;
mod off;
mod pfwd;
mod ping;
mod prxy;
mod que;
mod rfwd;
mod rkey;
mod send;
mod skey;
mod sub;
mod subs;
#[cfg(test)]
mod timing;

use std::sync::{Arc, atomic::Ordering};

use smp_protocol::{
    command::Command,
    error::{CommandError, ErrorType},
    id::{CorrelationId, EntityId, ServiceId},
    version::SmpVersion,
};

pub(crate) use self::{
    authorize::OwnedProof,
    rfwd::{Envelope, open},
};
use crate::{
    broker::{Broker, now},
    session::{Answer, Service, Session},
    store::{Day, NewService, QueueChange, QueueMode, QueueRecord, StoreError, Updated},
};

/// Whose command it is, and what it is about.
pub(crate) struct Context {
    pub(crate) broker: Arc<Broker>,
    pub(crate) session: Arc<Session>,
    /// The version the command is written in: that of the session, or of who sends through a proxy.
    pub(crate) version: SmpVersion,
    pub(crate) corr_id: CorrelationId,
    pub(crate) entity_id: EntityId,
    /// The service that sends it.
    pub(crate) service: Option<Service>,
}

/// The answer, or the error that is answered.
pub(crate) type Outcome = Result<Answer, ErrorType>;

/// Verifies and runs a command.
pub(crate) async fn run(cx: &Context, command: Command<'_>, proof: &OwnedProof) -> Answer {
    match verify_and_run(cx, command, proof).await {
        Ok(answer) => answer,
        Err(error) => error.into(),
    }
}

async fn verify_and_run(cx: &Context, command: Command<'_>, proof: &OwnedProof) -> Outcome {
    let queue = authorize::authorize(cx, &command, proof).await?;
    // Anybody can do these without having anything here.
    let shows_nothing =
        matches!(command, Command::Ping | Command::SubscribeAll(_) | Command::SubscribeAllNotifications(_));
    let answer = match (command, queue) {
        (Command::Ping, _) => Ok(ping::run()),
        (Command::New(request), _) => new::run(cx, *request).await,
        (Command::SubscribeAll(_) | Command::SubscribeAllNotifications(_), _) => subs::run(cx).await,
        (Command::ProxySession { relay, password }, _) => prxy::run(cx, &relay, password).await,
        (Command::ProxyForward { version, key, transmission }, _) => {
            pfwd::run(cx, version, key, &transmission).await
        }
        (command, Some(queue)) => run_on_queue(cx, command, queue).await,
        (_, None) => Err(CommandError::Prohibited.into()),
    }?;
    if !shows_nothing {
        cx.session.guest.note_known();
    }
    Ok(answer)
}

async fn run_on_queue(cx: &Context, command: Command<'_>, queue: Arc<QueueRecord>) -> Outcome {
    match command {
        // These three work on blocked queues, and do not count as use.
        Command::Suspend => return off::run(cx, &queue).await,
        Command::Delete => return del::run(cx, &queue).await,
        Command::SubscribeNotifications => return nsub::run(cx, &queue).await,
        // It sees for itself whether the queue is blocked.
        Command::Send(..) => {}
        _ => queue.status.refuse_blocked()?,
    }
    cx.note_use(&queue).await;
    match command {
        Command::Subscribe => sub::run(cx, &queue).await,
        Command::Secure(key) => key::run(cx, &queue, key).await,
        Command::SetRecipientKeys(keys) => rkey::run(cx, &queue, &keys).await,
        Command::SetLink(id, data) => lset::run(cx, &queue, id, data).await,
        Command::DeleteLink => ldel::run(cx, &queue).await,
        Command::SetNotifier(key, dh_key) => nkey::run(cx, &queue, key, dh_key).await,
        Command::DeleteNotifier => ndel::run(cx, &queue).await,
        Command::Get => get::run(cx, &queue).await,
        Command::Acknowledge(id) => ack::run(cx, &queue, &id).await,
        Command::QueueInfo => que::run(cx, &queue).await,
        Command::SenderSecure(key) => skey::run(cx, &queue, key).await,
        Command::Send(flags, body) => send::run(cx, &queue, flags, body.into_owned()).await,
        Command::SecureAndGetLink(key) => lkey::run(cx, &queue, key).await,
        Command::GetLink => lget::run(cx, &queue).await,
        _ => Err(CommandError::Prohibited.into()),
    }
}

impl Context {
    /// The ID of the service that sends it.
    fn service_id(&self) -> Option<&ServiceId> {
        self.service.as_ref().map(|service| &service.id)
    }

    /// Has the store keep the service that sends it, which is about to have a queue.
    ///
    /// # Errors
    ///
    /// `SERVICE` if it has become another one since the handshake.
    async fn keep_service(&self) -> Result<(), ErrorType> {
        let Some(service) = self.service.as_ref().filter(|s| !s.is_kept.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        let new = NewService {
            id: service.id.clone(),
            role: service.role,
            certificates: Vec::new(),
            fingerprint: service.fingerprint.to_vec(),
            created: Day::of(now()),
        };
        let kept = self.broker.store.service(new).await?;
        if kept != service.id {
            return Err(ErrorType::Service);
        }
        service.is_kept.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Changes the queue's record and waits until that is durable.
    async fn change(&self, queue: &QueueRecord, change: QueueChange) -> Result<Updated, StoreError> {
        self.broker.store.update_queue(&queue.recipient_id, change).await
    }

    /// Like [`Context::change`] for commands that have nothing else to say than `OK`.
    async fn change_and_confirm(&self, queue: &QueueRecord, change: QueueChange) -> Outcome {
        self.change(queue, change).await?;
        Ok(Answer::ok())
    }

    /// Notes the day of use. If that fails the queue only seems to be idle for longer.
    async fn note_use(&self, queue: &QueueRecord) {
        let today = Day::of(now());
        if queue.updated != Some(today) {
            let _ = self.change(queue, QueueChange::Used(today)).await;
        }
    }
}

/// Whether anybody may send requests to it. Contact queues from before version 9 have no mode; they are never secured.
fn is_contact(queue: &QueueRecord) -> bool {
    match queue.mode {
        Some(mode) => mode == QueueMode::Contact,
        None => queue.sender_key.is_none(),
    }
}

/// Whether it is a queue of one connection that nobody else can send to.
fn is_secured_messaging(queue: &QueueRecord) -> bool {
    queue.mode != Some(QueueMode::Contact) && queue.sender_key.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::ServiceRole, testing};

    /// Anybody can make certificates.
    #[tokio::test]
    async fn a_service_is_kept_when_it_gets_a_queue() {
        let broker = testing::broker();
        let service = testing::service(ServiceRole::Messaging);
        let (session, queue) = (testing::service_session(&broker, &service), testing::queue(&broker).await);
        let cx = testing::context(&broker, &session, &queue.recipient_id);
        assert!(subs::run(&cx).await.is_ok());
        assert_eq!(broker.store.counts().messaging_services, 0);
        assert!(sub::run(&cx, &queue).await.is_ok());
        assert_eq!(broker.store.counts().messaging_services, 1);
    }

    /// Both commands were authorized before either was done, so that each knows the queue as it was before the other.
    #[tokio::test]
    async fn a_queue_leaves_its_service_once() {
        let broker = testing::broker();
        let service = testing::service(ServiceRole::Messaging);
        let serving = testing::service_session(&broker, &service);
        let queues = [testing::queue_of(&broker, &service).await, testing::queue_of(&broker, &service).await];
        let count =
            || broker.services(ServiceRole::Messaging).subscribed(&service.id, &serving).unwrap().count;
        subs::run(&testing::context(&broker, &serving, &service.id)).await.unwrap();
        assert_eq!(count(), 2);
        for _ in 0..2 {
            let client = testing::session(&broker);
            let cx = testing::context(&broker, &client, &queues[0].recipient_id);
            sub::run(&cx, &queues[0]).await.unwrap();
        }
        assert_eq!(count(), 1);
    }

    #[tokio::test]
    async fn the_last_who_subscribes_has_the_queue() {
        let broker = testing::broker();
        let service = testing::service(ServiceRole::Messaging);
        let (serving, client) = (testing::service_session(&broker, &service), testing::session(&broker));
        let queue = testing::queue(&broker).await;
        for session in [&serving, &client] {
            sub::run(&testing::context(&broker, session, &queue.recipient_id), &queue).await.unwrap();
        }
        let now = broker.store.find_queue(crate::store::QueueId::Recipient(&queue.recipient_id)).await;
        assert_eq!(now.unwrap().unwrap().recipient_service, None);
        let stored = broker.store.service_queues(&service.id, ServiceRole::Messaging).await.unwrap();
        assert_eq!(stored.count, 0);
    }

    #[tokio::test]
    async fn the_last_who_subscribes_has_the_notifier() {
        let broker = testing::broker();
        let service = testing::service(ServiceRole::Notifier);
        let (serving, client) = (testing::service_session(&broker, &service), testing::session(&broker));
        let queue = testing::queue(&broker).await;
        let notifier = &queue.notifier.as_ref().unwrap().id;
        for session in [&serving, &client, &client] {
            nsub::run(&testing::context(&broker, session, notifier), &queue).await.unwrap();
        }
        let stored = broker.store.service_queues(&service.id, ServiceRole::Notifier).await.unwrap();
        assert_eq!(stored.count, 0);
    }
}
