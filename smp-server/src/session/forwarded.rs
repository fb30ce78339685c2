//! `RFWD`: a command in the boxes of a sender and of a proxy, opened before it is run (protocol-spec chapter 5).
//!
//! Only what senders need may be forwarded: `SEND`, `SKEY`, `LKEY` and `LGET`, in a version that this relay offers.

use smp_protocol::{
    body::BodyError,
    command::Command,
    error::{BrokerErrorType, CommandError, ErrorType, ProxyError, TransportError},
    id::{CorrelationId, EntityId},
    proxy::{ForwardedTransmission, open_content},
    session::SessionParameters,
    transmission::{CommandTransmission, RefusedTransmission, read_commands},
};

use super::state::Session;
use crate::{client::Envelope, commands::OwnedProof};

/// A forwarded command, out of its boxes.
pub(super) struct Forwarded {
    pub(super) corr_id: CorrelationId,
    pub(super) entity_id: EntityId,
    pub(super) command: Command<'static>,
    pub(super) proof: OwnedProof,
}

/// The content of `RFWD`.
pub(super) struct Opened {
    /// The command, or why it is refused.
    pub(super) command: Result<Forwarded, ErrorType>,
    /// Seals the answer.
    pub(super) envelope: Box<Envelope>,
}

/// Opens both boxes.
///
/// # Errors
///
/// The answer to the proxy instead of `RRES`.
pub(super) fn open(
    session: &Session,
    relay_corr_id: &CorrelationId,
    boxed: &[u8],
) -> Result<Opened, ErrorType> {
    let proxy_secret =
        session.proxy_secret.clone().ok_or_else(|| of_transport(TransportError::NoRelayAuth))?;
    let forwarded =
        ForwardedTransmission::open(&proxy_secret, relay_corr_id, boxed).map_err(|e| match e {
            BodyError::Decode(_) => ErrorType::Command(CommandError::Syntax),
            _ => ErrorType::Crypto,
        })?;
    if !session.offered_versions().contains(forwarded.version) {
        return Err(of_transport(TransportError::Version));
    }
    let sender_secret = session.private_key.agree(&forwarded.key.0).box_key();
    let content = open_content(&sender_secret, &forwarded.correlation_id, &forwarded.transmission)
        .map_err(|_| ErrorType::Crypto)?;
    let parameters = SessionParameters { version: forwarded.version, id: session.parameters.id.clone() };
    let (command, corr_id, entity_id) = match read_one(&content, &parameters)? {
        Ok(inner) => {
            let (corr_id, entity_id) = (inner.corr_id.clone(), inner.entity_id.clone());
            (Ok(inner), corr_id, entity_id)
        }
        Err(refused) => (Err(refused.error), refused.correlation_id, refused.entity_id),
    };
    let envelope = Box::new(Envelope {
        entity_id,
        corr_id,
        forwarded_corr_id: forwarded.correlation_id,
        relay_corr_id: relay_corr_id.clone(),
        parameters,
        sender_secret,
        proxy_secret,
    });
    Ok(Opened { command, envelope })
}

/// The connection has no key to open the box with, or the sender's version is not one that this relay offers.
fn of_transport(error: TransportError) -> ErrorType {
    ErrorType::Proxy(Box::new(ProxyError::Broker(BrokerErrorType::Transport(error))))
}

/// There must be exactly one transmission.
fn read_one(
    content: &[u8],
    parameters: &SessionParameters,
) -> Result<Result<Forwarded, RefusedTransmission>, ErrorType> {
    let mut transmissions = read_commands(content, parameters);
    match (transmissions.next(), transmissions.next()) {
        (Some(Ok(transmission)), None) => Ok(accept(transmission, parameters)),
        (Some(Err(refused)), None) => Ok(Err(refused)),
        _ => Err(ErrorType::Block),
    }
}

fn accept(
    transmission: CommandTransmission<'_>,
    parameters: &SessionParameters,
) -> Result<Forwarded, RefusedTransmission> {
    let error = match &transmission.command {
        _ if transmission.service_signature.is_some() => Some(ErrorType::Service),
        Command::Send(..) | Command::SenderSecure(_) | Command::SecureAndGetLink(_) | Command::GetLink => {
            None
        }
        _ => Some(CommandError::Prohibited.into()),
    };
    if let Some(error) = error {
        let CommandTransmission { correlation_id, entity_id, .. } = transmission;
        return Err(RefusedTransmission { correlation_id, entity_id, error });
    }
    let proof = OwnedProof::of(&transmission, parameters);
    let CommandTransmission { correlation_id, entity_id, command, .. } = transmission;
    Ok(Forwarded { corr_id: correlation_id, entity_id, command: command.into_owned(), proof })
}
