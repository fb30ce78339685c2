//! `PFWD`: forwards a command to another relay, in a session that `PRXY` has named.

use std::borrow::Cow;

use smp_protocol::{id::ProxySessionId, key::ProxiedCommandKey, message::BrokerMessage, version::SmpVersion};

use super::{context::Context, outcome::CommandResult};

pub(super) async fn run(
    cx: &Context<'_>,
    version: SmpVersion,
    key: ProxiedCommandKey,
    transmission: &[u8],
) -> CommandResult {
    let counts = &cx.node.metrics.forwarding;
    let session = cx.node.proxy.session(&ProxySessionId::from(cx.entity_id.clone()));
    // The owner of the session is not known any more.
    let session = session.inspect_err(|error| counts.command::<()>(false, &Err(error.clone())))?;
    // Never closed.
    let _turn = cx.caller.forwarding.acquire().await;
    let response = session.forward(&cx.corr_id, version, key, transmission).await;
    counts.command(session.is_own, &response);
    Ok(BrokerMessage::ProxyResponse(Cow::Owned(response?)).into())
}
