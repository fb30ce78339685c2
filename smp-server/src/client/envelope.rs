//! `Envelope`: the two boxes that the answer to a forwarded command goes back in (protocol-spec chapter 5).
//!
//! The inner one is for the sender, the outer one for the proxy.

use std::borrow::Cow;

use smp_crypto::BoxKey;
use smp_protocol::{
    error::ErrorType,
    id::{CorrelationId, EntityId},
    message::BrokerMessage,
    proxy::{ForwardedResponse, seal_answer},
    session::SessionParameters,
    transmission::{BlockContent, write_message},
};

/// Seals an answer, instead of it being sent as it is.
pub(crate) struct Envelope {
    /// The entity of the forwarded command.
    pub(crate) entity_id: EntityId,
    /// That of the forwarded command.
    pub(crate) corr_id: CorrelationId,
    /// That of `PFWD`.
    pub(crate) forwarded_corr_id: CorrelationId,
    /// That of `RFWD`.
    pub(crate) relay_corr_id: CorrelationId,
    /// In the version of the sender.
    pub(crate) parameters: SessionParameters,
    /// Of the inner box.
    pub(crate) sender_secret: BoxKey,
    /// Of the outer box.
    pub(crate) proxy_secret: BoxKey,
}

impl Envelope {
    /// `RRES` with the answer; `ERR BLOCK` if it is too long for the boxes.
    pub(crate) fn seal(&self, answer: &BrokerMessage<'_>) -> BrokerMessage<'static> {
        let mut content = BlockContent::new();
        let fits = content.push(|out| {
            write_message(&self.parameters, &self.corr_id, &self.entity_id, answer, out);
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
