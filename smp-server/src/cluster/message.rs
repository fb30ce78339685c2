//! Requests of one process to another, and the answers to them.

use smp_crypto::{Nonce, Signature, X25519PrivateKey, authenticator};
use smp_protocol::{
    command::IdsHash,
    encoding::ShortString,
    id::{CorrelationId, EntityId, NotifierId, RecipientId, ServiceId},
};

use super::codec::{Input, Output, Wrong};
use crate::{
    broker::{Abroad, Notification},
    store::{ProcessId, ServiceRole},
};

/// A request.
pub(crate) enum Request {
    /// A command about a queue of that process.
    Run(Box<Run>),
    /// A client of this process has gone. Not answered.
    Ended(u64),
    /// A queue of a service that has subscribed to all of them here.
    Give {
        /// The process that asks for it.
        to: ProcessId,
        /// The queue.
        queue: RecipientId,
        /// Its service.
        service: ServiceId,
    },
    /// Notifications that wait for notifiers; if `subscribed`, a client has subscribed to them here, instead of any there.
    ClaimNotifications {
        /// The notifiers.
        notifiers: Vec<NotifierId>,
        /// Whether subscriptions there end.
        subscribed: bool,
    },
    /// Something for clients of that process. Answered if it is a notification.
    Abroad(Abroad),
    /// An order of an operator, as over the control socket.
    Order(String),
}

/// A command of a client.
pub(crate) struct Run {
    /// The process of the client, which gets the queue if the command is `SUB`.
    pub(crate) from: ProcessId,
    /// The client.
    pub(crate) caller: CallerFacts,
    /// Whether the client is a service in this command: it is not if a proxy has forwarded it.
    pub(crate) is_of_service: bool,
    /// The version that the command was written in.
    pub(crate) version: u16,
    pub(crate) corr_id: CorrelationId,
    pub(crate) entity_id: EntityId,
    /// As in the newest version.
    pub(crate) command: Vec<u8>,
    pub(crate) proof: Proof,
}

/// Everything about a client that its commands depend on.
pub(crate) struct CallerFacts {
    /// Tells clients of a process apart.
    pub(crate) number: u64,
    /// The relay's key of the session, which verifies authenticators.
    pub(crate) key: X25519PrivateKey,
    pub(crate) service: Option<ServiceFacts>,
}

/// A client that is a service.
pub(crate) struct ServiceFacts {
    pub(crate) id: ServiceId,
    pub(crate) role: ServiceRole,
    pub(crate) fingerprint: [u8; 32],
    /// In DER.
    pub(crate) key: Vec<u8>,
}

/// The authorization of a command.
pub(crate) struct Proof {
    pub(crate) authorization: Authorization,
    pub(crate) service_signature: Option<[u8; 64]>,
    /// The bytes that signatures cover.
    pub(crate) authorized: Vec<u8>,
}

/// See [`crate::auth::Authorization`].
pub(crate) enum Authorization {
    Missing,
    Signature(Signature),
    Authenticator { bytes: [u8; authenticator::SIZE], digest: [u8; authenticator::DIGEST_SIZE] },
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The answer to the client, as in the newest version.
    Answer(Vec<u8>),
    /// That process has not got the queue.
    NotHere,
    /// The queue is the asking process's from now on.
    Given,
    /// `NSUB` was authorized, for this notifier, which was this service's before.
    MaySubscribe {
        /// The notifier.
        notifier: NotifierId,
        /// The service that had it.
        previous: Option<ServiceId>,
    },
    /// Notifications that have waited.
    Notifications(Vec<(NotifierId, Notification)>),
    /// A client there has got the notification.
    Taken,
    /// Nothing is there.
    Nothing,
    /// The answer to an operator's order, as over the control socket.
    Said(String),
}

impl Request {
    pub(super) fn encode(&self, out: &mut Output) {
        match self {
            Self::Run(run) => {
                out.byte(0);
                run.encode(out);
            }
            Self::Ended(client) => {
                out.byte(1);
                out.number(*client);
            }
            Self::Give { to, queue, service } => {
                out.byte(2);
                out.process(*to);
                out.short(queue.as_bytes());
                out.short(service.as_bytes());
            }
            Self::ClaimNotifications { notifiers, subscribed } => {
                out.byte(3);
                out.flag(*subscribed);
                out.count(notifiers.len());
                notifiers.iter().for_each(|notifier| out.short(notifier.as_bytes()));
            }
            Self::Abroad(abroad) => {
                out.byte(4);
                encode_abroad(abroad, out);
            }
            Self::Order(order) => {
                out.byte(5);
                out.large(order.as_bytes());
            }
        }
    }

    pub(super) fn decode(input: &mut Input<'_>) -> Result<Self, Wrong> {
        Ok(match input.byte()? {
            0 => Self::Run(Box::new(Run::decode(input)?)),
            1 => Self::Ended(input.number()?),
            2 => Self::Give { to: input.process()?, queue: input.id()?, service: input.id()? },
            3 => {
                let subscribed = input.flag()?;
                let count = input.count()?;
                let notifiers = (0..count).map(|_| input.id()).collect::<Result<_, _>>()?;
                Self::ClaimNotifications { notifiers, subscribed }
            }
            4 => Self::Abroad(decode_abroad(input)?),
            5 => Self::Order(input.text()?),
            _ => return Err(Wrong),
        })
    }
}

impl Run {
    fn encode(&self, out: &mut Output) {
        out.process(self.from);
        out.number(self.caller.number);
        out.fixed(self.caller.key.as_bytes());
        out.flag(self.caller.service.is_some());
        if let Some(service) = &self.caller.service {
            out.short(service.id.as_bytes());
            out.role(service.role);
            out.fixed(&service.fingerprint);
            out.short(&service.key);
        }
        out.flag(self.is_of_service);
        out.short_number(self.version);
        out.short(self.corr_id.as_bytes());
        out.short(self.entity_id.as_bytes());
        out.large(&self.command);
        match &self.proof.authorization {
            Authorization::Missing => out.byte(0),
            Authorization::Signature(signature) => {
                out.byte(1);
                out.short(signature.as_bytes());
            }
            Authorization::Authenticator { bytes, digest } => {
                out.byte(2);
                out.fixed(bytes);
                out.fixed(digest);
            }
        }
        out.flag(self.proof.service_signature.is_some());
        if let Some(signature) = &self.proof.service_signature {
            out.fixed(signature);
        }
        out.large(&self.proof.authorized);
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, Wrong> {
        let from = input.process()?;
        let (number, key) = (input.number()?, X25519PrivateKey::from_bytes(input.fixed()?));
        let service = match input.flag()? {
            false => None,
            true => Some(ServiceFacts {
                id: input.id()?,
                role: input.role()?,
                fingerprint: input.fixed()?,
                key: input.short()?.to_vec(),
            }),
        };
        let (is_of_service, version) = (input.flag()?, input.short_number()?);
        let (corr_id, entity_id) = (input.id()?, input.id()?);
        let command = input.large()?.to_vec();
        let authorization = match input.byte()? {
            0 => Authorization::Missing,
            1 => Authorization::Signature(Signature::from_slice(input.short()?).map_err(|_| Wrong)?),
            2 => Authorization::Authenticator { bytes: input.fixed()?, digest: input.fixed()? },
            _ => return Err(Wrong),
        };
        let service_signature = if input.flag()? { Some(input.fixed()?) } else { None };
        let proof = Proof { authorization, service_signature, authorized: input.large()?.to_vec() };
        let caller = CallerFacts { number, key, service };
        Ok(Self { from, caller, is_of_service, version, corr_id, entity_id, command, proof })
    }
}

impl Reply {
    pub(super) fn encode(&self, out: &mut Output) {
        match self {
            Self::Answer(message) => {
                out.byte(0);
                out.large(message);
            }
            Self::NotHere => out.byte(1),
            Self::Given => out.byte(2),
            Self::MaySubscribe { notifier, previous } => {
                out.byte(3);
                out.short(notifier.as_bytes());
                out.optional(previous.as_ref().map(ServiceId::as_bytes));
            }
            Self::Notifications(notifications) => {
                out.byte(4);
                out.count(notifications.len());
                for (notifier, notification) in notifications {
                    out.short(notifier.as_bytes());
                    encode_notification(notification, out);
                }
            }
            Self::Taken => out.byte(5),
            Self::Nothing => out.byte(6),
            Self::Said(text) => {
                out.byte(7);
                out.large(text.as_bytes());
            }
        }
    }

    pub(super) fn decode(input: &mut Input<'_>) -> Result<Self, Wrong> {
        Ok(match input.byte()? {
            0 => Self::Answer(input.large()?.to_vec()),
            1 => Self::NotHere,
            2 => Self::Given,
            3 => Self::MaySubscribe { notifier: input.id()?, previous: input.optional_id()? },
            4 => {
                let count = input.count()?;
                let one = |input: &mut Input<'_>| Ok((input.id()?, decode_notification(input)?));
                Self::Notifications((0..count).map(|_| one(input)).collect::<Result<_, _>>()?)
            }
            5 => Self::Taken,
            6 => Self::Nothing,
            7 => Self::Said(input.text()?),
            _ => return Err(Wrong),
        })
    }
}

fn encode_abroad(abroad: &Abroad, out: &mut Output) {
    match abroad {
        Abroad::Notify { notifier, service, notification } => {
            out.byte(0);
            out.short(notifier.as_bytes());
            out.optional(service.as_ref().map(ServiceId::as_bytes));
            encode_notification(notification, out);
        }
        Abroad::Serves { role, service } => {
            out.byte(1);
            out.role(*role);
            out.short(service.as_bytes());
        }
        Abroad::LeftService { role, service, queue, entity, deleted } => {
            out.byte(2);
            out.role(*role);
            out.short(service.as_bytes());
            out.fixed(&queue.0);
            out.short(entity.as_bytes());
            out.flag(*deleted);
        }
        Abroad::NotifierDeleted { notifier } => {
            out.byte(3);
            out.short(notifier.as_bytes());
        }
    }
}

fn decode_abroad(input: &mut Input<'_>) -> Result<Abroad, Wrong> {
    Ok(match input.byte()? {
        0 => Abroad::Notify {
            notifier: input.id()?,
            service: input.optional_id()?,
            notification: decode_notification(input)?,
        },
        1 => Abroad::Serves { role: input.role()?, service: input.id()? },
        2 => Abroad::LeftService {
            role: input.role()?,
            service: input.id()?,
            queue: IdsHash(input.fixed()?),
            entity: input.id()?,
            deleted: input.flag()?,
        },
        3 => Abroad::NotifierDeleted { notifier: input.id()? },
        _ => return Err(Wrong),
    })
}

fn encode_notification(notification: &Notification, out: &mut Output) {
    out.number(notification.timestamp);
    out.fixed(notification.nonce.as_bytes());
    out.short(notification.meta.as_bytes());
}

fn decode_notification(input: &mut Input<'_>) -> Result<Notification, Wrong> {
    Ok(Notification {
        timestamp: input.number()?,
        nonce: Nonce::from_bytes(input.fixed()?),
        meta: ShortString::new(input.short()?.to_vec()).map_err(|_| Wrong)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(request: &Request) -> Vec<u8> {
        let mut out = Output::default();
        request.encode(&mut out);
        out.into_bytes().to_vec()
    }

    fn reply(reply: &Reply) -> Vec<u8> {
        let mut out = Output::default();
        reply.encode(&mut out);
        out.into_bytes().to_vec()
    }

    fn run(authorization: Authorization, service: bool) -> Request {
        let service = service.then(|| ServiceFacts {
            id: [1; 24].into(),
            role: ServiceRole::Notifier,
            fingerprint: [2; 32],
            key: vec![3; 44],
        });
        let service_signature = service.is_some().then_some([4; 64]);
        Request::Run(Box::new(Run {
            from: ProcessId(7),
            caller: CallerFacts { number: 8, key: X25519PrivateKey::from_bytes([5; 32]), service },
            is_of_service: true,
            version: 19,
            corr_id: [6; 24].into(),
            entity_id: [7; 24].into(),
            command: vec![8; 16_000],
            proof: Proof { authorization, service_signature, authorized: vec![9; 16_100] },
        }))
    }

    fn notification() -> Notification {
        let meta = ShortString::new(vec![5; 60]).unwrap();
        Notification { timestamp: 77, nonce: Nonce::from_bytes([3; 24]), meta }
    }

    #[test]
    fn requests_are_read_as_they_are_written() {
        let abroad = [
            Abroad::Notify { notifier: [1; 24].into(), service: None, notification: notification() },
            Abroad::Notify {
                notifier: [1; 24].into(),
                service: Some([9; 24].into()),
                notification: notification(),
            },
            Abroad::Serves { role: ServiceRole::Messaging, service: [2; 24].into() },
            Abroad::LeftService {
                role: ServiceRole::Notifier,
                service: [2; 24].into(),
                queue: IdsHash([6; 16]),
                entity: [7; 24].into(),
                deleted: true,
            },
            Abroad::NotifierDeleted { notifier: [2; 24].into() },
        ];
        let signature = |length: usize| Signature::from_slice(&vec![1; length]).unwrap();
        let others = [
            run(Authorization::Missing, false),
            run(Authorization::Signature(signature(64)), true),
            run(Authorization::Signature(signature(114)), false),
            run(Authorization::Authenticator { bytes: [1; 80], digest: [2; 64] }, true),
            Request::Ended(u64::MAX),
            Request::Give { to: ProcessId(9), queue: [1; 24].into(), service: [2; 24].into() },
            Request::ClaimNotifications { notifiers: vec![[1; 24].into(), [2; 24].into()], subscribed: true },
            Request::Order("unblock AAAA".to_owned()),
        ];
        for written in abroad.into_iter().map(Request::Abroad).chain(others) {
            let bytes = request(&written);
            let mut input = Input::new(&bytes);
            let read = Request::decode(&mut input).unwrap();
            input.end().unwrap();
            assert_eq!(request(&read), bytes);
            for length in 0..bytes.len().min(400) {
                assert!(Request::decode(&mut Input::new(&bytes[..length])).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn replies_are_read_as_they_are_written() {
        let notifications = vec![([1; 24].into(), notification()), ([2; 24].into(), notification())];
        for written in [
            Reply::Answer(vec![1; 16_300]),
            Reply::NotHere,
            Reply::Given,
            Reply::MaySubscribe { notifier: [1; 24].into(), previous: Some([2; 24].into()) },
            Reply::MaySubscribe { notifier: [1; 24].into(), previous: None },
            Reply::Notifications(notifications),
            Reply::Taken,
            Reply::Nothing,
            Reply::Said("{}".to_owned()),
        ] {
            let bytes = reply(&written);
            let mut input = Input::new(&bytes);
            assert_eq!(Reply::decode(&mut input).unwrap(), written);
            input.end().unwrap();
        }
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(first in 0..9_u8, mut rest in prop::collection::vec(any::<u8>(), 0..300)) {
            rest.insert(0, first);
            let _ = Request::decode(&mut Input::new(&rest));
            let _ = Reply::decode(&mut Input::new(&rest));
        }
    }
}
