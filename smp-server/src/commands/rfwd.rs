//! `RFWD`: a command that a proxy forwards, so that this relay does not see who sends it.
//!
//! Only what senders need may be forwarded. The answer goes back in two boxes: the inner one for the sender, the outer one
//! for the proxy (protocol-spec chapter 5).

use std::borrow::Cow;

use smp_crypto::BoxKey;
use smp_protocol::{
    body::BodyError,
    command::Command,
    error::{BrokerErrorType, CommandError, ErrorType, ProxyError, TransportError},
    id::{CorrelationId, EntityId},
    message::BrokerMessage,
    proxy::{ForwardedResponse, ForwardedTransmission, open_content, seal_answer},
    session::SessionParameters,
    transmission::{BlockContent, CommandTransmission, RefusedTransmission, read_commands, write_message},
};

use super::OwnedProof;
use crate::session::Session;

/// A forwarded command, out of its boxes.
pub(crate) struct Forwarded {
    pub(crate) corr_id: CorrelationId,
    pub(crate) entity_id: EntityId,
    pub(crate) command: Command<'static>,
    pub(crate) proof: OwnedProof,
}

/// What the answer to a forwarded command is put into.
pub(crate) struct Envelope {
    /// The answer.
    pub(crate) message: BrokerMessage<'static>,
    /// What it is about.
    entity_id: EntityId,
    /// That of the forwarded command.
    corr_id: CorrelationId,
    /// That of `PFWD`.
    forwarded_corr_id: CorrelationId,
    /// That of `RFWD`.
    relay_corr_id: CorrelationId,
    parameters: SessionParameters,
    sender_secret: BoxKey,
    proxy_secret: BoxKey,
}

/// Opens both boxes. The command may be refused already; then the envelope has the answer.
///
/// # Errors
///
/// What is answered to the proxy instead of `RRES`.
pub(crate) fn open(
    session: &Session,
    relay_corr_id: CorrelationId,
    boxed: &[u8],
) -> Result<(Option<Forwarded>, Box<Envelope>), ErrorType> {
    let proxy_secret =
        session.proxy_secret.clone().ok_or_else(|| of_transport(TransportError::NoRelayAuth))?;
    let forwarded =
        ForwardedTransmission::open(&proxy_secret, &relay_corr_id, boxed).map_err(|e| match e {
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
    let (message, corr_id, entity_id, inner) = match read_one(&content, &parameters)? {
        Ok(inner) => (BrokerMessage::Ok, inner.corr_id.clone(), inner.entity_id.clone(), Some(inner)),
        Err(refused) => (refused.error.into(), refused.correlation_id, refused.entity_id, None),
    };
    let envelope = Envelope {
        message,
        entity_id,
        corr_id,
        forwarded_corr_id: forwarded.correlation_id,
        relay_corr_id,
        parameters,
        sender_secret,
        proxy_secret,
    };
    Ok((inner, Box::new(envelope)))
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

impl Envelope {
    /// The version the answer is written in.
    pub(crate) fn parameters(&self) -> &SessionParameters {
        &self.parameters
    }

    /// Puts the answer into both boxes.
    pub(crate) fn seal(&self) -> BrokerMessage<'static> {
        let mut content = BlockContent::new();
        let fits = content.push(|out| {
            write_message(&self.parameters, &self.corr_id, &self.entity_id, &self.message, out);
        });
        let response = fits.ok().and_then(|()| {
            seal_answer(&self.sender_secret, &self.forwarded_corr_id, content.as_bytes()).ok()
        });
        match response {
            Some(response) => {
                let response = ForwardedResponse {
                    correlation_id: self.forwarded_corr_id.clone(),
                    response: Cow::Owned(response),
                };
                BrokerMessage::RelayResponse(Cow::Owned(
                    response.seal(&self.proxy_secret, &self.relay_corr_id),
                ))
            }
            None => ErrorType::Block.into(),
        }
    }
}
