//! `PRXY`: a session of this relay with another one, over which the client can send without being seen by it.

use smp_protocol::{
    address::{Password, RelayAddress},
    error::{BrokerErrorType, ErrorType, ProxyError},
    message::BrokerMessage,
};

use super::{context::Context, outcome::CommandResult, turn::wait_for_turn};

pub(super) async fn run(cx: &Context<'_>, relay: &RelayAddress, password: Option<Password>) -> CommandResult {
    let config = cx.node.config();
    let wanted = &config.queues.create_password;
    if !config.proxy.enabled || (wanted.is_some() && password != *wanted) {
        return Err(ErrorType::Proxy(Box::new(ProxyError::BasicAuth)));
    }
    // Before the connection is waited for: the other commands of a client that asks for too many relays go on.
    if !cx.node.proxy.knows(relay) {
        let busy = || ErrorType::Proxy(Box::new(ProxyError::Broker(BrokerErrorType::Timeout)));
        wait_for_turn(cx, &cx.node.new_relays, config.proxy.new_relays(), busy).await?;
    }
    // Never closed.
    let _turn = cx.caller.forwarding.acquire().await;
    let session = cx.node.proxy.connect(relay, &cx.caller.new_relays).await;
    cx.node.metrics.forwarding.session(cx.node.proxy.is_own(relay), &session);
    let session = session?;
    Ok(BrokerMessage::ProxySessionKey {
        session_id: session.id.clone(),
        versions: session.versions,
        key: Box::new(session.key.clone()),
    }
    .into())
}
