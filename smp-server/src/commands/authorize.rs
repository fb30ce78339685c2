//! Authorization of a command: finds its queue and verifies the key that has authorized it.
//!
//! Whether the queue is unknown, the ID is one of another kind, or the key is another one: the answer is `AUTH`, after the
//! same work, reads from the disk included.

use std::{slice, sync::Arc};

use smp_crypto::{Nonce, PublicAuthKey, Signature, authenticator, hash::sha512};
use smp_protocol::{
    command::{Command, CommandTag},
    error::{CommandError, ErrorType},
    id::{EntityId, LinkId, NotifierId, RecipientId, SenderId},
    session::SessionParameters,
    transmission::{AuthorizationRef, CommandTransmission, SERVICE_SIGNATURE_BYTES, authorized_with_service},
};

use super::context::Context;
use crate::{
    auth::{Authorization, Proof, verify},
    cluster,
    store::{QueueId, QueueMode, QueueRecord, ServiceRole},
    sync::lock,
};

/// The authorization of a transmission, and what it covers.
pub(crate) struct OwnedProof {
    pub(crate) authorization: OwnedAuthorization,
    /// The signature of a service, next to the authorization by the queue's key.
    service_signature: Option<[u8; SERVICE_SIGNATURE_BYTES]>,
    /// The bytes that signatures cover: session ID, correlation ID, entity ID and command. Empty if there are none.
    authorized: Vec<u8>,
}

/// See [`Authorization`].
pub(crate) enum OwnedAuthorization {
    Missing,
    Signature(Signature),
    Authenticator(Box<Authenticator>),
}

/// An authenticator, with the SHA-512 of what it covers: 64 bytes instead of up to 16 KiB
/// of message while the command waits for its turn.
pub(crate) struct Authenticator {
    bytes: [u8; authenticator::SIZE],
    digest: [u8; authenticator::DIGEST_SIZE],
}

impl OwnedProof {
    /// That of a transmission, as it was received in a session with these parameters.
    pub(crate) fn of(transmission: &CommandTransmission<'_>, session: &SessionParameters) -> Self {
        let authorization = match transmission.authorization {
            None => OwnedAuthorization::Missing,
            Some(AuthorizationRef::Ed25519(signature)) => {
                OwnedAuthorization::Signature(Signature::Ed25519(*signature))
            }
            Some(AuthorizationRef::Ed448(signature)) => {
                OwnedAuthorization::Signature(Signature::Ed448(Box::new(*signature)))
            }
            Some(AuthorizationRef::Authenticator(bytes)) => {
                let digest = transmission.authorized_digest(session);
                OwnedAuthorization::Authenticator(Box::new(Authenticator { bytes: *bytes, digest }))
            }
        };
        let mut authorized = Vec::new();
        if matches!(authorization, OwnedAuthorization::Signature(_))
            || transmission.service_signature.is_some()
        {
            transmission.write_authorized(session, &mut authorized);
        }
        Self { authorization, service_signature: transmission.service_signature.copied(), authorized }
    }
}

/// For another process, and from there.
impl OwnedProof {
    pub(crate) fn to_other(&self) -> cluster::Proof {
        let authorization = match &self.authorization {
            OwnedAuthorization::Missing => cluster::Authorization::Missing,
            OwnedAuthorization::Signature(signature) => cluster::Authorization::Signature(signature.clone()),
            OwnedAuthorization::Authenticator(authenticator) => {
                let Authenticator { bytes, digest } = **authenticator;
                cluster::Authorization::Authenticator { bytes, digest }
            }
        };
        let (service_signature, authorized) = (self.service_signature, self.authorized.clone());
        cluster::Proof { authorization, service_signature, authorized }
    }

    pub(crate) fn from_other(proof: cluster::Proof) -> Self {
        let authorization = match proof.authorization {
            cluster::Authorization::Missing => OwnedAuthorization::Missing,
            cluster::Authorization::Signature(signature) => OwnedAuthorization::Signature(signature),
            cluster::Authorization::Authenticator { bytes, digest } => {
                OwnedAuthorization::Authenticator(Box::new(Authenticator { bytes, digest }))
            }
        };
        let (service_signature, authorized) = (proof.service_signature, proof.authorized);
        Self { authorization, service_signature, authorized }
    }
}

#[cfg(test)]
impl OwnedProof {
    /// That of a command with this authorized part, by this key.
    pub(super) fn made_by(key: &smp_crypto::PrivateAuthKey, authorized: Vec<u8>, cx: &Context<'_>) -> Self {
        use smp_crypto::PrivateAuthKey;
        let authorization = match key {
            PrivateAuthKey::Ed25519(key) => {
                OwnedAuthorization::Signature(Signature::Ed25519(key.sign(&authorized)))
            }
            PrivateAuthKey::Ed448(key) => {
                OwnedAuthorization::Signature(Signature::Ed448(Box::new(key.sign(&authorized))))
            }
            PrivateAuthKey::X25519(key) => {
                // The same secret as the client agrees on with the relay's public key.
                let secret = lock(&cx.caller.keys).agree(&key.public_key());
                let nonce = Nonce::from_slice_padded(cx.corr_id.as_bytes());
                let bytes = authenticator::make(&secret, &nonce, &authorized);
                OwnedAuthorization::Authenticator(Box::new(Authenticator {
                    bytes,
                    digest: sha512(&authorized),
                }))
            }
        };
        Self { authorization, service_signature: None, authorized }
    }
}

type Found = Option<Arc<QueueRecord>>;

/// The queue that the command is about, if it is about one, once it is verified that the command may be run.
pub(super) async fn authorize(
    cx: &Context<'_>,
    command: &Command<'_>,
    proof: &OwnedProof,
) -> Result<Found, ErrorType> {
    check_service(cx, command.tag(), proof)?;
    match command {
        Command::Ping | Command::ProxySession { .. } | Command::ProxyForward { .. } => Ok(None),
        Command::New(request) if is_authorized(cx, &[request.auth_key.0], proof) => Ok(None),
        Command::New(_) => Err(ErrorType::Auth),
        Command::SubscribeAll(_) | Command::SubscribeAllNotifications(_) => is_of_service(cx, proof),
        // It has been taken out of its boxes before.
        Command::RelayForward(_) => Err(CommandError::Prohibited.into()),
        _ => match OwnedQueueId::of(command, &cx.entity_id) {
            Some(id) => on_queue(cx, command, proof, id.get()).await,
            None => Ok(None),
        },
    }
}

/// The ID of the queue that a command is about, of the kind that the command takes.
pub(crate) enum OwnedQueueId {
    Recipient(RecipientId),
    Sender(SenderId),
    Notifier(NotifierId),
    Link(LinkId),
}

impl OwnedQueueId {
    /// `None` if the command is about no queue that there is.
    pub(crate) fn of(command: &Command<'_>, entity: &EntityId) -> Option<Self> {
        Some(match command {
            Command::Ping
            | Command::ProxySession { .. }
            | Command::ProxyForward { .. }
            | Command::RelayForward(_)
            | Command::New(_)
            | Command::SubscribeAll(_)
            | Command::SubscribeAllNotifications(_) => return None,
            Command::Send(..) | Command::SenderSecure(_) => Self::Sender(entity.clone().into()),
            Command::SecureAndGetLink(_) | Command::GetLink => Self::Link(entity.clone().into()),
            Command::SubscribeNotifications => Self::Notifier(entity.clone().into()),
            _ => Self::Recipient(entity.clone().into()),
        })
    }

    pub(crate) fn get(&self) -> QueueId<'_> {
        match self {
            Self::Recipient(id) => QueueId::Recipient(id),
            Self::Sender(id) => QueueId::Sender(id),
            Self::Notifier(id) => QueueId::Notifier(id),
            Self::Link(id) => QueueId::Link(id),
        }
    }
}

/// Authorizes a command about the queue with this ID.
async fn on_queue(
    cx: &Context<'_>,
    command: &Command<'_>,
    proof: &OwnedProof,
    id: QueueId<'_>,
) -> Result<Found, ErrorType> {
    let store = &cx.node.store;
    let mut looked_up = store.look_up(id).await?;
    // From here on whether there is a queue makes no difference, but in what comes out.
    let exists = looked_up.queue.is_some();
    let queue = looked_up.queue.take().unwrap_or_else(|| cx.node.nobody.queue().clone());
    if may_run(cx, command, proof, &queue) && exists {
        return Ok(Some(queue));
    }
    store.refuse(id, looked_up).await?;
    Err(ErrorType::Auth)
}

fn may_run(cx: &Context<'_>, command: &Command<'_>, proof: &OwnedProof, queue: &QueueRecord) -> bool {
    match command {
        Command::Send(..) => may_send(cx, queue, proof),
        Command::SenderSecure(key) | Command::SecureAndGetLink(key) => may_secure(cx, queue, &key.0, proof),
        Command::GetLink => queue.is_contact(),
        Command::SubscribeNotifications => {
            let key = queue.notifier.as_ref().map(|notifier| notifier.key);
            is_authorized(cx, key.as_slice(), proof)
        }
        _ => is_authorized(cx, &queue.recipient_keys, proof),
    }
}

/// A service may send what belongs to its role, and signs what makes a queue its own.
fn check_service(cx: &Context<'_>, tag: CommandTag, proof: &OwnedProof) -> Result<(), ErrorType> {
    let role = match tag {
        CommandTag::Ping => None,
        CommandTag::SubscribeNotifications | CommandTag::SubscribeAllNotifications => {
            Some(ServiceRole::Notifier)
        }
        _ => Some(ServiceRole::Messaging),
    };
    if let (Some(service), Some(role)) = (cx.service, role)
        && service.role != role
    {
        return Err(CommandError::Prohibited.into());
    }
    let is_right = match (cx.service, &proof.service_signature) {
        (Some(service), Some(signature)) if tag.takes_service_signature() => {
            service.key.verify(&proof.authorized, signature)
        }
        (Some(_), None) => !tag.takes_service_signature(),
        (None, None) => true,
        (_, Some(_)) => false,
    };
    if is_right { Ok(()) } else { Err(ErrorType::Service) }
}

/// `SUBS` and `NSUBS` are authorized by the key of the service, under its ID.
fn is_of_service(cx: &Context<'_>, proof: &OwnedProof) -> Result<Found, ErrorType> {
    match (cx.service, &proof.authorization) {
        (Some(service), OwnedAuthorization::Signature(Signature::Ed25519(signature)))
            if service.id.as_bytes() == cx.entity_id.as_bytes()
                && service.key.verify(&proof.authorized, signature) =>
        {
            Ok(None)
        }
        _ => Err(ErrorType::Service),
    }
}

/// Until a queue is secured anybody may send, but nobody with an authorization.
fn may_send(cx: &Context<'_>, queue: &QueueRecord, proof: &OwnedProof) -> bool {
    let missing = matches!(proof.authorization, OwnedAuthorization::Missing);
    (queue.sender_key.is_none() && missing) || is_authorized(cx, queue.sender_key.as_slice(), proof)
}

/// A sender may secure a messaging queue with a key that it has, unless there is another one already.
fn may_secure(cx: &Context<'_>, queue: &QueueRecord, key: &PublicAuthKey, proof: &OwnedProof) -> bool {
    let allowed =
        queue.mode == Some(QueueMode::Messaging) && queue.sender_key.is_none_or(|existing| existing == *key);
    is_authorized(cx, if allowed { slice::from_ref(key) } else { &[] }, proof)
}

/// Whether the command was authorized with one of these keys.
fn is_authorized(cx: &Context<'_>, keys: &[PublicAuthKey], proof: &OwnedProof) -> bool {
    let with_service = match (cx.service, &proof.service_signature) {
        (Some(service), Some(_)) => Some(authorized_with_service(&service.fingerprint, &proof.authorized)),
        _ => None,
    };
    let digest;
    let authorization = match &proof.authorization {
        OwnedAuthorization::Missing => Authorization::Missing,
        OwnedAuthorization::Signature(signature) => {
            Authorization::Signature(signature, with_service.as_ref().unwrap_or(&proof.authorized))
        }
        OwnedAuthorization::Authenticator(authenticator) => {
            digest = with_service.map_or(authenticator.digest, |covered| sha512(&covered));
            Authorization::Authenticator(&authenticator.bytes, &digest)
        }
    };
    let proof = Proof { authorization, nonce: Nonce::from_slice_padded(cx.corr_id.as_bytes()) };
    verify(keys, proof, &mut lock(&cx.caller.keys), &cx.node.nobody)
}
