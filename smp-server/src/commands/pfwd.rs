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
    let counts = &cx.broker.metrics.forwarding;
    let session = cx.broker.proxy.session(&ProxySessionId::from(cx.entity_id.clone()));
    // Whose session it was is not known any more.
    let session = session.inspect_err(|error| counts.command::<()>(false, &Err(error.clone())))?;
    // Never closed.
    let _turn = cx.session.forwarding.acquire().await;
    let response = session.forward(&cx.corr_id, version, key, transmission).await;
    counts.command(session.is_own, &response);
    Ok(BrokerMessage::ProxyResponse(Cow::Owned(response?)).into())
}
