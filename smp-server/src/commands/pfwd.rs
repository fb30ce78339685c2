//! `PFWD`: forwards a command to another relay, in a session that `PRXY` has named.

use std::borrow::Cow;

use smp_protocol::{id::ProxySessionId, key::ProxiedCommandKey, message::BrokerMessage, version::SmpVersion};

use super::{Context, Outcome};

pub(super) async fn run(
    cx: &Context,
    version: SmpVersion,
    key: ProxiedCommandKey,
    transmission: &[u8],
) -> Outcome {
    let session = cx.broker.proxy.session(&ProxySessionId::from(cx.entity_id.clone()))?;
    // Never closed.
    let _turn = cx.session.forwarding.acquire().await;
    let response = session.forward(&cx.corr_id, version, key, transmission).await?;
    Ok(BrokerMessage::ProxyResponse(Cow::Owned(response)).into())
}
