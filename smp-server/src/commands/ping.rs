//! `PING`: a sign of life, answered by `PONG`.

use smp_protocol::message::BrokerMessage;

use super::outcome::Outcome;

pub(super) fn run() -> Outcome {
    BrokerMessage::Pong.into()
}
