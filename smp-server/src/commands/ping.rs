//! `PING`: is anybody there?

use smp_protocol::message::BrokerMessage;

use super::outcome::Outcome;

pub(super) fn run() -> Outcome {
    BrokerMessage::Pong.into()
}
