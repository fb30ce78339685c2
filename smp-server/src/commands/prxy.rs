//! `PRXY`: a session of this relay with another one, over which the client can send without that one seeing who sends.

use smp_protocol::{
    address::{Password, RelayAddress},
    error::{ErrorType, ProxyError},
    message::BrokerMessage,
};

use super::{Context, Outcome};

pub(super) async fn run(cx: &Context, relay: &RelayAddress, password: Option<Password>) -> Outcome {
    let config = cx.broker.config();
    let wanted = &config.queues.create_password;
    if !config.proxy.enabled || (wanted.is_some() && password != *wanted) {
        return Err(ErrorType::Proxy(Box::new(ProxyError::BasicAuth)));
    }
    // Never closed.
    let _turn = cx.session.forwarding.acquire().await;
    let session = cx.broker.proxy.connect(relay, &cx.session.new_relays).await;
    cx.broker.metrics.forwarding.session(cx.broker.proxy.is_own(relay), &session);
    let session = session?;
    Ok(BrokerMessage::ProxySessionKey {
        session_id: session.id.clone(),
        versions: session.versions,
        key: Box::new(session.key.clone()),
    }
    .into())
}
